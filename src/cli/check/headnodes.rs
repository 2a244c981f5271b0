//! Checks of where cases run.

use std::path::Path;
use std::sync::Arc;

use daylily_lifecycle::ids::PipelineName;
use daylily_lifecycle::policy::HeadnodeState;
use nix::unistd::{AccessFlags, access};

use super::state::as_owner;
use super::{Known, Report};
use crate::adapters::host::proof::{Logout, Proof, Survived, logout, prove, survives};
use crate::adapters::host::shell::{Ask, Ran, SHORT, Shell};
use crate::app;
use crate::cli::disk;
use crate::config::{
    HeadnodeSettings, HostAddress, PipelineSettings, QueueKind, RuleSettings, Settings,
};
use crate::store::read::Reader;

/// From here on times of both sides, put beside each other, mislead.
const MUCH_SKEW_MS: i64 = 2_000;

pub(super) async fn headnode(
    report: &mut Report,
    settings: &Settings,
    headnode: &HeadnodeSettings,
    reader: Option<&Reader>,
    known: Known,
) {
    let name = |what: &str| format!("headnode.{}{what}", headnode.name);
    standing(report, &name(""), headnode, reader);
    groups(report, &name(".groups"), headnode);
    let shell = app::shell(headnode);
    let found = match &headnode.host {
        HostAddress::Local => here(report, &name(".work_dir"), &headnode.work_dir),
        HostAddress::Ssh(_) => there(report, headnode, &shell).await,
    };
    if let Some(folder) = found {
        let work_dir = headnode.work_dir.to_string_lossy();
        match prove(&shell, &folder, &work_dir).await {
            Ok(proofs) => proven(report, headnode, &proofs, reader, known),
            Err(fault) => {
                let hint = "see whether /bin/sh runs and the file system answers";
                report.fail(&name(".proofs"), fault.text, hint);
            }
        }
        if headnode.queue == QueueKind::Pueue {
            let pueue = app::pueue_settings(headnode, settings);
            super::pueue::pueue(report, &name(".pueue"), headnode, &pueue, &shell).await;
        }
        commands(report, &name(".command"), settings, headnode, &shell).await;
        survival(report, &name(".jobs"), &shell, &folder).await;
    }
    shell.close().await;
}

/// The nearest folder to a work_dir on this machine that is there, where it will do.
fn here(report: &mut Report, check: &str, work_dir: &Path) -> Option<String> {
    let folder = disk::nearest(work_dir);
    if !folder.is_dir() {
        let text = format!("{} is in its place and is not a folder", folder.display());
        report.fail(check, text, "correct work_dir");
        return None;
    }
    if access(&folder, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let text = format!("{} cannot be written to", folder.display());
        report.fail(check, text, as_owner(&folder));
        return None;
    }
    let will = if folder == *work_dir { "can be written to" } else { "is made at the first start" };
    let free = disk::free(&folder).map(|free| format!("; {free} are free")).unwrap_or_default();
    report.ok(check, format!("{} {will}{free}", work_dir.display()));
    Some(folder.to_string_lossy().into_owned())
}

/// The same over ssh, with what is to be known of the way there.
async fn there(
    report: &mut Report,
    headnode: &HeadnodeSettings,
    shell: &Arc<dyn Shell>,
) -> Option<String> {
    let name = |what: &str| format!("headnode.{}.{what}", headnode.name);
    // Ends with 1: no folder is in its place, 2: it cannot be written to.
    let script = "d=$1; while [ ! -e \"$d\" ] && [ \"$d\" != / ]; do d=$(dirname -- \"$d\"); done
        printf %s \"$d\"; [ -d \"$d\" ] || exit 1; [ -w \"$d\" ] && [ -x \"$d\" ] || exit 2";
    let work_dir = headnode.work_dir.to_string_lossy().into_owned();
    let ask =
        Ask { script, args: vec![work_dir.clone()], stdin: &[], limit: SHORT, keep: 64 << 10 };
    let answer = match shell.run(ask).await {
        Ok(Ran::Ended(answer)) => answer,
        Ok(Ran::TimedOut) => {
            let text = format!("{work_dir} does not answer");
            report.fail(&name("work_dir"), text, "see whether its file system does");
            return None;
        }
        Err(fault) => {
            report.error(&name("ssh"), &fault);
            return None;
        }
    };
    let heard = shell.heard();
    report.ok(&name("ssh"), "it can be reached");
    if let Some(noise) = heard.noise {
        let first = noise.lines().next().unwrap_or_default();
        let text = format!("the login shell prints before it runs anything: {first}");
        let hint = "let it print only to terminals; rsync cannot do with it";
        report.warn(&name("login"), text, hint);
    }
    match heard.clock_skew_ms {
        Some(skew) if skew.abs() > MUCH_SKEW_MS => {
            let way = if skew > 0 { "before" } else { "behind" };
            let text = format!("its clock is {} s {way} ours", skew.abs() / 1000);
            report.warn(&name("clock"), text, "have both follow a time server");
        }
        Some(_) | None => {}
    }
    let folder = String::from_utf8_lossy(&answer.stdout).into_owned();
    match answer.code {
        Some(0) if folder == work_dir => {
            report.ok(&name("work_dir"), format!("{work_dir} can be written to"));
        }
        Some(0) => report.ok(&name("work_dir"), format!("{work_dir} is made at the first start")),
        Some(1) => {
            let text = format!("{folder} is in its place and is not a folder");
            report.fail(&name("work_dir"), text, "correct work_dir");
        }
        Some(_) | None => {
            let text = format!("{folder} cannot be written to");
            let hint = "make work_dir there and give it to the user who logs in";
            report.fail(&name("work_dir"), text, hint);
        }
    }
    (answer.code == Some(0)).then_some(folder)
}

/// Whether what the pipelines of this headnode run is there. A warning only: a setup, or
/// the command itself, may yet make it so.
async fn commands(
    report: &mut Report,
    check: &str,
    settings: &Settings,
    headnode: &HeadnodeSettings,
    shell: &Arc<dyn Shell>,
) {
    let here: Vec<_> =
        settings.intakes.iter().filter(|intake| intake.headnode == headnode.name).collect();
    let is_used = |name: &PipelineName| {
        here.iter().any(|intake| match &intake.pipeline {
            Some(pipeline) => pipeline == name,
            None => {
                let by_rule = |rule: &RuleSettings| rule.pipeline.as_ref() == Some(name);
                name.as_str() == "default" || settings.rules.iter().any(by_rule)
            }
        })
    };
    for (name, pipeline) in settings.pipelines.iter().filter(|(name, _)| is_used(name)) {
        let Some(word) = command_word(pipeline) else { continue };
        let mut args = pipeline.shell.clone();
        args.push(format!("command -v {word}"));
        let script = "exec \"$@\" >/dev/null 2>&1";
        let ask = Ask { script, args, stdin: &[], limit: SHORT, keep: 1 };
        if let Ok(Ran::Ended(answer)) = shell.run(ask).await
            && answer.code != Some(0)
        {
            let text = format!("{word} is not found in PATH of the headnode (pipeline {name})");
            let hint = format!("set headnodes[].path or pipelines.{name}.setup");
            report.warn(check, text, hint);
        }
    }
}

/// What a pipeline runs first, where that is a plain word and nothing else says where
/// programs are.
fn command_word(pipeline: &PipelineSettings) -> Option<&str> {
    let shell = pipeline.shell.first()?.rsplit('/').next()?;
    if !["sh", "bash", "dash", "ksh", "zsh"].contains(&shell)
        || pipeline.setup.is_some()
        || pipeline.env.contains_key("PATH")
    {
        return None;
    }
    let mut lines = pipeline.command.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let word = line.split([' ', '\t', ';']).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+');
    let begins = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    (begins && word.chars().all(plain)).then_some(word)
}

fn standing(
    report: &mut Report,
    check: &str,
    headnode: &HeadnodeSettings,
    reader: Option<&Reader>,
) {
    let stored = reader.and_then(|reader| reader.headnode(&headnode.name).ok().flatten());
    match stored.map(|stored| stored.state) {
        Some(HeadnodeState::Broken { because, .. }) => {
            let because = because.lines().next().unwrap_or_default().to_owned();
            let hint = format!("daylily-watch resume --headnode {}", headnode.name);
            report.fail(check, format!("it is set aside: {because}"), hint);
        }
        Some(HeadnodeState::Unreachable { because, .. }) => {
            let because = because.lines().next().unwrap_or_default().to_owned();
            let hint = "it is tried again by itself";
            report.fail(check, format!("it has not answered: {because}"), hint);
        }
        Some(HeadnodeState::Ok) | None => {}
    }
}

fn groups(report: &mut Report, check: &str, headnode: &HeadnodeSettings) {
    let groups = headnode.groups.iter().map(|group| {
        let gpus = group.slots.iter().flatten().count();
        let what = if gpus > 0 { "GPU" } else { "place" };
        let many = if group.slots.len() == 1 { "" } else { "s" };
        format!("{} with {} {what}{many}", group.name, group.slots.len())
    });
    report.ok(check, groups.collect::<Vec<_>>().join(", "));
}

fn proven(
    report: &mut Report,
    headnode: &HeadnodeSettings,
    proofs: &[Proof],
    reader: Option<&Reader>,
    known: Known,
) {
    let name = |what: &str| format!("headnode.{}.{what}", headnode.name);
    let mut works = Vec::new();
    for proof in proofs {
        match (proof.name.as_str(), proof.works) {
            ("owner", _) => owner(report, &name("owner"), headnode, proof, reader, known),
            ("programs", true) => {
                report.ok(&name("programs"), "every program that is needed is there")
            }
            ("programs", false) => {
                let text = format!("missing: {}", proof.said);
                let hint = "apt install util-linux coreutils findutils grep, or add their \
                            folder to `path`";
                report.fail(&name("programs"), text, hint);
            }
            ("proc", true) | ("write", true) => {}
            ("proc", false) => report.fail(
                &name("proc"),
                "/proc cannot be read, so nobody can tell whether a job lives",
                "mount -t proc proc /proc",
            ),
            (what, true) => works.push(what),
            (what, false) => {
                let said = if proof.said.is_empty() { "it does not" } else { proof.said.as_str() };
                let text = format!("{what} must work in work_dir: {said}");
                let hint = "set work_dir to a file system with links, locks and renames, and \
                            install util-linux, coreutils, findutils and grep of GNU";
                report.fail(&name("proofs"), text, hint);
            }
        }
    }
    if !works.is_empty() {
        report.ok(&name("proofs"), format!("these work in work_dir: {}", works.join(", ")));
    }
}

/// Whose work_dir it is.
fn owner(
    report: &mut Report,
    check: &str,
    headnode: &HeadnodeSettings,
    proof: &Proof,
    reader: Option<&Reader>,
    known: Known,
) {
    let file = headnode.work_dir.join(".daylily-watch/owner");
    let mut words = proof.said.split_whitespace();
    let (Some(id), Some(Ok(generation))) = (words.next(), words.next().map(str::parse::<u64>))
    else {
        let text = format!("{} cannot be read", file.display());
        return report.fail(check, text, "see its rights; it must be ours");
    };
    if known == Known::Unreadable {
        let text = "whose work_dir it is cannot be told, because the database cannot be used";
        return report.warn(check, text, "mend that first");
    }
    let ours = reader.and_then(|reader| reader.about().ok());
    match ours {
        Some(about) if about.database.as_str() == id && generation <= about.generation.0 => {
            report.ok(check, "work_dir is ours");
        }
        Some(about) if about.database.as_str() == id => report.fail(
            check,
            "work_dir was used by a later start of this database",
            "a second daemon runs, or an old database was restored",
        ),
        None => report.fail(
            check,
            format!("work_dir was used with the database {id}, and there is none in state_dir"),
            "correct state_dir or put the last backup there; else use a work_dir of its own",
        ),
        Some(_) => report.fail(
            check,
            format!("work_dir belongs to another database, {id}"),
            "give this daemon a work_dir of its own, or correct state_dir",
        ),
    }
}

async fn survival(report: &mut Report, check: &str, shell: &Arc<dyn Shell>, folder: &str) {
    let survived = match survives(shell, folder).await {
        Ok(survived) => survived,
        Err(fault) => return report.fail(check, fault.text, "see whether setsid is there"),
    };
    let way = match survived {
        Survived::Scope => "a scope of its own",
        Survived::Session => "a session of its own",
        Survived::No => {
            let text = "what was started did not outlive its starter";
            return report.fail(check, text, "apt install util-linux; see `ulimit -u`");
        }
    };
    report.ok(check, format!("a job in {way} outlives its starter"));
    let check = &format!("{check}.logout");
    match logout(shell).await {
        Ok(Logout::Systemd { linger: false, user, .. }) if survived == Survived::Scope => {
            let text = format!("jobs of {user} are ended when {user} logs out everywhere");
            report.warn(check, text, format!("loginctl enable-linger {user}"));
        }
        Ok(Logout::Systemd { linger: false, kills: true, user }) => {
            let text = format!("KillUserProcesses ends jobs of {user} with the login");
            report.warn(check, text, format!("loginctl enable-linger {user}"));
        }
        Ok(Logout::Systemd { .. } | Logout::Nothing) => {
            report.ok(check, "no logout ends a job");
        }
        Err(fault) => {
            let hint = "jobs may end with the login that started the daemon";
            report.warn(check, fault.text, hint);
        }
    }
}
