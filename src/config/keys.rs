//! Owns the keys of a map in a file: how one is named in a message, and that none is there
//! twice.

use std::collections::BTreeMap;

use crate::config::error::{Complaint, Position, Problems};
use crate::config::tree::Entry;

/// In characters. Longer ones are no keys of ours, and stand in a message for each mistake
/// below them.
const LONGEST: usize = 100;

/// The path to a key below another one.
pub(crate) fn join(path: &str, key: &str) -> String {
    let (end, cut) = match key.char_indices().nth(LONGEST) {
        Some((end, _)) => (end, "..."),
        None => (key.len(), ""),
    };
    let key = key[..end].escape_debug();
    match path {
        "" => format!("{key}{cut}"),
        path => format!("{path}.{key}{cut}"),
    }
}

pub(crate) fn refuse_duplicates(entries: &[Entry], path: &str, problems: &mut Problems) {
    let mut first = BTreeMap::new();
    for entry in entries {
        let Position { line, column } = *first.entry(&entry.key).or_insert(entry.key_at);
        if entry.key_at != (Position { line, column }) {
            let complaint =
                Complaint::new(format!("set twice, first at line {line}, column {column}"))
                    .hint("keep one of the two");
            problems.add(entry.key_at, join(path, &entry.key), complaint);
        }
    }
}
