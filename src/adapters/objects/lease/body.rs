//! Owns what stands in a lock: ours as JSON, others' as whatever they wrote.

use std::time::Duration;

use daylily_lifecycle::ids::{AttemptId, ByteCount, HeadnodeName};
use daylily_lifecycle::workset::Body;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// No lock that anybody means has more.
pub(super) const MOST: ByteCount = ByteCount(64 << 10);

/// Another's lease is not believed to last longer than this without being renewed.
const LONGEST: Duration = Duration::from_hours(24);

/// Who may hold a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// That of the database, of which no two daemons are at work at a time.
    pub owner: String,
    pub host: String,
    pub pid: u32,
}

/// What is written into a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseBody {
    #[serde(flatten)]
    pub by: Owner,
    /// Of this taking alone, so that no two locks are ever the same bytes.
    pub word: String,
    /// How often it was renewed: each body is another one, whatever the clock says.
    pub renewed: u64,
    /// By the owner's wall clock; for people. Nobody goes by it.
    pub acquired: Timestamp,
    /// As `acquired`.
    pub expires: Timestamp,
    pub lease_ms: u64,
    /// The run that the owner is about to begin, or has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Running>,
}

/// Where a run is found by one who takes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub id: AttemptId,
    pub headnode: HeadnodeName,
    /// The attempt directory, absolute, on that headnode.
    pub dir: String,
}

impl LeaseBody {
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|_| unreachable!("it has text keys alone"))
    }

    /// How long it stands without being renewed.
    pub fn length(&self) -> Duration {
        Duration::from_millis(self.lease_ms).min(LONGEST)
    }
}

/// A lock as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockBody {
    Lease(Box<LeaseBody>),
    /// A timestamp of the classic monitor, or anything else.
    Classic(Body),
}

impl LockBody {
    pub fn read(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(lease) => Self::Lease(Box::new(lease)),
            Err(_) => Self::Classic(Body::read(bytes)),
        }
    }

    pub fn lease(&self) -> Option<&LeaseBody> {
        match self {
            Self::Lease(lease) => Some(lease),
            Self::Classic(_) => None,
        }
    }

    /// Who holds it, for people.
    pub fn holder(&self) -> String {
        match self {
            Self::Lease(lease) => {
                let Owner { owner, host, pid } = &lease.by;
                daylily_lifecycle::outcome::told(format!("{owner} (process {pid} on {host})"))
            }
            Self::Classic(Body { reason: Some(text), .. }) => format!("'{text}'"),
            Self::Classic(Body { at: Some(at), .. }) => format!("a monitor that wrote {at}"),
            Self::Classic(_) => "a monitor that wrote nothing".to_owned(),
        }
    }
}
