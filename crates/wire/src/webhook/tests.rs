//! Golden vectors, receiver rules and round trips.
