//! The card vault: authenticated encryption, versioned keys, keyed fingerprints.
