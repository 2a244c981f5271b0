//! What is tested of hosts behind ssh, against real sshds.

pub(crate) mod far;
mod connections;
mod fixture;
mod program;
mod scripts;
mod trouble;
