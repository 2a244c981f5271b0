//! Checks of the programs that run on this machine where a headnode is behind ssh.

use super::Report;
use super::headnode::programs::RSYNC_LEAST;
use crate::adapters::host::shell::{Ask, Ran, SHORT, Shell};
use crate::adapters::host::survey::Rsync;
use crate::app;
use crate::config::{HostAddress, Settings, Ship};

/// Prints the first line that each says of itself, or nothing.
const LOOK: &str = "ssh -V 2>&1 | head -n 1; rsync --version 2>&1 | head -n 1";

pub(super) async fn programs(report: &mut Report, settings: &Settings) {
    let far = |host: &HostAddress| matches!(host, HostAddress::Ssh(_));
    if !settings.headnodes.iter().any(|headnode| far(&headnode.host)) {
        return;
    }
    let copies = settings.headnodes.iter().any(|h| far(&h.host) && matches!(h.ship, Ship::Copy));
    let shell = app::shell_here();
    let ask =
        Ask { script: LOOK, args: Vec::new(), stdin: &[], more: None, limit: SHORT, keep: 4096 };
    let said = match shell.run(ask).await {
        Ok(Ran::Ended(answer)) => String::from_utf8_lossy(&answer.stdout).into_owned(),
        Ok(Ran::TimedOut) => String::new(),
        Err(fault) => return report.fault("program.ssh", &fault, "see whether /bin/sh runs"),
    };
    let (ssh, rsync) = said.split_once('\n').unwrap_or((&said, ""));
    let (ssh, rsync) = (ssh.trim(), rsync.lines().next().unwrap_or_default().trim());
    if ssh.starts_with("OpenSSH") {
        report.ok("program.ssh", ssh);
    } else {
        let text = format!("there is no ssh of OpenSSH on this machine: {ssh}");
        report.fail("program.ssh", text, "sudo apt install openssh-client");
    }
    if !copies {
        return;
    }
    match Rsync::version(rsync) {
        Some(version) if version >= RSYNC_LEAST => report.ok("program.rsync", rsync),
        Some(_) => {
            let text = format!("rsync on this machine is too old: {rsync}");
            let (major, minor, patch) = RSYNC_LEAST;
            report.fail(
                "program.rsync",
                text,
                format!("install rsync {major}.{minor}.{patch} or later"),
            );
        }
        None => {
            let text = format!("there is no rsync on this machine: {rsync}");
            report.fail("program.rsync", text, "sudo apt install rsync");
        }
    }
}
