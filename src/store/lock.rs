//! Owns the lock that admits one daemon per state_dir. The flock alone decides; what
//! is written in the file only tells people who holds it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::StoreError;

/// Together 2 s.
const TRIES: u32 = 40;
const BETWEEN: Duration = Duration::from_millis(50);

/// Held as long as this lives. The kernel lets it go when the process ends, however.
#[derive(Debug)]
pub(super) struct StateLock {
    _held: Flock<File>,
}

impl StateLock {
    pub(super) fn take(state_dir: &Path) -> Result<Self, StoreError> {
        let path = state_dir.join("lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    StoreError::ReadOnly { path: state_dir.to_owned() }
                }
                io::ErrorKind::StorageFull => StoreError::Full { path: state_dir.to_owned() },
                _ => StoreError::File { doing: "open", path: path.clone(), source },
            })?;
        let mut held = match lock(file) {
            Ok(held) => held,
            Err((file, Errno::EWOULDBLOCK)) => {
                let state_dir = state_dir.to_owned();
                return Err(StoreError::Held { state_dir, holder: holder(file) });
            }
            Err((_, errno)) => return Err(StoreError::Lock { path, source: errno.into() }),
        };
        // Not knowing who it is would be a nuisance only, so a full disk is no obstacle here.
        let _ = sign(&mut held);
        Ok(Self { _held: held })
    }
}

/// What the lock tells whoever is not to have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    Held,
    Free,
    /// It is not ours to open.
    Unknown,
}

/// Whether somebody holds the lock at this moment. It makes no file, and what it holds
/// itself for an instant is shared, so a daemon that starts meanwhile only tries again.
pub fn look(state_dir: &Path) -> Lock {
    let file = match File::open(state_dir.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Lock::Free,
        Err(_) => return Lock::Unknown,
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_let_go_at_once) => Lock::Free,
        Err((_, Errno::EWOULDBLOCK)) => Lock::Held,
        Err(_) => Lock::Unknown,
    }
}

/// A daemon that was killed while it started a program has left a process that holds
/// the lock until that program runs, which is soon.
fn lock(mut file: File) -> Result<Flock<File>, (File, Errno)> {
    for _ in 0..TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Err((same, Errno::EWOULDBLOCK)) => file = same,
            answer => return answer,
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "the kernel tells nobody when a lock is free"
        )]
        std::thread::sleep(BETWEEN);
    }
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
}

fn sign(file: &mut File) -> io::Result<()> {
    let host = nix::sys::utsname::uname()?;
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {} on {}", std::process::id(), host.nodename().to_string_lossy())
}

fn holder(mut file: File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) | Err(_) => "which has not said who it is".to_owned(),
    }
}
