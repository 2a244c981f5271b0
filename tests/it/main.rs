//! The tests of the program from outside: one crate, one module per subject.

mod conclusion;
mod contract;
mod ending;
mod job;
mod stage;
mod wait;
