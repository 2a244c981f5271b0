//! Owns where the toy cases live: a folder on this machine, one on the headnode, and the
//! configuration of a daemon that knows nothing else. The headnode is the user's own, with
//! its path, environment, queue and ways, but for one place in its first group and short
//! times.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::toys::{JOB, RESULT};
use crate::config::{
    self, HeadnodeSettings, HostAddress, QueueKind, Settings, Ship, SshSettings, Verify,
};

/// How the intake is called.
pub(super) const INTAKE: &str = "toys";

/// The folders on this machine, removed by [`Folders::remove`].
#[derive(Debug)]
pub(super) struct Folders {
    /// Database, results, log.
    pub(super) own: PathBuf,
    /// Where toys are offered; elsewhere only where the headnode must see it.
    pub(super) intake: PathBuf,
    /// What is to be removed besides `own`.
    shared: Option<PathBuf>,
}

impl Folders {
    pub(super) fn make(word: &str, headnode: &HeadnodeSettings) -> anyhow::Result<Self> {
        let own = std::env::temp_dir().join(format!("daylily-watch-selftest-{word}"));
        let shared = match &headnode.ship {
            Ship::Copy => None,
            Ship::Shared { here, .. } => Some(here.join(format!(".daylily-selftest-{word}"))),
        };
        let made = Self { intake: shared.as_ref().unwrap_or(&own).join(INTAKE), own, shared };
        let folders = [Some(&made.own), made.shared.as_ref(), Some(&made.intake)];
        for folder in folders.into_iter().flatten() {
            // The headnode may be somebody else there.
            let mode = if *folder == made.own { 0o700 } else { 0o755 };
            let done = std::fs::DirBuilder::new().mode(mode).create(folder);
            if done.is_err() {
                // The first error is the one to tell.
                let _ = made.remove(false);
            }
            done.with_context(|| format!("make the folder {}", folder.display()))?;
        }
        Ok(made)
    }

    pub(super) fn state_dir(&self) -> PathBuf {
        self.own.join("state")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.own.join("config.yaml")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.own.join("daemon.log")
    }

    /// The folder of a toy's results.
    pub(super) fn results(&self, name: &str) -> PathBuf {
        self.own.join("results").join(INTAKE).join(name)
    }

    /// What could not be removed, and why. `keep`: what is on this machine stays.
    pub(super) fn remove(&self, keep: bool) -> Vec<String> {
        let own = (!keep).then_some(&self.own);
        let folders = [own, self.shared.as_ref()].into_iter().flatten();
        let removed = folders.map(|folder| (folder, std::fs::remove_dir_all(folder)));
        let left = removed.filter_map(|(folder, removed)| match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Some(format!("{}: {error}", folder.display()))
            }
            Ok(()) | Err(_) => None,
        });
        left.collect()
    }
}

/// Writes the configuration and reads it as the daemon will.
pub(super) fn configure(
    folders: &Folders,
    headnode: &HeadnodeSettings,
    work_dir: &str,
    records: &str,
) -> anyhow::Result<Settings> {
    let whole = json!({
        "state_dir": "./state",
        "intakes": [{
            "name": INTAKE,
            "path": folders.intake,
            "settle": {"quiet": "500ms"},
            "rescan": "1s",
            "existing": "process",
        }],
        "headnodes": [headnode_of(headnode, work_dir)],
        "pipelines": {"default": {
            "command": JOB, "env": {"RECORDS": records}, "expect": [RESULT],
        }},
        "results": {"fetch": [RESULT], "to": "./results"},
        "retry": {"first": "500ms", "most": "2s", "for": "10m"},
        "poll": {"min": "200ms", "max": "1s"},
    });
    let file = folders.config();
    let text = serde_json::to_string_pretty(&whole).context("write the configuration")?;
    // It has the environment of the headnode in it.
    let made = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&file);
    let made = made.and_then(|mut made| std::io::Write::write_all(&mut made, text.as_bytes()));
    made.with_context(|| format!("write {}", file.display()))?;
    Ok(config::load(&file)?)
}

/// Every JSON document is one of YAML.
fn headnode_of(headnode: &HeadnodeSettings, work_dir: &str) -> Value {
    let host = match &headnode.host {
        HostAddress::Local => "local",
        HostAddress::Ssh(host) => host,
    };
    let mut of = json!({
        "name": headnode.name,
        "host": host,
        "ssh": ssh(&headnode.ssh),
        "work_dir": work_dir,
        "path": headnode.path,
        "env": headnode.env,
        "umask": format!("{:04o}", headnode.umask),
        "queue": queue(headnode.queue),
        "groups": headnode.groups.iter().take(1).map(|group| json!({
            // More would take places from cases that matter.
            "name": group.name, "slots": 1,
        })).collect::<Vec<_>>(),
        "verify": match headnode.verify { Verify::Quick => "quick", Verify::Checksum => "checksum" },
        "ship_ahead": 1,
        "max_transfers": 1,
    });
    match &headnode.ship {
        Ship::Copy => {}
        Ship::Shared { here, there } => {
            of["ship"] = json!({"shared": {"here": here, "there": there}});
        }
    }
    match headnode.host {
        HostAddress::Local => {}
        // So that a copy of some 2 MiB can be met half way.
        HostAddress::Ssh(_) => of["bandwidth"] = json!("2MiB/s"),
    }
    match headnode.queue {
        QueueKind::Pueue => of["pueue"] = json!({"command": headnode.pueue.command}),
        QueueKind::Direct | QueueKind::Slurm => {}
    }
    of
}

fn ssh(ssh: &SshSettings) -> Value {
    let path = |path: &Option<PathBuf>| path.as_deref().map(Path::to_owned);
    json!({
        "config_file": path(&ssh.config_file),
        "connect_timeout": format!("{}ms", ssh.connect_timeout.as_millis()),
        "control_path": path(&ssh.control_path),
    })
}

fn queue(queue: QueueKind) -> &'static str {
    match queue {
        QueueKind::Direct => "direct",
        QueueKind::Pueue => "pueue",
        QueueKind::Slurm => "slurm",
    }
}
