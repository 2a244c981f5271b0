//! Readings of one headnode in memory: how much is asked, what is concluded from a queue
//! as a whole, and what trouble comes to.

mod circuit;
mod counts;
mod groups;
mod leftovers;
mod stage;
mod wiped;
