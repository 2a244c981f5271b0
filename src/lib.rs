//! daylily-watch.
pub mod config;
