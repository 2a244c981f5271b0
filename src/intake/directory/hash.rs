//! Owns reading a whole folder for its digest, asked for only where a name comes
//! back: is the content the same as before? Special files are not part of it; a case
//! with one is rejected.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::Digest;
use tokio_util::sync::CancellationToken;

use crate::tree::{Kind, Names, TreeError, walk};
use crate::tree_digest::TreeDigest;

#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("stopped while reading {}", folder.display())]
    Stopped { folder: PathBuf },
    #[error("hash {}", folder.display())]
    Walk {
        folder: PathBuf,
        #[source]
        source: TreeError,
    },
}

/// How much is read between two looks at `stop`.
const CHUNK: usize = 256 * 1024;

/// The digest of a folder, the marker (relative to it) and ignored names left out. It
/// blocks for as long as reading takes. A file that cannot be read whole is an error:
/// a digest of less would say that content is new when it is not.
pub fn digest(
    folder: &Path,
    ignore: &Names,
    marker: Option<&str>,
    stop: &CancellationToken,
) -> Result<Digest, HashError> {
    let mut digest = TreeDigest::new();
    let mut buffer = vec![0; CHUNK];
    let walked = walk(folder, ignore, &mut |entry| {
        match &entry.kind {
            Kind::File if marker == Some(&entry.path) => {}
            Kind::File => {
                let (size, hash) = hash_file(&folder.join(&entry.path), &mut buffer, stop)?;
                digest.file(&entry.path, size, hash);
            }
            Kind::Folder => digest.folder(&entry.path),
            Kind::Symlink { target } => digest.symlink(&entry.path, target),
            Kind::Special => {}
        }
        Ok(())
    });
    match walked {
        Ok(()) => Ok(digest.finish()),
        Err(TreeError::Stopped) => Err(HashError::Stopped { folder: folder.to_owned() }),
        Err(source) => Err(HashError::Walk { folder: folder.to_owned(), source }),
    }
}

fn hash_file(
    path: &Path,
    buffer: &mut [u8],
    stop: &CancellationToken,
) -> Result<(u64, blake3::Hash), TreeError> {
    let failed = |source| TreeError::Io { path: path.to_owned(), source };
    // Neither a FIFO nor a symlink that took the file's place may be followed.
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    loop {
        if stop.is_cancelled() {
            return Err(TreeError::Stopped);
        }
        match file.read(buffer) {
            Ok(0) => return Ok((hasher.count(), hasher.finalize())),
            Ok(read) => {
                hasher.update(&buffer[..read]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(failed(source)),
        }
    }
}

#[cfg(test)]
mod tests;
