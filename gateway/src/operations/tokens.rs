//! Turning card data into a single-use token.
