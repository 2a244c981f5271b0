//! Owns where cases come from: finding folders of work and saying what is in them.
//! It judges nothing; `settle` in the lifecycle says when a folder is complete.

pub mod directory;
pub mod workset;
