//! Every status code and error code that a client can see.
