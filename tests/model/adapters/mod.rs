//! Owns what the daemon takes for the world: the fakes that pass the conformance suites
//! of the real adapters, each behind a passage at which calls are lost, late or cut off.

pub(crate) mod home;
pub(crate) mod host;
pub(crate) mod queue;
