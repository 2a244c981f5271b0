//! Everything that is tested from outside the library, in one program.

#![allow(clippy::unwrap_used, reason = "clippy knows the tests in here, not what they call")]

mod alone;
mod chaos;
mod cli_change;
mod cli_read;
mod cli_run;
mod clock_steps;
mod conclusion;
mod contract;
mod copy;
mod dice;
mod ending;
mod fuzz;
mod headnode;
#[path = "../../src/hostile.rs"]
#[allow(dead_code, reason = "the library's own tests use the rest of it")]
mod hostile;
mod intake;
mod job;
mod lessons;
mod namespace;
mod objects;
mod owner;
mod panics;
mod pueue;
mod removing;
mod results;
mod rsync;
mod scene;
mod servers;
mod ssh;
mod stage;
mod stop;
mod store;
mod system;
mod trial;
mod trouble;
mod validate;
mod wait;
mod workset_objects;
