//! The database as the daemon, the command line and a person with `sqlite3` meet it.

mod finished;
mod kept;
mod opening;
mod processes;
mod record;
mod world;
