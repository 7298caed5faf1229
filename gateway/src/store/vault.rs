//! Encrypted card records, tokens, key versions, the erasure list and the audit of reads.
