//! Owns a headnode that ssh reaches: its connections, and a shell over one of them.
//! Nothing but one fixed line ever goes through the login shell there, and nothing opens
//! a connection but [`masters`].

pub mod masters;
pub mod shell;
pub mod sockets;
mod prelude;
mod remnants;
mod answer;
mod sessions;
mod connect;
mod here;
mod log;
mod login;
mod bulk;

#[cfg(test)]
mod fuzz;

use std::collections::BTreeMap;
use std::sync::Arc;

use daylily_lifecycle::ids::HeadnodeName;

use self::masters::Masters;
use self::shell::SshShell;
use super::Transfer;
use super::attempts::ShellHost;
use super::headnode::Headnode;
use super::job::JobGround;
use super::shell::{Owner, WorkDir};
use crate::clock::Clock;

/// What a headnode behind ssh is made of, beside its connections.
#[derive(Debug, Clone)]
pub struct SshHostSettings {
    pub name: HeadnodeName,
    /// Absolute there.
    pub work_dir: String,
    pub owner: Owner,
    /// Put before the PATH; `~/` at the start is the home there.
    pub path: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Of what a case's command makes.
    pub umask: u32,
}

/// `transfer` makes what moves its files, over the bulk lines of the same `masters`.
pub fn ssh_host<T: Transfer>(
    settings: SshHostSettings,
    masters: Arc<Masters>,
    clock: Arc<dyn Clock>,
    transfer: impl FnOnce(&Arc<WorkDir<SshShell>>) -> T,
) -> Headnode<SshShell, T> {
    let SshHostSettings { name, work_dir, owner, path, env, umask } = settings;
    let shell = SshShell::new(masters, clock, path.clone(), env.clone());
    let work_dir = Arc::new(WorkDir::new(shell, name.clone(), work_dir, owner));
    let ground = JobGround::new(work_dir.root(), path, env, umask);
    let transfer = transfer(&work_dir);
    Headnode::joined(ShellHost::new(name, work_dir, ground), transfer)
}
