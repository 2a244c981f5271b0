//! Shipping and fetching where the headnode is this machine.

mod fetch;
mod interrupted;
mod list;
mod names;
mod random;
mod room;
mod ship;
mod verify;
pub(crate) mod world;
