//! Owns where the sockets of our ssh connections are: a folder that is ours alone, and
//! one fixed name for each connection, so that what a crash leaves is found again.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

/// A socket's path has room for 107 bytes, and ssh puts 17 of its own behind it while it
/// makes one.
const LONGEST: usize = 80;

/// Holds nothing but the sockets of this user's daemons and what ssh says beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFolder {
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("cannot make {}", path.display())]
    Make {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{} must be a folder of ours that nobody else may enter\n\
         hint: somebody else may have made it: remove it, or set XDG_RUNTIME_DIR",
        path.display()
    )]
    NotOurs { path: PathBuf },
    #[error(
        "{} is too long for a socket\nhint: set XDG_RUNTIME_DIR to a shorter path",
        path.display()
    )]
    TooLong { path: PathBuf },
}

impl SocketFolder {
    /// Below `$XDG_RUNTIME_DIR` where that is a folder of ours, else below /tmp.
    pub fn of_this_user() -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "where the system keeps a user's sockets is no configuration"
        )]
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let uid = Uid::effective();
        // After `su` it may be another user's, who could put anything in its place.
        let is_ours = |dir: &PathBuf| {
            dir.is_absolute()
                && dir.metadata().is_ok_and(|found| found.is_dir() && found.uid() == uid.as_raw())
        };
        let path = match runtime.filter(is_ours) {
            Some(runtime) => runtime.join("daylily-watch"),
            None => PathBuf::from(format!("/tmp/daylily-watch-{uid}")),
        };
        Self { path }
    }

    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The socket that is told from all others by `parts`. Nothing is made.
    pub(super) fn socket(&self, parts: &[&[u8]], role: &str) -> Result<PathBuf, SocketError> {
        let mut hash = blake3::Hasher::new();
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let hash = hash.finalize().to_hex();
        let path = self.path.join(format!("{}-{role}", &hash[..16]));
        if path.as_os_str().len() >= LONGEST {
            return Err(SocketError::TooLong { path });
        }
        Ok(path)
    }

    /// Makes the folder where it is missing; one that others could have a hand in is refused.
    pub(super) fn ensure(&self) -> Result<(), SocketError> {
        let path = &self.path;
        let cannot = |source| SocketError::Make { path: path.clone(), source };
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot(error)),
        }
        match is_ours_alone(path).map_err(cannot)? {
            true => Ok(()),
            false => Err(SocketError::NotOurs { path: path.clone() }),
        }
    }
}

fn is_ours_alone(path: &Path) -> io::Result<bool> {
    let metadata = path.symlink_metadata()?;
    let closed = metadata.mode() & 0o077 == 0;
    Ok(metadata.is_dir() && closed && metadata.uid() == Uid::effective().as_raw())
}

#[cfg(test)]
mod tests;
