//! Owns the edge to the world, by role: a host to work on, a queue to start jobs
//! in, a bucket to read and write. Each role is one contract, one in-memory fake and one
//! conformance suite that the fake and every real adapter pass. Nothing outside this folder starts a
//! program, and nothing in it decides what a failure means for a case.

pub mod host;
pub mod queue;
pub mod objects;
pub mod itself;
