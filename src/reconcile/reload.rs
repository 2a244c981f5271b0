//! Owns reading the configuration anew: a file with a mistake changes nothing, and neither
//! does one by which cases that are under way would be looked for somewhere else. What is
//! accepted acts by a new driver; nothing else of the process is begun anew.

use std::path::Path;

use daylily_lifecycle::case::Case;
use daylily_lifecycle::ids::{HeadnodeName, IntakeName};

use super::{Context, Pass, blocking};
use crate::config::changes::{Change, When, changes};
use crate::config::{self, HeadnodeSettings, HostAddress, Settings};
use crate::store::read::Reader;

/// So many cases are named, the others are counted.
const NAMED: usize = 3;

pub(super) struct Reloaded {
    /// The answer to who asked.
    pub(super) told: String,
    /// Nothing is wrong with the file, and nobody is in its way.
    pub(super) taken: bool,
    /// What is to act from now on.
    pub(super) anew: Option<Settings>,
}

/// `only_look`: nothing is to change.
pub(super) async fn reload(context: &Context, reader: &Reader, only_look: bool) -> Pass<Reloaded> {
    let file = context.settings.file.clone();
    let told = |told: String| Ok(Reloaded { told, taken: false, anew: None });
    let new = match blocking(move || config::load(&file)).await {
        Ok(new) => new,
        Err(errors) => {
            return told(format!(
                "the file has mistakes, and what was read before stays:\n{errors}"
            ));
        }
    };
    let old = &context.settings;
    let refusals = refusals(old, &new, &reader.live_cases()?);
    if !refusals.is_empty() {
        let refusals = refusals.join("\n");
        return told(format!("refused, and what was read before stays: {refusals}"));
    }
    let changes = changes(old, &new);
    let text = in_words(&changes, only_look);
    let acts = changes.iter().any(|change| !matches!(change.when, When::Restart | When::NotActive));
    let anew = (acts && !only_look).then(|| new.within(old));
    Ok(Reloaded { told: text, taken: true, anew })
}

fn in_words(changes: &[Change], only_look: bool) -> String {
    if changes.is_empty() {
        return "done: the file says what is in use".to_owned();
    }
    let clauses = [
        (When::Now, "now"),
        (When::LaterCases, "for cases that become complete from now on"),
        (When::NextAttempt, "in jobs that are handed over from now on"),
        (When::Restart, "after a restart"),
        (When::NotActive, "not yet, as its feature is not built"),
    ];
    let acts = if only_look { "would act" } else { "acts" };
    let told = clauses.into_iter().filter_map(|(when, clause)| {
        let keys: Vec<&str> = changes
            .iter()
            .filter(|change| change.when == when)
            .map(|change| change.key_path.as_str())
            .collect();
        (!keys.is_empty()).then(|| format!("{acts} {clause}: {}", keys.join(", ")))
    });
    format!("done: {}", told.collect::<Vec<_>>().join("\n"))
}

/// Why it cannot be: cases are where it no longer points to.
fn refusals(old: &Settings, new: &Settings, live: &[Case]) -> Vec<String> {
    let mut refusals = Vec::new();
    for before in &old.intakes {
        let after = new.intakes.iter().find(|intake| intake.name == before.name);
        let moved = match after {
            Some(after) => points_elsewhere("path", &before.path, &after.path),
            None => Some("is not there any more".to_owned()),
        };
        let of_it: Vec<&Case> = live.iter().filter(|case| case.intake == before.name).collect();
        refusals.extend(moved.and_then(|moved| of_intake(&before.name, &moved, &of_it)));
    }
    for before in &old.headnodes {
        let after = new.headnodes.iter().find(|headnode| headnode.name == before.name);
        let moved = match after {
            Some(after) => headnode_points_elsewhere(before, after),
            None => Some("is not there any more".to_owned()),
        };
        let of_it: Vec<&Case> = live.iter().filter(|case| is_on(case, &before.name)).collect();
        refusals.extend(moved.and_then(|moved| of_headnode(&before.name, &moved, &of_it)));
    }
    refusals
}

/// Where its attempt is, or its next one would be.
fn is_on(case: &Case, headnode: &HeadnodeName) -> bool {
    let attempt = case.attempt().map(|attempt| &attempt.place.headnode);
    attempt.unwrap_or(&case.order.headnode) == headnode
}

fn points_elsewhere(key: &str, before: &Path, after: &Path) -> Option<String> {
    (before != after)
        .then(|| format!("has another {key} ({}, was {})", after.display(), before.display()))
}

fn headnode_points_elsewhere(
    before: &HeadnodeSettings,
    after: &HeadnodeSettings,
) -> Option<String> {
    if before.host != after.host {
        let (after, before) = (address(&after.host), address(&before.host));
        return Some(format!("has another host ({after}, was {before})"));
    }
    if before.queue != after.queue {
        return Some("has another queue".to_owned());
    }
    points_elsewhere("work_dir", &before.work_dir, &after.work_dir)
}

fn address(host: &HostAddress) -> &str {
    match host {
        HostAddress::Local => "local",
        HostAddress::Ssh(host) => host,
    }
}

fn of_intake(name: &IntakeName, moved: &str, of_it: &[&Case]) -> Option<String> {
    let cases = counted(of_it)?;
    Some(format!(
        "intake {name} {moved}, and {cases} from it\nhint: let them end or `cancel` them first \
         (`pause --intake {name}` takes in nothing new), or give the other folder an intake of \
         its own"
    ))
}

fn of_headnode(name: &HeadnodeName, moved: &str, of_it: &[&Case]) -> Option<String> {
    let cases = counted(of_it)?;
    Some(format!(
        "headnode {name} {moved}, and {cases} there\nhint: let them end or `cancel` them first \
         (`drain {name}` begins nothing new), or give the other place a name of its own"
    ))
}

/// None: there is none.
fn counted(cases: &[&Case]) -> Option<String> {
    let are = if cases.len() == 1 { "case is" } else { "cases are" };
    let named: Vec<String> = cases.iter().take(NAMED).map(|case| case.name.to_string()).collect();
    let more = match cases.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!cases.is_empty())
        .then(|| format!("{} {are} under way ({}{more})", cases.len(), named.join(", ")))
}
