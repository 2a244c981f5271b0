//! daylily-watch.
