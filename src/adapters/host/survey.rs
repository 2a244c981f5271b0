//! Owns what is asked of a machine before anything is tried on it: who we are there, what
//! time it is, where work_dir is or would be made, and which rsync is found. It changes
//! nothing there.

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use jiff::{SignedDuration, Timestamp};

use super::attempts::moment;
use super::proof::ask;
use super::shell::Shell;
use crate::clock::Clock;

const SURVEY: &str = include_str!("scripts/survey.sh");

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Whom we are there.
    pub user: String,
    /// How far its clock is ahead of ours, as far as that is certain: the time that the
    /// question took is no difference.
    pub ahead: SignedDuration,
    pub place: Place,
    pub rsync: Rsync,
}

/// work_dir, or the nearest folder above it that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub is_folder: bool,
    pub is_writable: bool,
    pub owner: String,
    /// What unprivileged users may write there; nothing where no file can be made.
    pub free: Option<ByteCount>,
    /// What is in work_dir already and cannot be written to.
    pub closed: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rsync {
    Found {
        path: String,
        /// The first line of what it says of itself.
        says: String,
    },
    /// In these folders, which are not in PATH.
    Elsewhere(Vec<String>),
}

impl Rsync {
    /// Such as (3, 2, 7), where what it says can be understood.
    pub fn version(says: &str) -> Option<(u32, u32, u32)> {
        let (_, version) = says.split_once("rsync")?;
        let (_, version) = version.split_once("rsync version").or(version.split_once("version"))?;
        let version = version.split_whitespace().next()?;
        let mut numbers = version.trim_start_matches('v').split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse::<u32>().ok()
        });
        Some((numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
    }
}

pub async fn survey(shell: &dyn Shell, work_dir: &str, clock: &dyn Clock) -> Result<Survey, Fault> {
    let before = clock.now();
    let answer = ask(shell, SURVEY, &[work_dir]).await?;
    let after = clock.now();
    read(&String::from_utf8_lossy(&answer.stdout), &answer.stderr, before, after)
}

/// What was told between two readings of our clock.
pub(super) fn read(
    text: &str,
    stderr: &str,
    before: Timestamp,
    after: Timestamp,
) -> Result<Survey, Fault> {
    let facts = Facts(text);
    let place = facts.one("place").unwrap_or_default();
    if place.is_empty() {
        let said = stderr.lines().next().unwrap_or("it has said nothing");
        let text = format!("a script that looks around told nothing: {said}");
        return Err(Fault::new(FaultClass::TransientStep, text));
    }
    let place = Place {
        path: place.to_owned(),
        is_folder: facts.one("folder").is_some(),
        is_writable: facts.one("writable").is_some(),
        owner: facts.one("owner").unwrap_or_default().to_owned(),
        free: facts.one("free").and_then(free),
        closed: facts.one("closed").map(str::to_owned),
    };
    let rsync = match facts.one("rsync") {
        Some(path) => Rsync::Found {
            path: path.to_owned(),
            says: facts.one("rsync_version").unwrap_or_default().to_owned(),
        },
        None => Rsync::Elsewhere(facts.all("elsewhere").map(str::to_owned).collect()),
    };
    let there = facts.one("time").and_then(moment);
    let ahead = there.map_or(SignedDuration::ZERO, |there| ahead(there, before, after));
    Ok(Survey { user: facts.one("user").unwrap_or_default().to_owned(), ahead, place, rsync })
}

/// What was read there at `there` was read here between the other two.
fn ahead(there: Timestamp, before: Timestamp, after: Timestamp) -> SignedDuration {
    if there < before {
        there.duration_since(before)
    } else if there > after {
        there.duration_since(after)
    } else {
        SignedDuration::ZERO
    }
}

fn free(text: &str) -> Option<ByteCount> {
    let numbers: Option<Vec<u64>> = text.split(' ').map(|number| number.parse().ok()).collect();
    match numbers?[..] {
        // One that counts its files has none left.
        [_, _, files, 0] if files > 0 => Some(ByteCount(0)),
        [blocks, size, _, _] => Some(ByteCount(blocks.saturating_mul(size))),
        _ => None,
    }
}

/// Lines of a name, a tab, and what is said of it.
struct Facts<'a>(&'a str);

impl<'a> Facts<'a> {
    fn all(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .filter_map(move |(n, said)| (n == name).then_some(said))
    }

    fn one(&self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }
}

#[cfg(test)]
mod tests;
