//! Access tokens and the nonces of signatures.
