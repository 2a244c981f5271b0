//! Whether the queue takes jobs: pueue, its daemon, and the groups that it must have.

use daylily_lifecycle::explain::pueue_client;
use daylily_lifecycle::ids::GroupName;
use daylily_lifecycle::outcome::Fault;

use super::jobs::{Ends, ends_at_logout};
use super::{At, Report};
use crate::adapters::host::shell::Shell;
use crate::adapters::queue::pueue::proof::{Daemon, Examined, List, examine};
use crate::config::{GroupSettings, QueueKind};

/// What may be expected of the queue when a job is tried.
pub(super) enum Found {
    /// It keeps no list and has no groups.
    Direct,
    Pueue(List),
    /// It was told why no job would run.
    Nothing,
}

impl Found {
    /// Why nothing would begin in a group, where that is known already.
    pub(super) fn closed(&self, group: &GroupName) -> Option<String> {
        let Self::Pueue(list) = self else { return None };
        match list.look.groups.as_ref()?.get(group) {
            None => Some(format!("pueue has no group {group}")),
            Some(look) if look.paused => Some(format!("group {group} is paused")),
            Some(_) => None,
        }
    }

    /// How many places of a group there are, where all of them are taken.
    pub(super) fn taken(&self, group: &GroupName) -> Option<u32> {
        let Self::Pueue(list) = self else { return None };
        let places = list.look.groups.as_ref()?.get(group)?.places;
        let running = list.running.get(group).copied().unwrap_or(0);
        // None at all means no limit.
        (places > 0 && running >= places).then_some(places)
    }
}

pub(super) async fn queue(report: &mut Report, at: &At<'_>, shell: &dyn Shell) -> Found {
    match at.headnode.queue {
        QueueKind::Direct => return Found::Direct,
        QueueKind::Pueue => {}
        QueueKind::Slurm => return Found::Nothing,
    }
    let check = at.name("pueue");
    let command = &at.headnode.pueue.command;
    let examined = match examine(shell, &at.headnode.name, command).await {
        Ok(examined) => examined,
        Err(fault) => {
            told(report, at, &fault);
            return Found::Nothing;
        }
    };
    let majors = other_majors(at, &examined);
    let answers = examined.daemons.first().cloned();
    let list = match (majors, examined.list) {
        (Some((text, hint)), _) => {
            report.fail(&check, text, hint);
            return Found::Nothing;
        }
        (None, Err(fault)) => {
            told(report, at, &fault);
            return Found::Nothing;
        }
        (None, Ok(list)) => list,
    };
    let of = |version: &Option<String>| {
        version.as_ref().map(|version| format!(" {version}")).unwrap_or_default()
    };
    let daemon = answers.as_ref().map(|daemon| of(&daemon.version)).unwrap_or_default();
    let many = if list.look.entries == 1 { "entry" } else { "entries" };
    let text =
        format!("pueue{} and pueued{daemon}, {} {many}", of(&examined.client), list.look.entries);
    report.ok(&check, text);
    for group in &at.headnode.groups {
        one_group(report, at, group, &list);
    }
    if let Some(daemon) = answers {
        survival(report, at, &daemon, shell).await;
    }
    Found::Pueue(list)
}

/// What pueue's client did not do. There a hint names the headnode: here it need not.
fn told(report: &mut Report, at: &At<'_>, fault: &Fault) {
    let mut fault = fault.clone();
    if at.is_local() {
        let where_to = format!("hint: on {}: ", at.headnode.name);
        fault.text = fault.text.replace(&where_to, "hint: ");
    }
    let otherwise = at.there(&format!("{} status", client(at)));
    report.fault(&at.name("pueue"), &fault, &otherwise);
}

/// pueue's client, as a person calls it there.
pub(super) fn client(at: &At<'_>) -> String {
    let config = at.headnode.env.get("PUEUE_CONFIG_PATH").map(String::as_str);
    pueue_client(&at.headnode.pueue.command, config)
}

/// pueue's two halves understand each other only within one major version.
fn other_majors(at: &At<'_>, examined: &Examined) -> Option<(String, String)> {
    let client = examined.client.as_deref()?;
    let daemon = examined.daemons.first()?.version.as_deref()?;
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_owned();
    if major(client) == major(daemon) {
        return None;
    }
    let text = format!(
        "pueue on {} is {client}, and pueued, which runs, is {daemon}: another major version, \
         so they do not understand each other",
        at.headnode.name
    );
    let hint = at.there(&format!(
        "cargo install pueue --locked --version {}, then restart pueued when none of its jobs runs",
        newer(client, daemon)
    ));
    Some((text, hint))
}

fn newer<'a>(one: &'a str, other: &'a str) -> &'a str {
    let numbers = |version: &str| {
        version.split('.').map(|part| part.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>()
    };
    if numbers(one) > numbers(other) { one } else { other }
}

fn one_group(report: &mut Report, at: &At<'_>, group: &GroupSettings, list: &List) {
    let name = &group.name;
    let check = at.name(&format!("group.{name}"));
    let (headnode, pueue) = (&at.headnode.name, client(at));
    let ours = u32::try_from(group.slots.len()).unwrap_or(u32::MAX);
    let group_word = at.word(name.as_str());
    let Some(groups) = &list.look.groups else {
        let text = format!("pueue on {headnode} does not tell which groups it has");
        return report.warn(&check, text, at.there(&format!("{pueue} group")));
    };
    let Some(look) = groups.get(name) else {
        if at.headnode.pueue.create_groups {
            let text = format!("{name} is made with {ours} places at the first contact");
            return report.ok(&check, text);
        }
        let text = format!("pueue on {headnode} has no group {name}");
        let line = format!("{pueue} group add {group_word} --parallel {ours}");
        return report.fail(&check, text, at.there(&line));
    };
    if look.paused {
        let text = format!("group {name} of pueue on {headnode} is paused, so nothing starts");
        let hint = at.there(&format!("{pueue} start -g {group_word}"));
        return if at.headnode.pueue.unpause_after_restart {
            report.warn(&check, text, hint);
        } else {
            report.fail(&check, text, hint);
        };
    }
    if look.places != ours {
        let places =
            if look.places == 0 { "any number".to_owned() } else { look.places.to_string() };
        let text = format!(
            "group {name} of pueue on {headnode} runs {places} at a time, and we have {ours} slots"
        );
        let hint = at.there(&format!("{pueue} parallel -g {group_word} {ours}"));
        return report.warn(&check, text, hint);
    }
    report.ok(&check, format!("{name} runs, with {} places", look.places));
}

/// Whether pueued, and with it every job, ends when its user logs out.
async fn survival(report: &mut Report, at: &At<'_>, daemon: &Daemon, shell: &dyn Shell) {
    let check = at.name("pueue.logout");
    let is_service = daemon.cgroup.contains("/system.slice/");
    let is_of_user = daemon.cgroup.contains("/user@");
    match ends_at_logout(shell, is_of_user).await {
        _ if is_service => report.ok(&check, "pueued is a service of the system"),
        Ok(Ends::Never) => report.ok(&check, "no logout ends pueued"),
        Ok(Ends::WithTheLastLogin(user)) => {
            let text = format!("pueued and its jobs are ended when {user} logs out everywhere");
            report.warn(&check, text, at.there(&format!("loginctl enable-linger {user}")));
        }
        Ok(Ends::WithItsLogin(user)) => {
            let text =
                format!("KillUserProcesses ends pueued with the login that {user} began it in");
            let line = format!(
                "loginctl enable-linger {user} && systemctl --user enable --now pueued, or a \
                 service of the system"
            );
            report.warn(&check, text, at.there(&line));
        }
        Err(fault) => {
            report.warn(&check, fault.text, "pueued may end with the login that began it");
        }
    }
}
