//! One program for all tests that need the world: files, processes, a kernel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod intake;
mod wait;
