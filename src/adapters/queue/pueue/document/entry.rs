//! Owns what is read of one entry of the list and of one group: whose it is and what it
//! says. All else in it is passed over as it is read, whatever it is.

use std::borrow::Cow;

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::QueueWord;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess};

use super::any::{Any, Of};
use crate::adapters::host::names::is_plain_id;

/// What every label of ours begins with.
const OURS: &str = "dw-";

/// What every command of ours has in it.
const OUR_JOBS: &str = "/.daylily-watch/dw-";

/// No name of a variant is as long.
const LONGEST_NAME: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) label: Label,
    /// None: it has no status that is one.
    pub(super) says: Option<QueueWord>,
    /// Something in it reads like the command of a job of ours.
    pub(super) is_our_job: bool,
}

#[derive(Debug, Default)]
pub(super) enum Label {
    Ours(AttemptId),
    /// Text that is no label of ours, or null.
    Others,
    /// It is not there, or is neither.
    #[default]
    None,
}

pub(super) struct OneEntry;

impl Of for OneEntry {
    type Read = Entry;

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut entry = Entry::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "label" => {
                    let (label, is_our_job) = map.next_value_seed(Any(LabelOf))?;
                    entry.label = label;
                    entry.is_our_job |= is_our_job;
                }
                "status" => entry.says = map.next_value_seed(Any(StatusOf))?,
                _ => entry.is_our_job |= map.next_value_seed(Any(NamesOurJob))?,
            }
        }
        Ok(entry)
    }

    fn list<'de, A: SeqAccess<'de>>(self, list: A) -> Result<Entry, A::Error> {
        let is_our_job = NamesOurJob.list(list)?;
        Ok(Entry { is_our_job, ..Entry::default() })
    }

    fn text<E: Error>(self, text: &str) -> Result<Entry, E> {
        let is_our_job = NamesOurJob.text(text)?;
        Ok(Entry { is_our_job, ..Entry::default() })
    }

    fn other<E: Error>(self) -> Result<Entry, E> {
        Ok(Entry::default())
    }
}

/// The label, and whether it names a job of ours although it is no text.
struct LabelOf;

impl Of for LabelOf {
    type Read = (Label, bool);

    fn map<'de, A: MapAccess<'de>>(self, map: A) -> Result<Self::Read, A::Error> {
        Ok((Label::None, NamesOurJob.map(map)?))
    }

    fn list<'de, A: SeqAccess<'de>>(self, list: A) -> Result<Self::Read, A::Error> {
        Ok((Label::None, NamesOurJob.list(list)?))
    }

    fn text<E: Error>(self, text: &str) -> Result<Self::Read, E> {
        let is_ours = text.starts_with(OURS) && is_plain_id(text);
        Ok((if is_ours { Label::Ours(AttemptId::new(text)) } else { Label::Others }, false))
    }

    fn null<E: Error>(self) -> Result<Self::Read, E> {
        Ok((Label::Others, false))
    }

    fn other<E: Error>(self) -> Result<Self::Read, E> {
        Ok((Label::None, false))
    }
}

/// Whether any text in a value has the command of a job of ours in it.
struct NamesOurJob;

impl Of for NamesOurJob {
    type Read = bool;

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut names = false;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            names |= key.contains(OUR_JOBS);
            names |= map.next_value_seed(Any(NamesOurJob))?;
        }
        Ok(names)
    }

    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let mut names = false;
        while let Some(inside) = list.next_element_seed(Any(NamesOurJob))? {
            names |= inside;
        }
        Ok(names)
    }

    fn text<E: Error>(self, text: &str) -> Result<bool, E> {
        Ok(text.contains(OUR_JOBS))
    }

    fn other<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// The status of version 3 is a word or `{"Done": result}`, that of version 4 a word's
/// own map, where Done has its result inside.
struct StatusOf;

impl Of for StatusOf {
    type Read = Option<QueueWord>;

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Read, A::Error> {
        let mut says = None;
        let mut variants = 0_u32;
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            variants = variants.saturating_add(1);
            says = Some(if name == "Done" {
                ended(map.next_value_seed(Any(ResultOf))?.as_deref())
            } else {
                map.next_value::<IgnoredAny>()?;
                goes_on(&name)
            });
        }
        Ok(says.filter(|_| variants == 1))
    }

    fn text<E: Error>(self, text: &str) -> Result<Self::Read, E> {
        Ok(Some(if text == "Done" { ended(None) } else { goes_on(text) }))
    }

    fn other<E: Error>(self) -> Result<Self::Read, E> {
        Ok(None)
    }
}

fn ended(result: Option<&str>) -> QueueWord {
    match result {
        Some("Killed" | "Errored") => QueueWord::Killed,
        Some("FailedToSpawn") => QueueWord::FailedToSpawn,
        Some(_) | None => QueueWord::Done,
    }
}

fn goes_on(name: &str) -> QueueWord {
    match name {
        // Paused is a process that was begun and stopped: pueue pauses nothing else.
        "Running" | "Paused" => QueueWord::Running,
        // Queued, Stashed, Locked, and whatever a later version has: not over.
        _ => QueueWord::Waiting,
    }
}

/// The variant of what is in Done, or of the result in there.
struct ResultOf;

impl Of for ResultOf {
    type Read = Option<String>;

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Read, A::Error> {
        let mut own = None;
        let mut result = None;
        let mut variants = 0_u32;
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            variants = variants.saturating_add(1);
            if name == "result" {
                result = Some(map.next_value_seed(Any(Variant))?);
            } else {
                map.next_value::<IgnoredAny>()?;
                own = short(&name);
            }
        }
        Ok(result.unwrap_or_else(|| own.filter(|_| variants == 1)))
    }

    fn text<E: Error>(self, text: &str) -> Result<Self::Read, E> {
        Ok(short(text))
    }

    fn other<E: Error>(self) -> Result<Self::Read, E> {
        Ok(None)
    }
}

/// A variant's name as serde writes it: a word, or a map with one key.
struct Variant;

impl Of for Variant {
    type Read = Option<String>;

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Read, A::Error> {
        let mut own = None;
        let mut variants = 0_u32;
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            variants = variants.saturating_add(1);
            map.next_value::<IgnoredAny>()?;
            own = short(&name);
        }
        Ok(own.filter(|_| variants == 1))
    }

    fn text<E: Error>(self, text: &str) -> Result<Self::Read, E> {
        Ok(short(text))
    }

    fn other<E: Error>(self) -> Result<Self::Read, E> {
        Ok(None)
    }
}

fn short(name: &str) -> Option<String> {
    (name.len() <= LONGEST_NAME).then(|| name.to_owned())
}

/// A group as the list has it.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) status: Option<String>,
    pub(super) places: Option<u64>,
}

pub(super) struct OneGroup;

impl Of for OneGroup {
    type Read = Group;

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Group, A::Error> {
        let mut group = Group::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "status" => group.status = map.next_value_seed(Any(Variant))?,
                "parallel_tasks" => group.places = map.next_value_seed(Any(Places))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(group)
    }

    fn other<E: Error>(self) -> Result<Group, E> {
        Ok(Group::default())
    }
}

struct Places;

impl Of for Places {
    type Read = Option<u64>;

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Read, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn number<E: Error>(self, number: u64) -> Result<Self::Read, E> {
        Ok(Some(number))
    }

    fn other<E: Error>(self) -> Result<Self::Read, E> {
        Ok(None)
    }
}
