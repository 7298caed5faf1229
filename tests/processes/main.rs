//! Real binaries: start, kill, restart.
