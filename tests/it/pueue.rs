//! The queue pueue over a real pueued of our own, and what hurts it.

mod adding;
mod cost;
pub(crate) mod ground;
mod groups;
mod hurt;
mod looking;
mod lost;
mod removing;
mod refused;
