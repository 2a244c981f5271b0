//! The daylily-watch program.
fn main() {}
