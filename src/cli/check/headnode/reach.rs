//! Whether the headnode is reached: the connection, which is the daemon's own where it
//! has one, and what its login shell does with a command.

use std::path::Path;
use std::sync::Arc;

use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::{At, Report};
use crate::adapters::host::shell::{Ask, Heard, Ran, Shell};
use crate::adapters::host::ssh::shell::SshShell;
use crate::app;
use crate::cli::connection::{Whose, connection, new_name};
use crate::cli::words_of_shell;
use crate::config::{HostAddress, Ship};

/// How long a command that does nothing may take.
const NOTHING: std::time::Duration = std::time::Duration::from_secs(15);

/// A headnode that answers.
pub(super) struct Reached {
    pub(super) shell: Arc<dyn Shell>,
    /// Whether it was opened for this, and is to be closed.
    is_ours: bool,
    /// What a connection beside that one would be, where we may open one.
    beside: Option<SshShell>,
}

/// What was left when something was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The script that began it has ended.
    Starter,
    /// So has the connection that it was begun over.
    Connection,
}

impl Left {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Starter => "its starter",
            Self::Connection => "its starter and the connection",
        }
    }
}

impl Reached {
    /// Begins something over a shell that is left afterwards: with its connection, where
    /// that may be another one than all else goes over.
    pub(super) async fn begin_and_leave<T>(
        &self,
        begin: impl AsyncFnOnce(&dyn Shell) -> Result<T, Fault>,
    ) -> Result<(T, Left), Fault> {
        match &self.beside {
            None => Ok((begin(&*self.shell).await?, Left::Starter)),
            Some(beside) => {
                let begun = begin(beside).await;
                beside.close().await;
                Ok((begun?, Left::Connection))
            }
        }
    }

    /// Ends what was opened for this.
    pub(super) async fn leave(self) {
        if self.is_ours {
            self.shell.close().await;
        }
    }
}

/// None: it was told why not.
pub(super) async fn reach(report: &mut Report, at: &At<'_>) -> Option<Reached> {
    let host = match &at.headnode.host {
        HostAddress::Local => {
            let shell = Arc::new(app::local_shell(at.headnode));
            return Some(Reached { shell, is_ours: false, beside: None });
        }
        HostAddress::Ssh(host) => host,
    };
    let (shell, whose) = connection(at.headnode, host, at.reader, "check").await;
    if let Err(fault) = shell.masters().connect().await {
        not_connected(report, at, host, fault);
        if whose == Whose::Ours {
            // What ssh said stays there otherwise.
            shell.close().await;
        }
        return None;
    }
    report.ok(&at.name("ssh"), format!("{host} is reached, over {}", whose.words()));
    let is_ours = whose == Whose::Ours;
    // A person's connection is there because we cannot open one.
    let beside =
        (whose != Whose::Persons).then(|| app::ssh_shell(at.headnode, host, &new_name("check")));
    let reached = Reached { shell: Arc::new(shell), is_ours, beside };
    if login(report, at, &*reached.shell).await {
        return Some(reached);
    }
    reached.leave().await;
    None
}

fn not_connected(report: &mut Report, at: &At<'_>, host: &str, mut fault: Fault) {
    if fault.class == FaultClass::TransientHost {
        fault.text = format!("{} cannot be reached: {}", at.headnode.name, fault.text);
    }
    let file = at.headnode.ssh.config_file.as_ref();
    let file = file.map(|file| format!("-F {} ", words_of_shell(file))).unwrap_or_default();
    let hint = format!(
        "see whether this works, and whether sshd runs there: ssh {file}{} true",
        words_of_shell(Path::new(host))
    );
    report.fault(&at.name("ssh"), &fault, &hint);
}

/// What the login shell does before a command, and whether it gets to it. False: nothing
/// can be run there.
async fn login(report: &mut Report, at: &At<'_>, shell: &dyn Shell) -> bool {
    let (check, headnode) = (at.name("login"), &at.headnode.name);
    let ask =
        Ask { script: ":", args: Vec::new(), stdin: &[], more: None, limit: NOTHING, keep: 1 };
    match shell.run(ask).await {
        Ok(Ran::Ended(answer)) if answer.code == Some(0) => {}
        Ok(Ran::Ended(answer)) => {
            let said = answer.stderr.lines().next().unwrap_or("it has said nothing");
            let text = format!("a command that does nothing does not work on {headnode}: {said}");
            report.fail(&check, text, "it needs /bin/sh, env, timeout and head, of coreutils");
            return false;
        }
        Ok(Ran::TimedOut) => {
            let seconds = NOTHING.as_secs();
            let text = format!("a command that does nothing takes longer than {seconds} s there");
            report.fail(
                &check,
                text,
                "see what the files of its login shell do, such as ~/.bashrc",
            );
            return false;
        }
        Err(fault) => {
            report.fault(&check, &fault, "see what the files of its login shell do");
            return false;
        }
    }
    let Heard { noise, noise_in_answers, .. } = shell.heard();
    let noise = noise.unwrap_or_default();
    let line = noise.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.is_empty() {
        report.ok(&check, "a login prints nothing before it runs a command");
        return true;
    }
    let line: String = line.chars().take(200).collect();
    let hint = "print only where somebody reads it: put this at the top of ~/.bashrc there (or \
                see /etc/profile.d): case $- in *i*) ;; *) return ;; esac";
    if noise_in_answers && matches!(at.headnode.ship, Ship::Copy) {
        let text = format!(
            "a login on {headnode} prints before it runs a command, which breaks copying: {line}"
        );
        report.fail(&check, text, hint);
    } else {
        let text = format!("a login on {headnode} prints before it runs a command: {line}");
        report.warn(&check, text, hint);
    }
    true
}
