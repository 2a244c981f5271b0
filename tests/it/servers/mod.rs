//! Real servers for the tests: each with keys, configuration and a folder of its own, on
//! this machine only, ended by its pid. What is not installed fails the test.

pub(crate) mod pueued;
