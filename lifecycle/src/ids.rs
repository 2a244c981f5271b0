//! Owns the names by which things are told apart. Every id is a type of its own,
//! so that a case can never be passed where an attempt is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// A case for ever: a ULID, given when its folder is first seen.
    CaseId
);
text_id!(
    /// One try at running a case: `dw-<ulid>`, also its label in the queue and
    /// the name of its attempt directory.
    AttemptId
);
text_id!(
    /// The name of an intake in the configuration.
    IntakeName
);
text_id!(
    /// The name of a case's folder as people see it. A byte that is not UTF-8
    /// stands as `\xNN`; such a case is rejected, so the name is for reading only.
    CaseName
);
text_id!(
    /// The name of a headnode in the configuration.
    HeadnodeName
);
text_id!(
    /// The name of a queue group in the configuration.
    GroupName
);
text_id!(
    /// The name of a pipeline in the configuration.
    PipelineName
);
text_id!(
    /// What a queue calls an entry. Queues give the same id out again, so it is
    /// shown to people and never used to tell jobs apart.
    TaskId
);
text_id!(
    /// Who did something: a person as `name (uid 1000)`, or `daylily-watch`.
    Actor
);
text_id!(
    /// A hash over the (path, size, modification time) of every file of a tree.
    Fingerprint
);
text_id!(
    /// A BLAKE3 hash over the paths and contents of a tree, as hex.
    Digest
);
text_id!(
    /// What tells a folder from another one made later under the same name
    /// (inode and birth time).
    FolderIdentity
);

/// Which time a name has arrived in its intake, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arrival(pub u32);

impl Arrival {
    pub const FIRST: Self = Self(1);

    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A count of bytes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ByteCount(pub u64);

impl fmt::Display for ByteCount {
    /// In binary units with at most one decimal: `80 GiB`, `4.1 TiB`, `512 bytes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 == 1 {
            return f.write_str("1 byte");
        }
        if self.0 < 1024 {
            return write!(f, "{} bytes", self.0);
        }
        // Tenths of the unit, in integers: a float would print 1024.0 KiB for just under 1 MiB.
        let mut tenths = u128::from(self.0) * 10 / 1024;
        let mut unit = 0;
        while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
            tenths /= 1024;
            unit += 1;
        }
        match (tenths / 10, tenths % 10) {
            (whole, 0) => write!(f, "{whole} {}", UNITS[unit]),
            (whole, _) if whole >= 100 => write!(f, "{whole} {}", UNITS[unit]),
            (whole, tenth) => write!(f, "{whole}.{tenth} {}", UNITS[unit]),
        }
    }
}

/// One place in a queue group, perhaps with a GPU.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    pub headnode: HeadnodeName,
    pub group: GroupName,
    /// Counted from 0 within the group.
    pub slot: u32,
    /// What CUDA_VISIBLE_DEVICES is to say for it: an index or a UUID.
    pub gpu: Option<String>,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.headnode, self.group, self.slot)
    }
}
