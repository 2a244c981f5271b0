//! The whole program, as its users start it: what it promises, shown from outside by
//! what lies in folders, what the jobs wrote of themselves, and what the database says.

mod runs;
mod same;
mod setup;
mod world;

mod arriving;
mod asking;
mod bad_input;
mod cancelling;
mod changes;
mod failing;
mod identity;
mod killed;
mod lessons;
mod many;
mod manifests;
mod places;
mod stopping;
mod under_pueue;
