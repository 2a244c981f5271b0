//! The life of a case, as pure functions: what an observation changes ([`record`]),
//! what to do next and why ([`plan`]), and who gets a slot ([`schedule`]).
//!
//! Nothing here reads a clock, a file or the environment, sleeps, logs or draws a
//! random number; `now` and seeds are arguments. What a state means is decided here
//! and nowhere else.

pub mod ids;
pub mod case;
pub mod attempt;
pub mod workset_run;
pub mod observation;
pub mod record;
pub mod action;
pub mod plan;
pub mod explain;
pub mod policy;
pub mod schedule;
pub mod settle;
pub mod outcome;
pub mod backoff;
pub mod circuit;
pub mod workset;
pub mod queue;
pub mod diagram;
