//! The model: the real reconcilers on the real store in a world of which every life can
//! be told again. docs/proof.md says what it proves.

#![allow(clippy::unwrap_used, reason = "clippy knows the tests in here, not what they call")]

mod stories;
mod crash_points;
mod lives;
mod any_schedule;
mod unguarded;
mod transcript;
mod world;
mod schedule;
mod daemon;
mod ground;
mod adapters;
mod passage;
mod time;
mod laws;
