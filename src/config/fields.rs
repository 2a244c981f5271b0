//! Owns what the reader hands on: the values of a section, typed, with their defaults
//! filled in, and still knowing where they stood. It decides nothing about them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::ByteCount;
use jiff::SignedDuration;

use crate::config::error::Position;
use crate::config::kind::Key;
use crate::config::secret::SecretSource;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    /// Wrong, and told so already; whoever meets it keeps quiet about it.
    Bad,
    Flag(bool),
    Count(u64),
    Duration(SignedDuration),
    Rate(ByteCount),
    Mode(u32),
    Text(String),
    Path(PathBuf),
    Secret(SecretSource),
    Variables(BTreeMap<String, String>),
    List(Vec<Item>),
    Named(Vec<(String, Item)>),
    Section(Fields),
}

/// A value and where it stands; a default stands where its section begins.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) at: Position,
    pub(super) path: String,
    pub(super) value: Value,
}

/// Items are equal when they say the same, wherever they say it.
impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// The values of one section, one for each key of its table.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) at: Position,
    pub(super) path: String,
    pub(super) items: Vec<(&'static Key, Item)>,
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        let values = |fields: &Self| -> Vec<Value> {
            fields.items.iter().map(|(_, item)| item.value.clone()).collect()
        };
        values(self) == values(other)
    }
}

/// Each of these is None (or empty) where the value is null or was wrong.
impl Fields {
    pub(super) fn item(&self, key: &str) -> &Item {
        let found = self.items.iter().find(|(known, _)| known.name == key);
        &found.expect("the reader makes an item for every key of the table").1
    }

    pub(super) fn is_bad(&self, key: &str) -> bool {
        self.item(key).value == Value::Bad
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.item(key).value, Value::Flag(true))
    }

    pub(super) fn count(&self, key: &str) -> Option<u64> {
        match self.item(key).value {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    pub(super) fn duration(&self, key: &str) -> Option<SignedDuration> {
        match self.item(key).value {
            Value::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    pub(super) fn rate(&self, key: &str) -> Option<ByteCount> {
        match self.item(key).value {
            Value::Rate(rate) => Some(rate),
            _ => None,
        }
    }

    pub(super) fn mode(&self, key: &str) -> Option<u32> {
        match self.item(key).value {
            Value::Mode(mode) => Some(mode),
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.item(key).value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn path(&self, key: &str) -> Option<&Path> {
        match &self.item(key).value {
            Value::Path(path) => Some(path),
            _ => None,
        }
    }

    pub(super) fn variables(&self, key: &str) -> BTreeMap<String, String> {
        match &self.item(key).value {
            Value::Variables(variables) => variables.clone(),
            _ => BTreeMap::new(),
        }
    }

    pub(super) fn list(&self, key: &str) -> &[Item] {
        match &self.item(key).value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let text = |item: &Item| match &item.value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        self.list(key).iter().filter_map(text).collect()
    }

    pub(super) fn sections(&self, key: &str) -> Vec<&Fields> {
        self.list(key).iter().filter_map(Item::section).collect()
    }

    pub(super) fn named(&self, key: &str) -> Vec<(&str, &Fields)> {
        match &self.item(key).value {
            Value::Named(named) => named
                .iter()
                .filter_map(|(name, item)| Some((name.as_str(), item.section()?)))
                .collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn section(&self, key: &str) -> Option<&Fields> {
        self.item(key).section()
    }

    /// For when every problem was told and there was none.
    pub(super) fn below(&self, key: &str) -> &Fields {
        self.section(key).expect("the table has a section here, and no problem was told")
    }

    /// Wherever the file names one.
    pub(super) fn secrets(&self) -> Vec<SecretSource> {
        self.items.iter().flat_map(|(_, item)| item.secrets()).collect()
    }

    /// A text that is the same for all files that mean the same, defaults written out or not.
    pub(super) fn canonical(&self) -> String {
        let mut text = String::new();
        self.write_canonical(&mut text);
        text
    }

    /// What each key says, defaults written out.
    pub(super) fn said(&self) -> BTreeMap<String, String> {
        let canonical = self.canonical();
        let lines = canonical.lines().filter_map(|line| line.split_once(" = "));
        lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn write_canonical(&self, out: &mut String) {
        for (_, item) in &self.items {
            item.write_canonical(out);
        }
    }
}

impl Item {
    pub(super) fn section(&self) -> Option<&Fields> {
        match &self.value {
            Value::Section(fields) => Some(fields),
            _ => None,
        }
    }

    fn secrets(&self) -> Vec<SecretSource> {
        match &self.value {
            Value::Secret(source) => vec![source.clone()],
            Value::Section(fields) => fields.secrets(),
            Value::List(items) => items.iter().flat_map(Self::secrets).collect(),
            Value::Named(named) => named.iter().flat_map(|(_, item)| item.secrets()).collect(),
            _ => Vec::new(),
        }
    }

    fn write_canonical(&self, out: &mut String) {
        match &self.value {
            Value::Section(fields) => fields.write_canonical(out),
            Value::List(items) => items.iter().for_each(|item| item.write_canonical(out)),
            Value::Named(named) => named.iter().for_each(|(_, item)| item.write_canonical(out)),
            value => {
                // Debug escapes line breaks, so that no value can pass for another line.
                let _ = writeln!(out, "{} = {value:?}", self.path);
            }
        }
    }
}
