//! Pages: askama structs of the card page and the dashboard.
