//! Tests of the program from outside, in one crate.

mod store;
