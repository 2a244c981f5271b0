//! daylily-watch notices case folders, runs each once, and brings the results home.
//! The program is in this library; `main.rs` only starts it.

pub mod adapters;
pub mod store;
pub mod tree;
