//! The suites that every adapter of a role passes, the fake and the real ones alike.

mod host;
pub(crate) mod objects;
mod queue;
