//! Owns the script's side, and the floor: the same jobs added to pueue by nobody at a
//! distance.

use std::process::{Child, Stdio};

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::servers::processes;
use crate::servers::pueued::PROGRAMS;
use crate::stage::{GROUP, QUIET, Stage, now};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/plain.sh");

pub(crate) struct Plain {
    child: Child,
}

impl Plain {
    /// Starts the script for so many cases.
    pub(crate) fn start(stage: &Stage, cases: usize, at_once: usize) -> Self {
        #[allow(clippy::disallowed_methods, reason = "the script is what is measured")]
        let mut command = std::process::Command::new("/bin/sh");
        command.arg(SCRIPT).arg(stage.path("intake")).arg(QUIET.to_string());
        command.arg(stage.sshd.config_file()).arg(stage.sshd.host()).arg(stage.path("work"));
        command.args([GROUP, &format!("{PROGRAMS}/pueue")]);
        command.args([cases.to_string(), at_once.to_string(), stage.command()]);
        command.env("PUEUE_CONFIG_PATH", stage.pueued.config());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self { child: command.spawn().unwrap() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the run where the script has failed.
    pub(crate) fn is_well(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            assert!(status.success(), "the script ended with {status}");
        }
    }

    pub(crate) fn freeze(&self) {
        processes::freeze(self.pid());
    }

    pub(crate) fn thaw(&self) {
        processes::thaw(self.pid());
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // Asked to end it takes its own folder away; what it had started is ended after it.
        let family = processes::family(self.pid());
        let pid = |pid: u32| Pid::from_raw(i32::try_from(pid).unwrap());
        let _ = kill(pid(self.pid()), Signal::SIGTERM);
        for &child in &family[1..] {
            let _ = kill(pid(child), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// Adds the jobs here, one after the other, and tells when that began.
pub(crate) fn add_all(stage: &Stage, cases: usize) -> Timestamp {
    let begun = now();
    for _ in 0..cases {
        stage.pueued.must(&["add", "--group", GROUP, "--", &stage.command()]);
    }
    begun
}
