//! Owns what differs between two readings of the configuration, key by key, and from when
//! on each difference acts in a daemon that runs.

use super::Settings;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    Now,
    /// What is known of a case already stays as it is.
    LaterCases,
    /// A job that was handed over runs as it is.
    NextAttempt,
    Restart,
    /// Its feature is not built yet.
    NotActive,
}

/// A key that says something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key_path: String,
    pub when: When,
}

/// In the order in which they act.
pub fn changes(old: &Settings, new: &Settings) -> Vec<Change> {
    let keys = old.said.keys().chain(new.said.keys().filter(|key| !old.said.contains_key(*key)));
    let differing = keys.filter(|key| old.said.get(*key) != new.said.get(*key));
    let mut changes: Vec<Change> = differing
        .map(|key| {
            let is_active = [old, new].iter().all(|settings| is_active(settings, key));
            let when = if is_active { when(key) } else { When::NotActive };
            Change { key_path: key.clone(), when }
        })
        .collect();
    changes.sort_by(|a, b| (a.when, &a.key_path).cmp(&(b.when, &b.key_path)));
    changes
}

fn is_active(settings: &Settings, key: &str) -> bool {
    settings.not_active.iter().all(|not| {
        key.strip_prefix(not.key_path.as_str())
            .is_none_or(|rest| !matches!(rest.bytes().next(), None | Some(b'.' | b'[')))
    })
}

/// From when on a key acts.
pub(super) fn when(key: &str) -> When {
    let (first, last) = (first(key), key.rsplit('.').next().unwrap_or(key));
    match (first, last) {
        ("state_dir" | "timezone" | "log", _) => When::Restart,
        ("rules", _) | ("intakes", "headnode" | "group" | "pipeline" | "priority") => {
            When::LaterCases
        }
        // What an attempt is made of.
        ("pipelines", "command" | "shell" | "setup" | "stop" | "env")
        | ("headnodes", "env" | "path" | "umask") => When::NextAttempt,
        _ => When::Now,
    }
}

fn first(key: &str) -> &str {
    key.split(['.', '[']).next().unwrap_or(key)
}
