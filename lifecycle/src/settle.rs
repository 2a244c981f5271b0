//! Owns when a folder is complete: the conditions, judged from what a scan saw and
//! what is remembered of earlier ones. It never looks at a file itself.

mod manifest;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::case::{Compared, Condition, ConditionName, LastChange};
use crate::ids::{ByteCount, Fingerprint};

/// What one walk through a case's folder saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    pub files: u64,
    pub bytes: ByteCount,
    pub fingerprint: Fingerprint,
    /// The newest ctime of any file or folder that is not in the future. None under
    /// `watch: poll`, where only the fingerprint counts.
    pub newest: Option<LastChange>,
    /// Set where a change may have left no ctime to go by (`watch: poll`, or a ctime
    /// in the future): the file modified last, or empty. Such a change is dated by
    /// when it was seen.
    pub undated: Option<String>,
    /// The first file found with a half-written name.
    pub unfinished: Option<String>,
    /// Whether the marker, where one is configured, is there.
    pub marker: bool,
    pub writers: Writers,
    pub manifest: Manifest,
    /// What makes the case invalid, each a clause that names the file.
    pub problems: Vec<String>,
}

/// What was found of a manifest: a list of checksums directly in the case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "manifest")]
pub enum Manifest {
    /// None is waited for and none is there.
    #[default]
    None,
    /// The one that is waited for is not there.
    Missing { name: String },
    /// It cannot be read as one; why is among the problems.
    Odd { name: String },
    There {
        name: String,
        /// How many files it names.
        files: u64,
        /// How many of them are not there.
        missing: u64,
        /// The first of these.
        first: Option<String>,
    },
    /// The tables of a workset, whose files and objects in S3 must be there.
    Workset {
        /// Of the table of samples, and of a list of checksums that is there besides.
        name: String,
        /// How many files within the workset are named.
        files: u64,
        missing: u64,
        /// Of these the first, and which file names it.
        first: Option<(String, String)>,
        /// How many objects are asked for.
        objects: u64,
        /// How many are named and nobody can ask for.
        unseen: u64,
        /// Whether the files have checksums that they are compared with.
        listed: bool,
    },
}

/// Whether a process holds a file of the case open for writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "writers")]
pub enum Writers {
    /// Nobody looked. Where no writers are asked for, the case is not complete: one
    /// scan at the end of the quiet period looks, the ones before it need not.
    NotLooked,
    None,
    /// None that we can see, but other users' processes are hidden from us.
    NoneVisible,
    Open {
        path: String,
    },
}

/// What is remembered of a case when it is judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory<'a> {
    pub first_seen: Timestamp,
    pub fingerprint: Option<&'a Fingerprint>,
    pub last_change: Option<&'a LastChange>,
    pub conditions: &'a [Condition],
    /// What the manifest was last compared with.
    pub compared: Option<&'a Compared>,
    /// `accept` was said: a missing marker, manifest or start is no obstacle.
    pub accepted: bool,
    /// An event told of a write later than what a scan could see.
    pub last_event: Option<&'a LastChange>,
    /// Whether a name seen before has been hashed and is new. None: not such a name.
    pub new_content: Option<bool>,
}

/// The settle section of an intake, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    pub quiet: SignedDuration,
    /// On a network file system two equal scans are asked for: then a change counts
    /// from when a scan saw it, and only another scan a quiet period later ends it.
    pub equal_scans: u32,
    pub no_writers: bool,
    pub marker: Option<String>,
    pub marker_timeout: Option<SignedDuration>,
    pub marker_missing: MarkerMissing,
    pub manual: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkerMissing {
    #[default]
    Wait,
    Accept,
    Reject,
}

/// What a scan means for its case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub last_change: LastChange,
    /// Each with `since` as remembered while neither `holds` nor `detail` changes.
    pub conditions: Vec<Condition>,
    /// The marker's time is over and the policy says to refuse the case.
    pub refused: Option<String>,
    /// What the manifest says otherwise than the files.
    pub disagreements: Vec<String>,
    /// The manifest cannot be read as one, or it disagrees with the files.
    pub refuted: bool,
    /// Every condition holds and nothing is refused. It says nothing of `problems`.
    pub complete: bool,
    /// When the case starts without its marker, or is refused, if all else holds.
    pub marker_due: Option<Timestamp>,
    /// When another scan can find something else although nothing happened; far off
    /// where nothing but an event can. The caller looks sooner by its `rescan`.
    pub next_look: Timestamp,
}

/// What a caller that rescans by itself never waits for.
pub const FAR: SignedDuration = SignedDuration::from_hours(24);

/// Judges a scan made at `now`.
pub fn judge(tree: &Tree, memory: &Memory<'_>, settle: &Settle, now: Timestamp) -> Judged {
    let last_change = last_change(tree, memory, settle, now);
    let quiet_end = after(last_change.at, quiet_period(tree, settle));
    let quiet = now >= quiet_end;

    let mut board = Board { remembered: memory.conditions, now, conditions: Vec::new() };
    board.put(ConditionName::Content, tree.files > 0, content_detail(tree));
    board.put(ConditionName::Quiet, quiet, quiet_detail(quiet, &last_change));
    if settle.no_writers {
        let (holds, detail) = writers(&tree.writers);
        board.put_or_accepted(ConditionName::NoWriters, holds, detail, memory.accepted);
    }
    let (holds, detail) = unfinished(tree.unfinished.as_deref());
    board.put_or_accepted(ConditionName::Unfinished, holds, detail, memory.accepted);
    board.manifest(&tree.manifest, memory.accepted);
    if let Some(new) = memory.new_content {
        board.put(ConditionName::NewContent, new, new_content_detail(new));
    }
    if settle.manual {
        let detail =
            if memory.accepted { "a person accepted it" } else { "nobody has accepted it yet" };
        board.put(ConditionName::Start, memory.accepted, detail.to_owned());
    }

    let others_hold = board.all_hold();
    let mut refused = None;
    let mut marker_due = None;
    if let Some(marker) = &settle.marker {
        let found = look_for_marker(marker, tree, memory, settle, &last_change, now);
        if others_hold {
            refused.clone_from(&found.refused);
        }
        marker_due = found.due;
        board.put(ConditionName::Marker, found.holds, found.detail);
    }

    let comparison = memory.compared.filter(|known| known.fingerprint == tree.fingerprint);
    let disagreements = board.checksums(&tree.manifest, comparison);
    let refuted = !disagreements.is_empty() || matches!(tree.manifest, Manifest::Odd { .. });

    let next_look = [Some(quiet_end), marker_due]
        .into_iter()
        .flatten()
        .filter(|at| *at > now)
        .min()
        .unwrap_or_else(|| after(now, FAR));
    let complete = board.all_hold() && refused.is_none();
    Judged {
        last_change,
        conditions: board.conditions,
        refused,
        disagreements,
        refuted,
        complete,
        marker_due,
        next_look,
    }
}

/// The conditions as they are judged, beside what was remembered of them.
struct Board<'a> {
    remembered: &'a [Condition],
    now: Timestamp,
    conditions: Vec<Condition>,
}

impl Board<'_> {
    /// As [`Self::put`], where a person may have said to start without it.
    fn put_or_accepted(&mut self, name: ConditionName, holds: bool, detail: String, word: bool) {
        if word && !holds {
            self.put(name, true, format!("{detail}, and a person accepted that"));
        } else {
            self.put(name, holds, detail);
        }
    }

    fn put(&mut self, name: ConditionName, holds: bool, detail: String) {
        let since = self
            .remembered
            .iter()
            .find(|known| known.name == name && known.holds == holds && known.detail == detail)
            .map_or(self.now, |known| known.since);
        self.conditions.push(Condition { name, holds, detail, since });
    }

    fn all_hold(&self) -> bool {
        self.conditions.iter().all(|condition| condition.holds)
    }
}

/// From when the quiet period counts.
fn last_change(tree: &Tree, memory: &Memory<'_>, settle: &Settle, now: Timestamp) -> LastChange {
    let seen_now = || {
        let newest = tree.newest.as_ref().map(|change| &change.path);
        let path = tree.undated.as_ref().or(newest).cloned().unwrap_or_default();
        LastChange { path, at: now }
    };
    let changed = memory.fingerprint != Some(&tree.fingerprint);
    let dated = match (&tree.newest, &tree.undated) {
        (Some(newest), None) => {
            // A tree that changed without a newer ctime has one that cannot be believed.
            settle.equal_scans <= 1
                && memory.last_change.is_none_or(|remembered| newest.at > remembered.at)
        }
        (Some(_) | None, Some(_)) | (None, None) => false,
    };
    let unexplained = (changed && !dated).then(seen_now);
    // A remembered time may be later than now when the wall clock was set back. Taken
    // as it is it would stop the case until then; taken as now, it costs one period.
    [unexplained.as_ref(), tree.newest.as_ref(), memory.last_event, memory.last_change]
        .into_iter()
        .flatten()
        .map(|change| LastChange { path: change.path.clone(), at: change.at.min(now) })
        .reduce(|latest, other| if other.at > latest.at { other } else { latest })
        .unwrap_or_else(seen_now)
}

fn quiet_period(tree: &Tree, settle: &Settle) -> SignedDuration {
    let hidden = settle.no_writers && tree.writers == Writers::NoneVisible;
    if hidden { settle.quiet.saturating_add(settle.quiet) } else { settle.quiet }
}

struct MarkerFound {
    holds: bool,
    detail: String,
    refused: Option<String>,
    due: Option<Timestamp>,
}

fn look_for_marker(
    marker: &str,
    tree: &Tree,
    memory: &Memory<'_>,
    settle: &Settle,
    last_change: &LastChange,
    now: Timestamp,
) -> MarkerFound {
    let found = |holds, detail: String| MarkerFound { holds, detail, refused: None, due: None };
    if tree.marker {
        return found(true, format!("{marker} is there"));
    }
    if memory.accepted {
        return found(true, format!("accepted without {marker}"));
    }
    let missing = format!("{marker} has not come");
    let over = format!("{missing} and its time is over");
    // The time counts from the last change, so that a transfer longer than it is not
    // started or refused in the middle.
    let due = settle.marker_timeout.map(|timeout| after(last_change.at, timeout));
    match (settle.marker_missing, due) {
        (MarkerMissing::Wait, _) | (_, None) => found(false, missing),
        (MarkerMissing::Accept | MarkerMissing::Reject, Some(due)) if now < due => {
            MarkerFound { due: Some(due), ..found(false, missing) }
        }
        (MarkerMissing::Accept, Some(_)) => found(true, over),
        (MarkerMissing::Reject, Some(_)) => {
            MarkerFound { refused: Some(over.clone()), ..found(false, over) }
        }
    }
}

fn content_detail(tree: &Tree) -> String {
    match tree.files {
        0 => "no file is there".to_owned(),
        1 => format!("1 file of {} is there", tree.bytes),
        files => format!("{files} files of together {} are there", tree.bytes),
    }
}

fn quiet_detail(quiet: bool, last_change: &LastChange) -> String {
    match (quiet, last_change.path.as_str()) {
        (true, _) => "nothing has changed for the quiet period".to_owned(),
        (false, "") => "the folder changed within the quiet period".to_owned(),
        (false, path) => format!("{path} changed within the quiet period"),
    }
}

fn writers(writers: &Writers) -> (bool, String) {
    match writers {
        Writers::NotLooked => (false, "open files have not been looked for yet".to_owned()),
        Writers::None => (true, "no file is held open for writing".to_owned()),
        Writers::NoneVisible => {
            let detail = "no file is seen to be held open for writing; processes of other users \
                          cannot be seen, so the quiet period counts double";
            (true, detail.to_owned())
        }
        Writers::Open { path } => (false, format!("{path} is held open for writing")),
    }
}

fn unfinished(path: Option<&str>) -> (bool, String) {
    match path {
        None => (true, "no file has a half-written name".to_owned()),
        Some(path) => (false, format!("{path} is still being written, by its name")),
    }
}

fn new_content_detail(new: bool) -> String {
    let detail = if new {
        "the content is not what was here before under this name"
    } else {
        "the content is not known to differ from what was here before under this name"
    };
    detail.to_owned()
}

/// Saturating: a period configured too long is one that never ends.
fn after(start: Timestamp, period: SignedDuration) -> Timestamp {
    start.checked_add(period).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
