//! Everything that is tested from outside the library, in one program.

#![allow(clippy::unwrap_used, reason = "clippy knows the tests in here, not what they call")]

mod copy;
mod intake;
mod results;
mod store;
mod wait;
