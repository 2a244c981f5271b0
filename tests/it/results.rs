//! Placing.
