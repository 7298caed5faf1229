//! When a delivery is tried again, and when it is given up.
