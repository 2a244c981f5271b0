//! Owns the list of what was shipped as it is kept on the headnode: the same lines in the
//! same order as those of the local copy. Lists are as long as a case has files, so none is
//! made twice: what is united are references.

use serde::Serialize;

use crate::adapters::host::copy::list::{Kind, Line, walk_order};
use crate::adapters::host::shell::Feed;

/// Lines by path; a path may have several.
#[derive(Debug, Default)]
pub(super) struct Past<'a>(Vec<&'a Line>);

impl<'a> Past<'a> {
    pub(super) fn of(lines: impl IntoIterator<Item = &'a Line>) -> Self {
        let mut past: Vec<&Line> = lines.into_iter().collect();
        // It came in this order, unless somebody changed it.
        past.sort_by(|a, b| walk_order(&a.path, &b.path));
        Self(past)
    }

    pub(super) fn lines(&self, path: &str) -> impl Iterator<Item = &'a Line> + use<'a, '_> {
        let begin = self.0.partition_point(|line| walk_order(&line.path, path).is_lt());
        let end = self.0[begin..].partition_point(|line| walk_order(&line.path, path).is_le());
        self.0[begin..begin + end].iter().copied()
    }

    /// Whether a ship that came to its end brought what looks like `kind`.
    pub(super) fn confirms(&self, path: &str, kind: &Kind) -> bool {
        self.lines(path).any(|line| line.shipped && line.kind.matches(kind))
    }
}

/// What is in either list, in the order of a walk.
pub(super) fn unite<'a>(
    old: impl IntoIterator<Item = &'a Line>,
    new: impl IntoIterator<Item = &'a Line>,
) -> Vec<&'a Line> {
    let Past(mut united) = Past::of(old);
    let past = Past(united.clone());
    // A list that already says as much does not grow with every try.
    let known = |line: &&Line| past.lines(&line.path).any(|past| past.kind == line.kind);
    united.extend(new.into_iter().filter(|line| !known(line)));
    united.sort_by(|a, b| walk_order(&a.path, &b.path));
    united
}

/// A line as it is written.
#[derive(Debug, Serialize)]
pub(super) struct Written<'a> {
    pub(super) path: &'a str,
    #[serde(flatten)]
    pub(super) kind: &'a Kind,
    pub(super) shipped: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) blake3: Option<&'a str>,
}

impl<'a> From<&'a Line> for Written<'a> {
    fn from(line: &'a Line) -> Self {
        let blake3 = line.blake3.as_deref();
        Self { path: &line.path, kind: &line.kind, shipped: line.shipped, blake3 }
    }
}

/// A list as it is sent: written piece by piece, as it is as long as a case has files.
pub(super) struct Sending<F> {
    line: F,
    lines: usize,
    length: usize,
}

/// So many lines are one piece.
const PIECE: usize = 2_000;

impl<F: Fn(usize, &mut Vec<u8>) -> Result<(), serde_json::Error> + Send + Sync> Sending<F> {
    /// `line` writes the line of a number below `lines`.
    pub(super) fn new(lines: usize, line: F) -> Result<Self, serde_json::Error> {
        let mut sending = Self { line, lines, length: 0 };
        for number in 0..lines.div_ceil(PIECE) {
            sending.length += sending.written(number)?.len();
        }
        Ok(sending)
    }

    fn written(&self, number: usize) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = Vec::new();
        let end = self.lines.min((number + 1) * PIECE);
        for line in number * PIECE..end {
            (self.line)(line, &mut text)?;
        }
        Ok(text)
    }
}

impl<F> std::fmt::Debug for Sending<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sending").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl<F: Fn(usize, &mut Vec<u8>) -> Result<(), serde_json::Error> + Send + Sync> Feed
    for Sending<F>
{
    fn length(&self) -> usize {
        self.length
    }

    fn piece(&self, number: usize) -> Option<Vec<u8>> {
        // Each was written once before.
        (number * PIECE < self.lines).then(|| self.written(number).unwrap_or_default())
    }
}

/// Adds a line to the text of a list.
pub(super) fn write(text: &mut Vec<u8>, line: &Written<'_>) -> Result<(), serde_json::Error> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}
