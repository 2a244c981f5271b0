//! Owns what `pueue status --json` means, of versions 3 and 4 alike. It takes every
//! shape: what belongs to others is passed over whatever it looks like, what is missing
//! is done without, a status that is not known lives. Only where nothing could be said
//! of our own entries is a document not understood.

mod any;
mod entry;

use std::borrow::Cow;
use std::collections::BTreeMap;

use daylily_lifecycle::ids::{AttemptId, GroupName, TaskId};
use daylily_lifecycle::outcome::QueueWord;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};

use self::any::{Any, Of};
use self::entry::{Entry, Group, Label, OneEntry, OneGroup};
use crate::adapters::queue::{GroupLook, QueueLook, Word};
use crate::tree::shortened;

/// More entries of ours are in no list: there are no more than slots, and what is over.
const MOST_OF_OURS: usize = 100_000;

/// Likewise.
const MOST_GROUPS: usize = 10_000;

/// An id has a few digits.
const LONGEST_ID: usize = 100;

/// Why a document tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    #[error("it is no JSON: {0}")]
    NoJson(String),
    #[error("it has no list of tasks")]
    NoTasks,
    #[error("entry {task}, which is ours, has no {what} that is one")]
    OurEntry { task: String, what: &'static str },
    #[error("it has more than {MOST_OF_OURS} entries of ours")]
    TooMany,
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
    Any(Whole(&mut list)).deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
        match error.is_data() {
            true => Odd::NoTasks,
            false => Odd::NoJson(error.to_string()),
        }
    })?;
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
    fn take(&mut self, task: &str, entry: Entry) {
        self.entries += 1;
        let label = match entry.label {
            Label::Ours(label) => label,
            Label::Others => return,
            // Every version has a label, if only null. One that keeps it elsewhere must not
            // make ours look absent.
            Label::None if entry.is_our_job => return self.is_odd(task, "label"),
            Label::None => return,
        };
        let Some(says) = entry.says else { return self.is_odd(task, "status") };
        if task.len() > LONGEST_ID || task.chars().any(char::is_control) {
            return self.is_odd(task, "id");
        }
        let task = TaskId::new(task);
        let known = self.words.len();
        match self.words.get_mut(&label) {
            None if known >= MOST_OF_OURS => drop(self.odd.get_or_insert(Odd::TooMany)),
            None => drop(self.words.insert(label, Ours { says, task, copies: 1 })),
            Some(ours) => {
                ours.copies = ours.copies.saturating_add(1);
                if weight(says) > weight(ours.says) {
                    (ours.says, ours.task) = (says, task);
                }
            }
        }
    }

    fn is_odd(&mut self, task: &str, what: &'static str) {
        self.odd.get_or_insert_with(|| Odd::OurEntry { task: shortened(task), what });
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

/// The document.
struct Whole<'l>(&'l mut List);

impl Of for Whole<'_> {
    type Read = ();

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "tasks" => map.next_value_seed(Any(Tasks(&mut *self.0)))?,
                "groups" => self.0.groups = map.next_value_seed(Any(Groups))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn other<E: serde::de::Error>(self) -> Result<(), E> {
        Err(E::custom("it is no object"))
    }
}

/// The map in it from id to entry.
struct Tasks<'l>(&'l mut List);

impl Of for Tasks<'_> {
    type Read = ();

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.has_tasks = true;
        while let Some(task) = map.next_key::<Cow<'_, str>>()? {
            let entry = map.next_value_seed(Any(OneEntry))?;
            self.0.take(&task, entry);
        }
        Ok(())
    }

    fn other<E: serde::de::Error>(self) -> Result<(), E> {
        Err(E::custom("it is no object of tasks"))
    }
}

/// The map in it from name to group. None where one of them cannot be read: then nothing is
/// said of any.
struct Groups;

impl Of for Groups {
    type Read = Option<BTreeMap<GroupName, GroupLook>>;

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Read, A::Error> {
        let mut groups = Some(BTreeMap::new());
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let Group { status, places } = map.next_value_seed(Any(OneGroup))?;
            let look = || {
                // Reset: its entries are being ended, and none is begun.
                let paused = matches!(status?.as_str(), "Paused" | "Reset");
                Some(GroupLook { paused, places: u32::try_from(places?).ok()? })
            };
            groups = match (groups, look()) {
                (Some(mut groups), Some(look)) if groups.len() < MOST_GROUPS => {
                    groups.insert(GroupName::new(&*name), look);
                    Some(groups)
                }
                (_, _) => None,
            };
        }
        Ok(groups)
    }

    fn other<E: serde::de::Error>(self) -> Result<Self::Read, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
