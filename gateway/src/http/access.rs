//! Who may call: bearer token, signature and scope, checked before anything is parsed.
