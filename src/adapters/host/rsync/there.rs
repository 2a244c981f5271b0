//! Owns what the headnode answers about a case's directory: what is in it, the list of
//! what was shipped, the room. It is believed only after it was understood.

use std::borrow::Cow;
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

/// One entry there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) found: &'a Found,
    odd: Option<&'a str>,
}

impl Entry<'_> {
    /// Its size and time, for a script that compares them.
    pub(super) fn looked(&self) -> String {
        match (self.odd, self.found) {
            (Some(looked), _) => looked.to_owned(),
            (None, Found::As(Kind::File { size, modified })) => looked(*size, *modified),
            // A folder is removed if it is empty, whatever it looks like.
            (None, Found::As(Kind::Folder | Kind::Symlink { .. }) | Found::Odd) => String::new(),
        }
    }
}

/// As `stat -c '%s %.9Y'` prints it.
fn looked(size: u64, modified: Stamp) -> String {
    format!("{size} {}.{:09}", modified.seconds, modified.nanoseconds)
}

/// What is in a directory, by path. A job makes as much of it as it likes: it is kept in
/// one piece, and nothing of it twice.
#[derive(Debug, Default)]
pub(super) struct Entries {
    paths: String,
    /// In the order of their paths.
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    begin: u32,
    end: u32,
    found: Found,
    /// Its size and time, where they do not follow from what was found.
    odd: Option<Box<str>>,
}

impl Entries {
    fn add(&mut self, path: &str, found: Found, odd: Option<Box<str>>) -> Option<()> {
        let begin = u32::try_from(self.paths.len()).ok()?;
        let end = u32::try_from(self.paths.len() + path.len()).ok()?;
        self.paths.push_str(path);
        self.items.push(Item { begin, end, found, odd });
        Some(())
    }

    fn sorted(mut self) -> Self {
        let Self { paths, items } = &mut self;
        items.sort_unstable_by(|a, b| a.path(paths).cmp(b.path(paths)));
        self
    }

    pub(super) fn get(&self, path: &str) -> Option<Entry<'_>> {
        let at = self.items.binary_search_by(|item| item.path(&self.paths).cmp(path)).ok()?;
        let Item { found, odd, .. } = self.items.get(at)?;
        Some(Entry { found, odd: odd.as_deref() })
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.path(&self.paths))
    }
}

impl Item {
    fn path<'a>(&self, paths: &'a str) -> &'a str {
        &paths[self.begin as usize..self.end as usize]
    }
}

#[cfg(test)]
impl<'a> FromIterator<(&'a str, Found)> for Entries {
    fn from_iter<I: IntoIterator<Item = (&'a str, Found)>>(entries: I) -> Self {
        let mut all = Self::default();
        for (path, found) in entries {
            all.add(path, found, None).expect("tests have few");
        }
        all.sorted()
    }
}

/// A case's directory as it was at one moment.
#[derive(Debug)]
pub(in crate::adapters::host) struct Looked {
    /// None: it is not there.
    pub(super) entries: Option<Entries>,
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
        Self::parse_some(answer, dest, list, &mut |_, _| true)
    }

    /// The same with those entries alone that are to be kept.
    pub(super) fn parse_some(
        answer: &[u8],
        dest: &str,
        list: &str,
        keep: &mut dyn FnMut(&str, &Found) -> bool,
    ) -> Result<Self, Fault> {
        let odd = || {
            let said = beginning(answer);
            let text = format!("what is in {dest} cannot be understood: {said:?}");
            Fault::new(FaultClass::TransientStep, text)
        };
        let mut parts = Parts { rest: answer };
        let kind = parts.next().ok_or_else(odd)?;
        let crashed = parts.next().ok_or_else(odd)? == b"crashed";
        let room = room(parts.text().ok_or_else(odd)?).ok_or_else(odd)?;
        let mut entries = Entries::default();
        loop {
            let sort = parts.text().ok_or_else(odd)?;
            if sort == "end" {
                break;
            }
            let (path, size) = (parts.next().ok_or_else(odd)?, parts.text().ok_or_else(odd)?);
            let (time, target) = (parts.text().ok_or_else(odd)?, parts.next().ok_or_else(odd)?);
            // No case has a name that is not UTF-8, so it cannot be in anything's way.
            let Ok(path) = std::str::from_utf8(path) else { continue };
            let (found, looked) = entry(sort, size, time, target).ok_or_else(odd)?;
            if keep(path, &found) {
                entries.add(path, found, looked).ok_or_else(odd)?;
            }
        }
        let entries = match kind {
            b"folder" => Some(entries.sorted()),
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
        Some(self.entries.as_ref()?.get(path)?.found)
    }
}

/// Of an answer that is not understood.
pub(super) fn beginning(answer: &[u8]) -> String {
    let begin = &answer[..answer.len().min(400)];
    String::from_utf8_lossy(begin).trim().chars().take(80).collect()
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

/// What it is, and its size and time where they do not follow from that.
fn entry(sort: &str, size: &str, time: &str, target: &[u8]) -> Option<(Found, Option<Box<str>>)> {
    let found = match sort {
        "f" => Found::As(Kind::File { size: size.parse().ok()?, modified: stamp(time)? }),
        "d" => Found::As(Kind::Folder),
        "l" => match std::str::from_utf8(target) {
            Ok(target) => Found::As(Kind::Symlink { target: target.to_owned() }),
            Err(_) => Found::Odd,
        },
        _ => Found::Odd,
    };
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    let follows = match &found {
        Found::As(Kind::File { size, modified }) => looked(*size, *modified),
        Found::As(Kind::Folder) => return Some((found, None)),
        Found::As(Kind::Symlink { .. }) | Found::Odd => String::new(),
    };
    let looked = format!("{size} {seconds}.{fraction:0<9.9}");
    let odd = (looked != follows).then(|| looked.into());
    Some((found, odd))
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
pub(super) fn sums(answer: &[u8]) -> HashMap<Cow<'_, str>, [u8; 32]> {
    answer.split(|&byte| byte == b'\n').filter_map(sum).collect()
}

fn sum(line: &[u8]) -> Option<(Cow<'_, str>, [u8; 32])> {
    let line = std::str::from_utf8(line).ok()?;
    let (escaped, line) = match line.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (sum, path) = line.split_at_checked(64)?;
    let path = path.strip_prefix("  ").or_else(|| path.strip_prefix(" *"))?;
    // Names with line ends are refused before, so there is one thing to undo.
    let path = match escaped {
        true => Cow::Owned(path.replace(r"\\", r"\")),
        false => Cow::Borrowed(path),
    };
    Some((path, bytes(sum)?))
}

/// Of 64 hexadecimal digits.
fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
