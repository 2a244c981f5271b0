//! Owns the step from nodes of the file to texts, words and truth values, each checked as
//! it is read. It knows no key. What is wrong is told once, and is None from then on.

use std::collections::BTreeMap;

use super::rules;
use crate::config;
use crate::config::error::{Complaint, Position, Problems, quoted};
use crate::config::keys::{join, refuse_duplicates};
use crate::config::tree::{Content, Entry, Node};
use crate::intake::workset::words;

pub(super) struct Reader<'a> {
    pub(super) problems: &'a mut Problems,
}

/// The first of this name that says something.
pub(super) fn find<'e>(entries: &'e [Entry], key: &str) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.key == key && !entry.value.is_null())
}

/// The same whatever it says.
pub(super) fn any<'e>(entries: &'e [Entry], key: &str) -> Option<&'e Entry> {
    entries.iter().find(|entry| entry.key == key)
}

type Rule = fn(&str) -> Result<(), Complaint>;

impl Reader<'_> {
    /// The entries of a map that has these keys and no others.
    pub(super) fn map<'n>(&mut self, node: &'n Node, path: &str, known: &[&str]) -> &'n [Entry] {
        let Content::Map(entries) = &node.content else {
            self.wrong::<()>(node, path, "a map");
            return &[];
        };
        refuse_duplicates(entries, path, self.problems);
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let near = config::nearest(&entry.key, known.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known here: {}", known.join(", ")),
            };
            let complaint = Complaint::new("unknown key").hint(hint);
            self.problems.add(entry.key_at, join(path, &entry.key), complaint);
        }
        entries
    }

    pub(super) fn text_of(
        &mut self,
        entries: &[Entry],
        path: &str,
        key: &str,
        rule: Rule,
    ) -> Option<String> {
        let entry = find(entries, key)?;
        self.text(entry, &join(path, key), rule)
    }

    /// A scalar as it is written, quoted or not.
    pub(super) fn text(&mut self, entry: &Entry, path: &str, rule: Rule) -> Option<String> {
        match &entry.value.content {
            Content::Scalar { text, .. } => self.checked(entry.value.at, path, text.clone(), rule),
            Content::List(_) | Content::Map(_) => self.wrong(&entry.value, path, "text"),
        }
    }

    pub(super) fn checked(
        &mut self,
        at: Position,
        path: &str,
        text: String,
        rule: Rule,
    ) -> Option<String> {
        match rule(&text) {
            Ok(()) => Some(text),
            Err(complaint) => {
                self.problems.add(at, path, complaint);
                None
            }
        }
    }

    pub(super) fn flag_of(&mut self, entries: &[Entry], path: &str, key: &str) -> Option<bool> {
        let entry = find(entries, key)?;
        match &entry.value.content {
            Content::Scalar { text, plain: true } if text == "true" => Some(true),
            Content::Scalar { text, plain: true } if text == "false" => Some(false),
            Content::Scalar { .. } | Content::List(_) | Content::Map(_) => {
                self.wrong(&entry.value, &join(path, key), "true or false, without quotes")
            }
        }
    }

    /// A list of words, or one text that is split into words.
    pub(super) fn words_of(
        &mut self,
        entries: &[Entry],
        path: &str,
        key: &str,
    ) -> Option<Vec<String>> {
        let entry = find(entries, key)?;
        let path = join(path, key);
        match &entry.value.content {
            Content::Scalar { text, .. } => self.split(entry.value.at, &path, text),
            Content::List(nodes) => {
                let word = |(index, node): (usize, &Node)| {
                    let path = format!("{path}[{index}]");
                    match &node.content {
                        Content::Scalar { text, .. } if !node.is_null() => {
                            self.checked(node.at, &path, text.clone(), rules::argument)
                        }
                        Content::Scalar { .. } | Content::List(_) | Content::Map(_) => {
                            self.wrong(node, &path, "text")
                        }
                    }
                };
                Some(nodes.iter().enumerate().filter_map(word).collect())
            }
            Content::Map(_) => self.wrong(&entry.value, &path, "a list of words, or text"),
        }
    }

    pub(super) fn split(&mut self, at: Position, path: &str, text: &str) -> Option<Vec<String>> {
        let text = self.checked(at, path, text.to_owned(), rules::arguments)?;
        match words::split(&text) {
            Ok(words) => Some(words),
            Err(why) => {
                let complaint =
                    Complaint::new(format!("{} cannot be split into words: {why}", quoted(&text)));
                self.problems.add(at, path, complaint);
                None
            }
        }
    }

    /// A text, a list joined by blanks, or a map with one of `parts`. None is what is wrong.
    pub(super) fn flat(&mut self, node: &Node, path: &str, parts: &[&str]) -> Option<String> {
        match &node.content {
            Content::Scalar { text, .. } => {
                self.checked(node.at, path, text.clone(), rules::arguments)
            }
            Content::List(nodes) => {
                let mut all = Vec::new();
                for (index, node) in nodes.iter().enumerate() {
                    match &node.content {
                        Content::Scalar { text, .. } if !node.is_null() => all.push(text.as_str()),
                        Content::Scalar { .. } | Content::List(_) | Content::Map(_) => {
                            return self.wrong(node, &format!("{path}[{index}]"), "text");
                        }
                    }
                }
                self.checked(node.at, path, all.join(" "), rules::arguments)
            }
            Content::Map(_) => {
                let entries = self.map(node, path, parts);
                let mut said = None;
                for part in parts {
                    let Some(entry) = find(entries, part) else { continue };
                    let text = match &entry.value.content {
                        Content::Map(_) => {
                            return self.wrong(&entry.value, &join(path, part), "text or a list");
                        }
                        Content::Scalar { .. } | Content::List(_) => {
                            self.flat(&entry.value, &join(path, part), &[])?
                        }
                    };
                    if said.is_none() && !text.trim().is_empty() {
                        said = Some(text);
                    }
                }
                Some(said.unwrap_or_default())
            }
        }
    }

    pub(super) fn environment(
        &mut self,
        entries: &[Entry],
        path: &str,
    ) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let Some(entry) = find(entries, "environment") else { return variables };
        let path = join(path, "environment");
        let Content::Map(entries) = &entry.value.content else {
            self.wrong::<()>(&entry.value, &path, "a map from names of variables to text");
            return variables;
        };
        refuse_duplicates(entries, &path, self.problems);
        for entry in entries {
            let path = join(&path, &entry.key);
            if let Err(complaint) = config::variable(&entry.key) {
                self.problems.add(entry.key_at, &path, complaint);
            } else if entry.value.is_null() {
                self.wrong::<()>(&entry.value, &path, "text; '' is an empty one");
            } else if let Some(text) = self.text(entry, &path, rules::variable_value) {
                variables.insert(entry.key.clone(), text);
            }
        }
        variables
    }

    /// Both dialects say the same thing.
    pub(super) fn both(&mut self, at: Position, one: &str, other: &str) {
        let complaint =
            Complaint::new(format!("said twice, also as {other}")).hint("keep one of the two");
        self.problems.add(at, one, complaint);
    }

    pub(super) fn wrong<T>(&mut self, node: &Node, path: &str, expected: &str) -> Option<T> {
        let found = match &node.content {
            Content::Scalar { .. } if node.is_null() => "nothing".to_owned(),
            Content::Scalar { text, .. } => quoted(text),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
        };
        let complaint = Complaint::new(format!("found {found}, expected {expected}"));
        self.problems.add(node.at, path, complaint);
        None
    }
}
