//! Owns what this machine keeps of a run: results under the name people look for, a
//! finished intake folder where it was asked to be, the log of a failure. Whatever
//! is interrupted is called again and ends in the same tree; nothing that was there
//! before is ever overwritten or removed. It knows nothing of headnodes.

mod disk;
mod keep_log;
mod move_folder;
mod place;

use std::io;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::{Arrival, AttemptId, ByteCount, CaseName, IntakeName};
use daylily_lifecycle::outcome::FaultClass;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use keep_log::{keep_log, kept_log};
pub use move_folder::{move_folder, move_folder_by_copy};

/// In every placed folder: whose results these are.
pub const PROVENANCE: &str = ".daylily-watch.json";

/// Where the results of one attempt go.
#[derive(Debug, Clone)]
pub struct Placement {
    /// `results.to`.
    pub root: PathBuf,
    pub intake: IntakeName,
    /// The case's name, or `name.2` for a later arrival.
    pub remote_name: String,
    pub attempt: AttemptId,
    /// The attempt's, counted from 1 within the case.
    pub number: u32,
    /// An empty file by which others see that the results are whole.
    pub marker: Option<String>,
    pub group: Option<String>,
    pub dir_mode: u32,
    pub file_mode: u32,
}

/// What is known of the run beside the placement.
#[derive(Debug, Clone)]
pub struct Summary {
    pub case: CaseName,
    pub arrival: Arrival,
    pub exit_code: Option<i32>,
    pub ended: Timestamp,
    /// Relative paths of the files that were fetched. What else lies in the staging
    /// folder is left from an interrupted fetch and is removed.
    pub files: Vec<String>,
}

/// The content of [`PROVENANCE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    pub case: CaseName,
    pub intake: IntakeName,
    pub arrival: Arrival,
    pub attempt: AttemptId,
    pub number: u32,
    pub exit_code: Option<i32>,
    pub ended: Timestamp,
    pub files: Vec<PlacedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedFile {
    pub path: String,
    pub bytes: ByteCount,
    pub blake3: String,
}

/// What placing does, in order; a test stops it after each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    RemovedStrays,
    WroteMarker,
    WroteProvenance,
    SetModes,
    SyncedFiles,
    KeptEarlier,
    Placed,
    SyncedFolder,
    RemovedLeftOvers,
}

#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    #[error("{doing} {path}")]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{name:?} cannot be the name of a file or folder of results")]
    Name { name: String },
    #[error(
        "there is no group named {name:?} on this machine\n\
         hint: make it, or correct `results.group`"
    )]
    NoGroup { name: String },
    #[error("give {path} to the group {group}\nhint: the daemon's user must be in that group")]
    Group {
        path: PathBuf,
        group: String,
        #[source]
        source: io::Error,
    },
    #[error("the result {path} was fetched and is not in the staging folder")]
    Missing { path: PathBuf },
    #[error("{path} is neither a file nor a folder nor a symlink")]
    Special { path: PathBuf },
    #[error("{path} is not a folder")]
    NotAFolder { path: PathBuf },
    #[error("{path} changed while it was moved; nothing was removed")]
    Changed { path: PathBuf },
    #[error("{path} came or changed after {to} was copied from there; it was not removed")]
    Late { path: PathBuf, to: PathBuf },
    #[error("{path} is gone, and nothing says that it was moved to {to_dir}")]
    Gone { path: PathBuf, to_dir: PathBuf },
    #[error("the record {path} is damaged")]
    Record {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("stopped after {0:?}")]
    Stopped(Step),
}

impl ResultsError {
    /// What it means for the step: a full disk is waited for, a name that cannot be or
    /// a folder of somebody else needs a person, the rest is tried again.
    pub fn class(&self) -> FaultClass {
        match self {
            Self::Io { source, .. } | Self::Group { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FaultClass::NoSpace,
                _ => FaultClass::TransientStep,
            },
            Self::Name { .. } | Self::Special { .. } | Self::NotAFolder { .. } => {
                FaultClass::FatalCase
            }
            Self::NoGroup { .. }
            | Self::Missing { .. }
            | Self::Changed { .. }
            | Self::Late { .. }
            | Self::Gone { .. }
            | Self::Record { .. }
            | Self::Stopped(_) => FaultClass::TransientStep,
        }
    }

    fn io(doing: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { doing, path: path.to_owned(), source: source.into() }
    }
}

/// Whether a folder holds the placed results of an attempt, each file as large as it
/// was when it was placed.
pub fn is_kept(dir: &Path, attempt: &AttemptId) -> bool {
    let Ok(text) = std::fs::read(dir.join(PROVENANCE)) else { return false };
    let Ok(provenance) = serde_json::from_slice::<Provenance>(&text) else { return false };
    let is_there = |file: &PlacedFile| {
        dir.join(&file.path).metadata().is_ok_and(|found| found.len() == file.bytes.0)
    };
    provenance.attempt == *attempt && provenance.files.iter().all(is_there)
}

/// A single name, not a path.
fn plain_name(name: &str) -> Result<&str, ResultsError> {
    let plain = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
    if plain { Ok(name) } else { Err(ResultsError::Name { name: name.to_owned() }) }
}
