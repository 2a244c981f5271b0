//! Owns what the command line asks of folders that may not be there yet.

use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::ByteCount;
use nix::sys::statvfs::statvfs;

/// The folder itself, or the nearest one above it that is there.
pub(super) fn nearest(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|path| path.symlink_metadata().is_ok())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// What unprivileged users may write there, or where it will be made.
pub(super) fn free(path: &Path) -> Option<ByteCount> {
    let stat = statvfs(&nearest(path)).ok()?;
    Some(ByteCount(stat.blocks_available().saturating_mul(stat.fragment_size())))
}
