//! The whole program, as its users start it: what it promises, shown from outside by
//! what lies in folders, what the jobs wrote of themselves, and what the database says.

mod ground;
mod instruments;
mod runs;
mod same;
mod setup;
mod site;
mod world;

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
mod many;
mod memory;
mod manifests;
mod places;
mod restoring;
mod secrets;
mod stopping;
mod polling;
mod queue_trouble;
