//! daylily-watch notices case folders, runs each once, and brings the results home.
//! The program is in this library; `main.rs` only starts it.

pub mod adapters;
pub mod clock;
pub mod config;
pub mod file_time;
pub mod intake;
pub mod reconcile;
pub mod results;
pub mod store;
pub mod tree;
pub mod tree_digest;
pub mod tree_fingerprint;
