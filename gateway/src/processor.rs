//! The client of the processor: messages out, answers in.
