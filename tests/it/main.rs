//! Everything that is tested from outside the library, in one program.

#![allow(clippy::unwrap_used, reason = "clippy knows the tests in here, not what they call")]

mod copy;
mod results;
//! One program for all tests that need the world: files, processes, a kernel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod intake;
mod wait;
