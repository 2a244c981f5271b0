//! Owns the list of what was shipped as it is kept on the headnode: the same lines in the
//! same order as those of the local copy.

use std::collections::HashMap;

use crate::adapters::host::copy::list::{Kind, Line, walk_order};

/// Lines by path; a path may have several.
#[derive(Debug, Default)]
pub(super) struct Past<'a>(HashMap<&'a str, Vec<Line>>);

impl<'a> Past<'a> {
    pub(super) fn of(lines: &'a [Line]) -> Self {
        let mut past: HashMap<&str, Vec<Line>> = HashMap::new();
        for line in lines {
            past.entry(&line.path).or_default().push(line.clone());
        }
        Self(past)
    }

    pub(super) fn lines(&self, path: &str) -> &[Line] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    /// Whether a ship that came to its end brought what looks like `kind`.
    pub(super) fn confirms(&self, path: &str, kind: &Kind) -> bool {
        self.lines(path).iter().any(|line| line.shipped && line.kind.matches(kind))
    }
}

/// What is in either list, in the order of a walk.
pub(super) fn unite(old: &[Line], new: &[Line]) -> Vec<Line> {
    let past = Past::of(old);
    let mut united = old.to_vec();
    // A list that already says as much does not grow with every try.
    let known = |line: &&Line| past.lines(&line.path).iter().any(|past| past.kind == line.kind);
    united.extend(new.iter().filter(|line| !known(line)).cloned());
    united.sort_by(|a, b| walk_order(&a.path, &b.path));
    united
}

pub(super) fn encode(lines: &[Line]) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    Ok(text)
}
