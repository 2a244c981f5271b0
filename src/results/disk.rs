//! Owns the few operations that make a change on disk either whole or not there.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::ResultsError;

/// What a name may have on the usual file systems, in bytes.
pub(super) const NAME_MAX: usize = 255;

pub(super) fn sync_folder(path: &Path) -> Result<(), ResultsError> {
    sync_file(path)
}

pub(super) fn sync_file(path: &Path) -> Result<(), ResultsError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    match synced {
        // Some network file systems cannot sync a folder and need not.
        Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => Ok(()),
        synced => synced.map_err(|error| ResultsError::io("sync", path, error)),
    }
}

/// Writes a file that is there whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ResultsError> {
    let temporary = path.with_added_extension("tmp");
    let failed = |error| ResultsError::io("write", path, error);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(mode).open(&temporary);
    let mut file = file.map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renamed {
    Yes,
    /// Something has the new name.
    Taken,
    /// It would have to be copied.
    OtherFileSystem,
    /// There is nothing of the old name.
    Gone,
}

/// Renames, never over something.
pub(super) fn rename_new(from: &Path, to: &Path) -> Result<Renamed, ResultsError> {
    let renamed = renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE);
    let renamed = match renamed {
        // NFS and older SMB do not know the flag. There a plain rename of a folder
        // still refuses to replace anything but an empty folder.
        Err(Errno::EINVAL | Errno::ENOSYS) if is_there(to)? => Err(Errno::EEXIST),
        Err(Errno::EINVAL | Errno::ENOSYS) => nix::fcntl::renameat(AT_FDCWD, from, AT_FDCWD, to),
        renamed => renamed,
    };
    match renamed {
        Ok(()) => Ok(Renamed::Yes),
        Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR | Errno::EISDIR) => {
            Ok(Renamed::Taken)
        }
        Err(Errno::EXDEV) => Ok(Renamed::OtherFileSystem),
        Err(Errno::ENOENT) if !is_there(from)? => Ok(Renamed::Gone),
        Err(errno) => Err(ResultsError::io("rename", from, errno)),
    }
}

pub(super) fn is_there(path: &Path) -> Result<bool, ResultsError> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(ResultsError::io("look at", path, error)),
    }
}

/// `name~1`, `name~2` and so on, the name cut where the whole would be too long.
pub(super) fn numbered(folder: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let (folder, name) = (folder.to_owned(), name.to_owned());
    (1_u64..).map(move |number| {
        let ending = format!("~{number}");
        let mut kept = name.len().min(NAME_MAX - ending.len());
        while !name.is_char_boundary(kept) {
            kept -= 1;
        }
        folder.join(format!("{}{ending}", &name[..kept]))
    })
}
