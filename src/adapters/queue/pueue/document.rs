//! Owns what `pueue status --json` means, of versions 3 and 4 alike. It takes every
//! shape: what belongs to others is passed over whatever it looks like, what is missing
//! is done without, a status that is not known lives. Only where nothing could be said
//! of our own entries is a document not understood.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use daylily_lifecycle::ids::{AttemptId, GroupName, TaskId};
use daylily_lifecycle::outcome::QueueWord;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::adapters::host::names::is_plain_id;
use crate::adapters::queue::{GroupLook, QueueLook, Word};

/// What every label of ours begins with.
const OURS: &str = "dw-";

/// What every command of ours has in it.
const OUR_JOBS: &str = "/.daylily-watch/dw-";

/// Why a document tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    #[error("it is no JSON: {0}")]
    NoJson(String),
    #[error("it has no list of tasks")]
    NoTasks,
    #[error("entry {task}, which is ours, has no {what} that is one")]
    OurEntry { task: String, what: &'static str },
}

/// Reads a document. Lines before it are warnings of the client.
pub fn read(bytes: &[u8]) -> Result<QueueLook, Odd> {
    let start = bytes.split_inclusive(|&b| b == b'\n').scan(0, |at, line| {
        let begins = *at;
        *at += line.len();
        Some((begins, line))
    });
    let document = start
        .filter(|(_, line)| line.trim_ascii_start().starts_with(b"{"))
        .map(|(begins, _)| &bytes[begins..])
        .next()
        .ok_or_else(|| Odd::NoJson("nothing in it begins like that".to_owned()))?;
    let mut json = serde_json::Deserializer::from_slice(document);
    let mut list = List::default();
    Whole(&mut list).deserialize(&mut json).and_then(|()| json.end()).map_err(
        |error| match error.is_data() {
            true => Odd::NoTasks,
            false => Odd::NoJson(error.to_string()),
        },
    )?;
    if let Some(odd) = list.odd {
        return Err(odd);
    }
    if !list.has_tasks {
        return Err(Odd::NoTasks);
    }
    let words = list.words.into_iter().map(|(label, ours)| (label, ours.word())).collect();
    Ok(QueueLook { words, groups: list.groups, entries: list.entries, instance: None })
}

/// What was read so far. Tasks are read one after the other: a list of others' entries
/// is never in memory as a whole.
#[derive(Default)]
struct List {
    has_tasks: bool,
    entries: u64,
    words: BTreeMap<AttemptId, Ours>,
    groups: Option<BTreeMap<GroupName, GroupLook>>,
    odd: Option<Odd>,
}

/// The entries of one label.
struct Ours {
    says: QueueWord,
    task: TaskId,
    copies: u32,
}

impl Ours {
    fn word(self) -> Word {
        Word { says: self.says, task: Some(self.task), copies: self.copies }
    }
}

impl List {
    fn take(&mut self, task: &str, entry: &Value) {
        self.entries += 1;
        let label = match entry.get("label") {
            Some(Value::String(label)) => label,
            // Every version has a label, if only null. One that keeps it elsewhere must not
            // make ours look absent.
            None | Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))
                if entry.to_string().contains(OUR_JOBS) =>
            {
                return self.is_odd(task, "label");
            }
            Some(_) | None => return,
        };
        if !label.starts_with(OURS) || !is_plain_id(label) {
            return;
        }
        let Some(says) = entry.get("status").and_then(says) else {
            return self.is_odd(task, "status");
        };
        let task = TaskId::new(task);
        match self.words.get_mut(&AttemptId::new(label)) {
            None => {
                self.words.insert(AttemptId::new(label), Ours { says, task, copies: 1 });
            }
            Some(ours) => {
                ours.copies = ours.copies.saturating_add(1);
                if weight(says) > weight(ours.says) {
                    (ours.says, ours.task) = (says, task);
                }
            }
        }
    }

    fn is_odd(&mut self, task: &str, what: &'static str) {
        self.odd.get_or_insert(Odd::OurEntry { task: task.to_owned(), what });
    }
}

/// Of several entries with one label, which speaks for it: what lives says more than
/// what is over, and an end says more than that it never began.
fn weight(says: QueueWord) -> u8 {
    match says {
        QueueWord::Running => 5,
        QueueWord::Waiting => 4,
        QueueWord::Done => 3,
        QueueWord::Killed => 2,
        QueueWord::FailedToSpawn => 1,
        QueueWord::Absent | QueueWord::Unreadable => 0,
    }
}

/// The status of version 3 is a word or `{"Done": result}`, that of version 4 a word's
/// own map, where Done has its result inside.
fn says(status: &Value) -> Option<QueueWord> {
    let (name, inside) = variant(status)?;
    Some(match name {
        // Paused is a process that was begun and stopped: pueue pauses nothing else.
        "Running" | "Paused" => QueueWord::Running,
        "Done" => {
            let result = inside.map(|inside| inside.get("result").unwrap_or(inside));
            match result.and_then(variant) {
                Some(("Killed" | "Errored", _)) => QueueWord::Killed,
                Some(("FailedToSpawn", _)) => QueueWord::FailedToSpawn,
                Some(_) | None => QueueWord::Done,
            }
        }
        // Queued, Stashed, Locked, and whatever a later version has: not over.
        _ => QueueWord::Waiting,
    })
}

/// A variant as serde writes it: its name, and what is in it.
fn variant(value: &Value) -> Option<(&str, Option<&Value>)> {
    match value {
        Value::String(name) => Some((name, None)),
        Value::Object(map) => {
            let (name, inside) = map.iter().next()?;
            (map.len() == 1).then_some((name, Some(inside)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// None where one of the groups cannot be read: then nothing is said of any.
fn groups(value: &Value) -> Option<BTreeMap<GroupName, GroupLook>> {
    let group = |(name, group): (&String, &Value)| {
        let (status, _) = group.get("status").and_then(variant)?;
        let places = group.get("parallel_tasks").and_then(Value::as_u64)?;
        // Reset: its entries are being ended, and none is begun.
        let paused = matches!(status, "Paused" | "Reset");
        let places = u32::try_from(places).ok()?;
        Some((GroupName::new(name), GroupLook { paused, places }))
    };
    value.as_object()?.iter().map(group).collect()
}

/// The document.
struct Whole<'l>(&'l mut List);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "tasks" => map.next_value_seed(Tasks(&mut *self.0))?,
                "groups" => self.0.groups = groups(&map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The map in it from id to entry.
struct Tasks<'l>(&'l mut List);

impl<'de> DeserializeSeed<'de> for Tasks<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tasks<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tasks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.has_tasks = true;
        while let Some(task) = map.next_key::<Cow<'_, str>>()? {
            let entry: Value = map.next_value()?;
            self.0.take(&task, &entry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
