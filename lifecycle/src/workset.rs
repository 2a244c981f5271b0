//! Owns what the sentinels of a workset mean: which of them are there, and whose lock,
//! decides whether it is begun, gone on with, taken over or left alone. It reads nothing.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The objects directly in a workset by which monitors and people talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentinel {
    Ready,
    Lock,
    InProgress,
    Complete,
    Error,
    Ignore,
}

impl Sentinel {
    pub const ALL: [Self; 6] =
        [Self::Ready, Self::Lock, Self::InProgress, Self::Complete, Self::Error, Self::Ignore];

    /// What all their names begin with.
    pub const START: &str = "daylily.";

    pub fn object_name(self) -> &'static str {
        match self {
            Self::Ready => "daylily.ready",
            Self::Lock => "daylily.lock",
            Self::InProgress => "daylily.in_progress",
            Self::Complete => "daylily.complete",
            Self::Error => "daylily.error",
            Self::Ignore => "daylily.ignore",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sentinel| sentinel.object_name() == name)
    }
}

impl fmt::Display for Sentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.object_name())
    }
}

/// Whose a lock is, as far as one who looks can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    Absent,
    /// This very monitor's, or one of its earlier starts'.
    Ours,
    /// Another's lease that is renewed, or has not stood still for long enough.
    Theirs,
    /// Another's lease that has not been renewed for as long as it was to last.
    Expired,
    /// One that says of no owner and is not renewed, as the classic monitor writes it.
    Classic,
    /// The same, unchanged for a whole lease.
    ClassicExpired,
}

impl Lock {
    fn may_be_taken(self) -> bool {
        match self {
            Self::Absent | Self::Ours | Self::Expired | Self::ClassicExpired => true,
            Self::Theirs | Self::Classic => false,
        }
    }
}

/// Everything that decides about a workset in one scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub ready: bool,
    pub in_progress: bool,
    pub complete: bool,
    pub error: bool,
    pub ignore: bool,
    pub lock: Lock,
    /// Our own database has a case of it that is not over.
    pub known_here: bool,
    /// Somebody has asked that a failed or stuck one begins again. It must be asked for
    /// anew each time, or what always fails is begun for ever.
    pub restart: bool,
}

impl Seen {
    /// Of the sentinels that are there, by their kinds.
    pub fn of(sentinels: &[Sentinel], lock: Lock) -> Self {
        let there = |sentinel| sentinels.contains(&sentinel);
        Self {
            ready: there(Sentinel::Ready),
            in_progress: there(Sentinel::InProgress),
            complete: there(Sentinel::Complete),
            error: there(Sentinel::Error),
            ignore: there(Sentinel::Ignore),
            lock,
            known_here: false,
            restart: false,
        }
    }
}

/// What a scan does with a workset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Nothing, and nothing is said of it.
    Ignored,
    /// Nothing; the log says why.
    Skip { because: Because },
    /// Take the lock, and begin when it is held.
    Begin,
    /// It is ours: go on with it, under the lock that is ours or is taken again.
    GoOn,
    /// Take the lock of one who is gone, and adopt the attempt that it tells of.
    TakeOver,
    /// Take the lock; once it is held remove `daylily.error` and `daylily.in_progress`, and
    /// begin.
    Restart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// There is no `daylily.ready`.
    NotReady,
    Complete,
    Failed,
    /// Both are there, which nobody of us leaves behind.
    CompleteAndFailed,
    /// Another monitor holds it.
    Held,
    /// It runs by a lock that is never renewed, or by none: nobody can tell whether it still
    /// does, and only a person may say that it does not.
    Classic,
}

/// The table of the reference, from the top; the first row that matches wins.
///
/// | sentinels | lock | verdict |
/// |---|---|---|
/// | `ignore` | * | ignored, silently |
/// | `complete` | * | skip; the same with `error` beside it |
/// | `error` | may be taken | restart where that was asked for and `ready` is there, else skip |
/// | `error` | another's | skip |
/// | `in_progress` | ours | go on |
/// | `in_progress` | absent | go on where our database knows it, else as the next row |
/// | `in_progress` | absent, classic, expired or not | restart where asked for, `ready` is there and the lock may be taken; else skip |
/// | `in_progress` | another's lease, expired | restart where asked for and `ready` is there, else take over |
/// | `in_progress` | another's lease | skip |
/// | `ready` | absent | begin |
/// | `ready` | ours | go on |
/// | `ready` | expired | take over |
/// | `ready` | another's | skip |
/// | none of these | * | skip |
pub fn decide(seen: Seen) -> Verdict {
    let skip = |because| Verdict::Skip { because };
    if seen.ignore {
        return Verdict::Ignored;
    }
    let restart = seen.restart && seen.ready && seen.lock.may_be_taken();
    match (seen.complete, seen.error) {
        (true, true) => return skip(Because::CompleteAndFailed),
        (true, false) => return skip(Because::Complete),
        (false, true) if restart => return Verdict::Restart,
        (false, true) => return skip(Because::Failed),
        (false, false) => {}
    }
    if seen.in_progress {
        return match seen.lock {
            Lock::Ours => Verdict::GoOn,
            Lock::Absent if seen.known_here => Verdict::GoOn,
            Lock::Absent | Lock::Expired | Lock::ClassicExpired if restart => Verdict::Restart,
            Lock::Expired => Verdict::TakeOver,
            Lock::Theirs => skip(Because::Held),
            Lock::Absent | Lock::Classic | Lock::ClassicExpired => skip(Because::Classic),
        };
    }
    if !seen.ready {
        return skip(Because::NotReady);
    }
    match seen.lock {
        Lock::Absent => Verdict::Begin,
        Lock::Ours => Verdict::GoOn,
        Lock::Expired | Lock::ClassicExpired => Verdict::TakeOver,
        Lock::Theirs | Lock::Classic => skip(Because::Held),
    }
}

/// What the body of a sentinel says; monitors and people write all sorts of things.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    pub at: Option<Timestamp>,
    /// What follows the timestamp and a TAB, or all of it where it begins with none.
    pub reason: Option<String>,
}

impl Body {
    /// Reads anything: the text of a person, `20251016T111111`, nothing at all. A time
    /// without a zone is UTC.
    pub fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{feff}').trim();
        let (first, rest) = text.split_once('\t').unwrap_or((text, ""));
        let at = instant(first.trim());
        let reason = if at.is_some() { rest } else { text };
        let reason = Some(reason.trim()).filter(|reason| !reason.is_empty());
        Self { at, reason: reason.map(crate::outcome::told) }
    }

    /// `<timestamp>`, or `<timestamp>\t<reason>` in one line.
    pub fn write(at: Timestamp, reason: Option<&str>) -> String {
        let Some(reason) = reason else { return at.to_string() };
        let words: Vec<&str> = reason.split(|c: char| c.is_control() || c == ' ').collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        format!("{at}\t{}", words.join(" "))
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    let without_zone = || DateTime::from_str(text).ok()?.to_zoned(TimeZone::UTC).ok();
    Timestamp::from_str(text).ok().or_else(|| without_zone().map(|zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests;
