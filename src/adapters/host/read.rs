//! Owns what the lines and files of a reading mean. It is given bytes that anybody
//! with the pipeline's account could have written, so it takes every shape of them:
//! what it cannot understand is *could not look*, or for an end record *partial*.

use std::collections::{BTreeMap, BTreeSet};

use daylily_lifecycle::attempt::ClaimedBy;
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Alive, Claim, ExitRecord, told};
use jiff::Timestamp;
use serde::Deserialize;

use super::HostLook;

/// At most this much of one file is read.
const FILE_MAX: usize = 4096;

/// At most this much is printed of one attempt: three files, their headings, and lines.
pub(crate) const MOST_OF_ONE: usize = 3 * (FILE_MAX + 256) + 1024;

/// One machine during one boot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    pub host: String,
    pub machine_id: String,
    pub boot_id: String,
}

/// What `claim` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimText {
    Absent,
    Daemon,
    Job { at: Timestamp, machine: Machine },
}

/// Whether something of an attempt was found on the machine that looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Something,
    Nothing,
}

/// What a finding on `looker` says of an attempt claimed as `claim`.
///
/// Something found is alive, whoever claimed: a lock can be held across machines.
/// Nothing found counts on the machine of the claim only. The boot id alone proves
/// that it is the same; after a restart machine id and host name must both agree,
/// since nodes made from one image share the first.
pub fn alive(found: Found, claim: &ClaimText, looker: &Machine) -> Alive {
    match (found, claim) {
        (Found::Something, _) => Alive::Yes,
        (Found::Nothing, ClaimText::Absent | ClaimText::Daemon) => Alive::No { rebooted: false },
        (Found::Nothing, ClaimText::Job { machine, .. }) => {
            if machine.boot_id == looker.boot_id && !looker.boot_id.is_empty() {
                Alive::No { rebooted: false }
            } else if machine.machine_id == looker.machine_id
                && machine.host == looker.host
                && !looker.machine_id.is_empty()
                && !looker.boot_id.is_empty()
                && !machine.boot_id.is_empty()
            {
                Alive::No { rebooted: true }
            } else {
                Alive::Unknowable
            }
        }
    }
}

/// The looks in the order of `attempts`; None where the answer is not a whole one.
pub fn parse(stdout: &[u8], stderr: &str, attempts: &[AttemptId]) -> Option<Vec<HostLook>> {
    let (word, rest) = line(stdout)?;
    if word.is_empty() {
        return None;
    }
    let (facts, rest) = part(rest, word, b"claims")?;
    let (claims, rest) = part(rest, word, b"alive")?;
    let (alive, rest) = part(rest, word, b"exits")?;
    let (exits, _) = part(rest, word, b"end")?;

    let mut looker = Machine::default();
    let mut missing = BTreeMap::new();
    for text in String::from_utf8_lossy(facts).lines() {
        match text.split_once(' ') {
            Some(("host", host)) => looker.host = host.trim().to_owned(),
            Some(("machine", id)) => looker.machine_id = id.trim().to_owned(),
            Some(("boot", id)) => looker.boot_id = id.trim().to_owned(),
            Some(("missing", what)) => {
                if let Some((id, what)) = what.split_once(' ') {
                    missing.insert(id.to_owned(), what.to_owned());
                }
            }
            Some(_) | None => {}
        }
    }
    let mut living = BTreeSet::new();
    let mut gone = BTreeSet::new();
    let mut unsure = BTreeSet::new();
    for text in String::from_utf8_lossy(alive).lines() {
        match text.split_once(' ') {
            Some(("yes", id)) => living.insert(id.to_owned()),
            Some(("gone", id)) => gone.insert(id.to_owned()),
            Some(("unsure", id)) => unsure.insert(id.to_owned()),
            Some(_) | None => continue,
        };
    }
    let claims = files(claims);
    let exits = files(exits);

    let look = |attempt: &AttemptId| -> HostLook {
        let id = attempt.as_str();
        let could_not = |why: String| HostLook::CouldNot { why: told(why) };
        if !super::names::is_plain_id(id) {
            return could_not(format!("{id:?} cannot be the id of an attempt"));
        }
        if let Some(what) = missing.get(id) {
            return could_not(match what.as_str() {
                "directory" => format!("the attempt directory {id} is missing"),
                what => match what.strip_prefix("regular:") {
                    Some(file) => format!("{id}/{file} is not a regular file"),
                    None => format!("{id}/{what} is missing"),
                },
            });
        }
        if let Some(complaint) = complaint(stderr, id) {
            return could_not(complaint.to_owned());
        }
        if unsure.contains(id) {
            return could_not(format!("the lock of {id} cannot be tried"));
        }
        let Some(claim) = claim(claims.get(&format!("{id}/claim")).copied()) else {
            return could_not(format!("the claim of {id} cannot be understood"));
        };
        let found = if living.contains(id) && !gone.contains(id) {
            Found::Something
        } else {
            Found::Nothing
        };
        let exit = exit_record(
            exits.get(&format!("{id}/exit.json")).copied(),
            exits.get(&format!("{id}/exit.json.tmp")).copied(),
        );
        let alive = self::alive(found, &claim, &looker);
        let claim = match claim {
            ClaimText::Absent => Claim::Absent,
            ClaimText::Daemon => Claim::Daemon,
            ClaimText::Job { at, machine } => Claim::Job { at, host: told(machine.host) },
        };
        HostLook::Saw { exit, claim, alive }
    };
    Some(attempts.iter().map(look).collect())
}

/// Whose claim these bytes are.
pub fn claimed_by(bytes: &[u8]) -> Option<ClaimedBy> {
    match claim(Some(bytes))? {
        ClaimText::Job { .. } => Some(ClaimedBy::Job),
        ClaimText::Daemon => Some(ClaimedBy::Daemon),
        ClaimText::Absent => None,
    }
}

/// None: it is there and cannot be understood.
pub fn claim(bytes: Option<&[u8]>) -> Option<ClaimText> {
    #[derive(Deserialize)]
    struct Written {
        by: String,
        at: Option<Timestamp>,
        #[serde(default)]
        host: String,
        #[serde(default)]
        machine_id: String,
        #[serde(default)]
        boot_id: String,
    }
    let Some(bytes) = bytes else { return Some(ClaimText::Absent) };
    let written: Written = serde_json::from_slice(bytes).ok()?;
    match (written.by.as_str(), written.at) {
        ("daemon", _) => Some(ClaimText::Daemon),
        ("job", Some(at)) => {
            let Written { host, machine_id, boot_id, .. } = written;
            Some(ClaimText::Job { at, machine: Machine { host, machine_id, boot_id } })
        }
        (_, _) => None,
    }
}

/// `temporary` is `exit.json.tmp`: blanks while the command runs. Anything else in
/// it, without an `exit.json`, is a record that was being written.
pub fn exit_record(whole: Option<&[u8]>, temporary: Option<&[u8]>) -> ExitRecord {
    #[derive(Deserialize)]
    struct Written {
        code: Option<i32>,
        signal: Option<i32>,
        ended: Timestamp,
    }
    let Some(bytes) = whole else {
        let blank = temporary.is_none_or(|bytes| bytes.iter().all(u8::is_ascii_whitespace));
        return if blank { ExitRecord::Absent } else { ExitRecord::Partial };
    };
    match serde_json::from_slice(bytes) {
        Ok(Written { code: None, signal: None, .. }) | Err(_) => ExitRecord::Partial,
        Ok(Written { code, signal, ended }) => ExitRecord::Present { code, signal, ended },
    }
}

/// The end of an output: at most `most` bytes of `end`, which has one byte more where
/// the output is longer; from a line's start where there is one.
pub fn tail(end: &[u8], most: usize) -> String {
    let from = match end.len() > most {
        true => match end.iter().position(|&b| b == b'\n') {
            Some(at) if at + 1 < end.len() => at + 1,
            Some(_) | None => end.len() - most,
        },
        false => 0,
    };
    let text = String::from_utf8_lossy(&end[from..]);
    // One byte for each, so that the text grows no longer than what it shows.
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() || c == char::REPLACEMENT_CHARACTER => '?',
            c => c,
        })
        .collect()
}

/// What a program said on standard error of a file of this attempt, except that it
/// is not there.
fn complaint<'a>(stderr: &'a str, id: &str) -> Option<&'a str> {
    let told = |line: &&str| line.contains(id) && !line.contains("No such file or directory");
    stderr.lines().find(told).map(str::trim)
}

/// The first line and what follows it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&b| b == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// What comes before the line `word name`, and what comes after it.
fn part<'a>(bytes: &'a [u8], word: &[u8], name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut mark = word.to_vec();
    mark.push(b' ');
    mark.extend_from_slice(name);
    mark.push(b'\n');
    let at = find(bytes, &mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Files as `head -v` prints them: `==> path <==`, the content, and a newline before
/// the next heading.
fn files(bytes: &[u8]) -> BTreeMap<String, &[u8]> {
    let mut found = BTreeMap::new();
    let mut rest = bytes;
    while let Some(start) = find(rest, b"==> ") {
        let after = &rest[start + 4..];
        let Some((heading, content)) = line(after) else { break };
        let Some(path) = heading.strip_suffix(b" <==") else {
            rest = after;
            continue;
        };
        let end = find(content, b"\n==> ").unwrap_or(content.len());
        found.insert(String::from_utf8_lossy(path).into_owned(), &content[..end]);
        rest = &content[end..];
    }
    found
}

#[cfg(test)]
mod tests;
