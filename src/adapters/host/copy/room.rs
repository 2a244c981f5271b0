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
pub(super) struct Need {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

/// File systems do worse when full, and folders and lists need room as well.
const SPARE: u64 = 16 * 1024 * 1024;

/// Asks the file system on which `dest` is, or will be made.
pub(super) fn check_room(dest: &Path, need: &Need) -> Result<(), Fault> {
    let mut there = dest;
    let stat = loop {
        match (statvfs(there), there.parent()) {
            (Ok(stat), _) => break stat,
            (Err(Errno::ENOENT), Some(parent)) => there = parent,
            (Err(errno), _) => return Err(fault(Side::Dest, "look at", there, errno)),
        }
    };
    // What unprivileged users may take, not what root may.
    let free = stat.blocks_available().saturating_mul(stat.fragment_size());
    let needed = need.bytes.saturating_add(SPARE.max(need.bytes / 20));
    let shown = dest.display();
    if free < needed {
        let (free, needed) = (ByteCount(free), ByteCount(needed));
        let text = format!("{shown} has {free} free and this case needs {needed}");
        return Err(Fault::new(FaultClass::NoSpace, text));
    }
    // Some file systems do not count files and say 0 of 0.
    if stat.files() > 0 && stat.files_available() < need.files {
        let (free, needed) = (stat.files_available(), need.files);
        let text = format!("{shown} has room for {free} more files and this case needs {needed}");
        return Err(Fault::new(FaultClass::NoSpace, text));
    }
    Ok(())
}
