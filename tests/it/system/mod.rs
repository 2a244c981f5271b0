//! The whole program, as its users start it: what it promises, shown from outside by
//! what lies in folders, what the jobs wrote of themselves, and what the database says.

mod ground;
mod instruments;
pub(crate) mod runs;
mod same;
pub(crate) mod setup;
pub(crate) mod site;
pub(crate) mod world;

mod adopting;
mod arriving;
mod asking;
mod bad_headnode;
mod bad_input;
mod cancelling;
mod changes;
mod cleaning;
mod cut_lines;
mod failing;
mod hostile;
mod identity;
mod killed;
mod lessons;
mod logs;
mod memory;
mod manifests;
mod places;
mod reloading;
mod restoring;
mod secrets;
mod selftest;
mod stopping;
mod polling;
mod queue_trouble;
mod worksets;
mod wrong_worlds;
