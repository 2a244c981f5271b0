//! daylily-watch notices case folders, runs each once, and brings the results home.
//! The program is in this library; `main.rs` only starts it.

pub mod cli;
pub mod app;
pub mod reconcile;
pub mod store;
pub mod config;
pub mod intake;
pub mod adapters;
pub mod results;
mod plain;
mod mask;
#[cfg(test)]
mod hostile;
pub mod tree;
pub mod tree_fingerprint;
pub mod tree_digest;
pub mod file_time;
pub mod clock;
pub mod chance;
pub mod telemetry;
