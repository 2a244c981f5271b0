//! One program for all tests that need the world: files, processes, a kernel.

mod intake;
mod wait;
