//! Checks of where results go.

use nix::unistd::{AccessFlags, Gid, Group, access, getegid, geteuid, getgroups};

use super::Report;
use super::state::as_owner;
use crate::cli::disk;
use crate::config::ResultsSettings;

pub(super) fn results(report: &mut Report, results: &ResultsSettings) {
    if results.fetch.is_empty() {
        report.ok("results", "nothing is fetched: results stay where the case ran");
    } else {
        folder(report, results);
    }
    if let Some(name) = &results.group {
        group(report, name);
    }
}

fn folder(report: &mut Report, results: &ResultsSettings) {
    let shown = results.to.display();
    let folder = disk::nearest(&results.to);
    if !folder.is_dir() {
        let text = format!("{} is not a folder, so {shown} cannot be made", folder.display());
        return report.fail("results", text, "correct results.to");
    }
    if access(&folder, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let text = format!("{} cannot be written to", folder.display());
        let hint = as_owner(&folder);
        return report.fail("results", text, hint);
    }
    let will = if folder == results.to { "can be written to" } else { "is made when needed" };
    let free = disk::free(&folder).map(|free| format!("; {free} are free")).unwrap_or_default();
    report.ok("results", format!("{shown} {will}{free}"));
}

fn group(report: &mut Report, name: &str) {
    const CHECK: &str = "results.group";
    match Group::from_name(name) {
        Ok(Some(group)) if is_ours(group.gid) => {
            report.ok(CHECK, format!("the group {name} is there and ours to give"));
        }
        Ok(Some(_)) => {
            let text = format!("we are not in the group {name}, so results cannot be given to it");
            report.fail(CHECK, text, format!("sudo usermod -aG {name} \"$(id -un)\""));
        }
        Ok(None) => {
            let text = format!("there is no group {name}");
            report.fail(CHECK, text, format!("sudo groupadd {name}"));
        }
        Err(errno) => {
            let text = format!("the group {name} cannot be looked up: {errno}");
            report.fail(CHECK, text, "see /etc/nsswitch.conf");
        }
    }
}

fn is_ours(gid: Gid) -> bool {
    geteuid().is_root() || getegid() == gid || getgroups().is_ok_and(|groups| groups.contains(&gid))
}
