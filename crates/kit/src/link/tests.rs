//! How links behave, proven from inside.
