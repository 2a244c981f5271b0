//! Owns starting this program once more, as a daemon of its own that can be killed.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

/// A daemon that is ours. Dropped, it is killed.
pub struct Itself {
    child: Child,
}

impl Itself {
    /// Starts the daemon of this configuration. What it says goes to the end of `log`.
    pub fn start(config: &Path, log: &Path) -> io::Result<Self> {
        let log = File::options().append(true).create(true).open(log)?;
        #[allow(clippy::disallowed_methods, reason = "this is the adapter that starts us again")]
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.args(["run", "--config"]).arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // What is typed at the terminal is for us, who then end it in good order.
        command.process_group(0).kill_on_drop(true);
        Ok(Self { child: command.spawn()? })
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// SIGKILL, wherever it is.
    pub async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Asks it to end, and kills it when it has not within `limit`.
    pub async fn end(mut self, limit: Duration) -> io::Result<()> {
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }
}
