//! What the control plane asks of this program.
