//! Owns the question whether there is room, asked before a copy begins: a full disk
//! met half way stops other people's work too.

use std::path::Path;

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use nix::errno::Errno;
use nix::sys::statvfs::statvfs;

use super::fault::{Side, fault};

/// What is still to be written, as far as sizes and times tell.
#[derive(Debug, Default)]
pub(in crate::adapters::host) struct Need {
    pub(in crate::adapters::host) bytes: u64,
    pub(in crate::adapters::host) files: u64,
}

impl Need {
    /// What has to be free for it.
    pub(in crate::adapters::host) fn with_spare(&self) -> u64 {
        self.bytes.saturating_add(SPARE.max(self.bytes / 20))
    }
}

/// File systems do worse when full, and folders and lists need room as well.
const SPARE: u64 = 16 * 1024 * 1024;

/// What a file system still has.
#[derive(Debug, Clone, Copy)]
pub(in crate::adapters::host) struct Room {
    /// What unprivileged users may take, not what root may.
    pub(in crate::adapters::host) bytes: u64,
    /// Some file systems do not count files and say 0 of 0.
    pub(in crate::adapters::host) files: Option<u64>,
}

impl Room {
    /// Whether what is needed fits in, said of `shown`.
    pub(in crate::adapters::host) fn holds(self, need: &Need, shown: &str) -> Result<(), Fault> {
        let free = self.bytes;
        let needed = need.with_spare();
        if free < needed {
            let (free, needed) = (ByteCount(free), ByteCount(needed));
            let text = format!("{shown} has {free} free and this case needs {needed}");
            return Err(Fault::new(FaultClass::NoSpace, text));
        }
        match self.files {
            Some(free) if free < need.files => {
                let needed = need.files;
                let text =
                    format!("{shown} has room for {free} more files and this case needs {needed}");
                Err(Fault::new(FaultClass::NoSpace, text))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Asks the file system on which `dest` is, or will be made.
pub(in crate::adapters::host) fn check_room(dest: &Path, need: &Need) -> Result<(), Fault> {
    let mut there = dest;
    let stat = loop {
        match (statvfs(there), there.parent()) {
            (Ok(stat), _) => break stat,
            (Err(Errno::ENOENT), Some(parent)) => there = parent,
            (Err(errno), _) => return Err(fault(Side::Dest, "look at", there, errno)),
        }
    };
    let room = Room {
        bytes: stat.blocks_available().saturating_mul(stat.fragment_size()),
        files: (stat.files() > 0).then(|| stat.files_available()),
    };
    room.holds(need, &dest.display().to_string())
}
