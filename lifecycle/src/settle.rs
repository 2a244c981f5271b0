//! Owns when a folder is complete: the conditions, judged from what a scan saw and
//! what is remembered of earlier ones. It never looks at a file itself.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::case::{Condition, LastChange};
use crate::ids::{ByteCount, Fingerprint};

/// What one walk through a case's folder saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    pub files: u64,
    pub bytes: ByteCount,
    pub fingerprint: Fingerprint,
    /// The newest ctime of any file or folder that is not in the future, else the
    /// newest modification time. None under `watch: poll`, where only the
    /// fingerprint counts.
    pub newest: Option<LastChange>,
    /// The first file found with a half-written name.
    pub unfinished: Option<String>,
    /// Whether the marker, where one is configured, is there.
    pub marker: bool,
    pub writers: Writers,
    /// What makes the case invalid, each a clause that names the file.
    pub problems: Vec<String>,
}

/// Whether a process holds a file of the case open for writing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "writers")]
pub enum Writers {
    /// Not asked for.
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
    /// `accept` was said: a missing marker or start is no obstacle.
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
    /// On a network file system two equal scans are asked for.
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
