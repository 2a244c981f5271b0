//! Owns what the headnode answers about a case's directory: what is in it, the list of
//! what was shipped, the room. It is believed only after it was understood.

use std::collections::HashMap;

use daylily_lifecycle::outcome::{Fault, FaultClass};

use crate::adapters::host::copy::fault::fatal;
use crate::adapters::host::copy::list::{Kind, Line, Stamp};
use crate::adapters::host::copy::room::Room;

/// What lies at a path there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    As(Kind),
    /// A socket, FIFO or device.
    Odd,
}

/// One entry there; `looked` is its size and time, for a script that compares them.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) found: Found,
    pub(super) looked: String,
}

/// A case's directory as it was at one moment.
#[derive(Debug)]
pub(in crate::adapters::host) struct Looked {
    /// None: it is not there.
    pub(super) entries: Option<HashMap<String, Entry>>,
    /// What is there may have been lost in part when the machine went down, without
    /// looking so.
    pub(super) crashed: bool,
    pub(super) room: Room,
    /// Of what was shipped to it earlier.
    pub(super) list: Vec<Line>,
}

impl Looked {
    /// `dest` and `list` are for messages.
    pub(in crate::adapters::host) fn parse(
        answer: &[u8],
        dest: &str,
        list: &str,
    ) -> Result<Self, Fault> {
        let odd = || {
            let said: String = String::from_utf8_lossy(answer).trim().chars().take(80).collect();
            let text = format!("what is in {dest} cannot be understood: {said:?}");
            Fault::new(FaultClass::TransientStep, text)
        };
        let mut parts = Parts { rest: answer };
        let kind = parts.next().ok_or_else(odd)?;
        let crashed = parts.next().ok_or_else(odd)? == b"crashed";
        let room = room(parts.text().ok_or_else(odd)?).ok_or_else(odd)?;
        let mut entries = HashMap::new();
        loop {
            let sort = parts.text().ok_or_else(odd)?;
            if sort == "end" {
                break;
            }
            let (path, size) = (parts.next().ok_or_else(odd)?, parts.text().ok_or_else(odd)?);
            let (time, target) = (parts.text().ok_or_else(odd)?, parts.next().ok_or_else(odd)?);
            // No case has a name that is not UTF-8, so it cannot be in anything's way.
            let Ok(path) = std::str::from_utf8(path) else { continue };
            let entry = entry(sort, size, time, target).ok_or_else(odd)?;
            entries.insert(path.to_owned(), entry);
        }
        let entries = match kind {
            b"folder" => Some(entries),
            b"absent" => None,
            b"odd" => return Err(fatal(format_args!("{dest} is not a folder of its own"))),
            _ => return Err(odd()),
        };
        let damaged =
            |error: serde_json::Error| fatal(format_args!("the list {list} is damaged: {error}"));
        let list = parts.rest.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let list: Result<Vec<Line>, _> = list.map(serde_json::from_slice).collect();
        Ok(Self { entries, crashed, room, list: list.map_err(damaged)? })
    }

    pub(super) fn at(&self, path: &str) -> Option<&Found> {
        Some(&self.entries.as_ref()?.get(path)?.found)
    }
}

fn room(text: &str) -> Option<Room> {
    let numbers: Option<Vec<u64>> = text.split(' ').map(|n| n.parse().ok()).collect();
    match numbers?[..] {
        [blocks, size, files, free] => {
            Some(Room { bytes: blocks.saturating_mul(size), files: (files > 0).then_some(free) })
        }
        _ => None,
    }
}

fn entry(sort: &str, size: &str, time: &str, target: &[u8]) -> Option<Entry> {
    let found = match sort {
        "f" => Found::As(Kind::File { size: size.parse().ok()?, modified: stamp(time)? }),
        "d" => Found::As(Kind::Folder),
        "l" => match std::str::from_utf8(target) {
            Ok(target) => Found::As(Kind::Symlink { target: target.to_owned() }),
            Err(_) => Found::Odd,
        },
        _ => Found::Odd,
    };
    // As `stat -c '%s %.9Y'` prints it.
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    Some(Entry { found, looked: format!("{size} {seconds}.{fraction:0<9.9}") })
}

/// Seconds since 1970 with a fraction, as `find` and `stat` print them.
pub(super) fn stamp(text: &str) -> Option<Stamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds = format!("{fraction:0<9.9}").parse().ok()?;
    Some(Stamp { seconds: seconds.parse().ok()?, nanoseconds })
}

/// Parts of an answer, each ended by a NUL.
pub(super) struct Parts<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| byte == 0)?;
        let (part, rest) = (&self.rest[..end], &self.rest[end + 1..]);
        self.rest = rest;
        Some(part)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.next()?).ok()
    }
}

/// SHA-256 by path, as `sha256sum` prints them: a path with a backslash is escaped.
pub(super) fn sums(answer: &[u8]) -> HashMap<String, String> {
    let line = |line: &[u8]| {
        let line = std::str::from_utf8(line).ok()?;
        let (escaped, line) = match line.strip_prefix('\\') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (sum, path) = line.split_at_checked(64)?;
        let path = path.strip_prefix("  ").or_else(|| path.strip_prefix(" *"))?;
        // Names with line ends are refused before, so there is one thing to undo.
        let path = if escaped { path.replace(r"\\", r"\") } else { path.to_owned() };
        Some((path, sum.to_owned()))
    };
    answer.split(|&byte| byte == b'\n').filter_map(line).collect()
}

#[cfg(test)]
mod tests;
