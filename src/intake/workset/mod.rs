//! Owns what a Daylily workset is: a folder with `daylily_work.yaml` and tables of samples.
//! It reads them, tells everything that is wrong at once, and says which files and objects
//! must be there. It ships nothing, runs nothing, and never says when a case is complete.
//!
//! `document` knows the YAML, `words` how arguments are written, `location` where a file of
//! a table is.

pub mod document;
pub mod location;
mod words;

#[cfg(test)]
mod fuzz;
