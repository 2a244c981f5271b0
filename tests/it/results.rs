//! What this machine keeps of a run.

mod keep_log;
mod move_folder;
mod place;
