//! Owns what an earlier start may have left at a socket: an ssh that was still connecting
//! when its daemon died, or a master that stands still. Neither answers, and neither ends
//! by itself: one that finds its socket taken carries on without it for ever.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use super::connect::escaped;

/// The turn of whoever starts or ends a master at a socket, among all processes. The kernel
/// takes it from the dead, so that while one has it no ssh there has a living starter.
pub(super) struct Turn {
    lock: Flock<File>,
    path: PathBuf,
}

impl Turn {
    /// Waits for it, so it belongs on a thread that may block. Others have it no longer than
    /// a connection may take to come about.
    pub(super) fn wait(socket: &Path) -> io::Result<Self> {
        let path = socket.with_extension("lock");
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        loop {
            let file = options.open(&path)?;
            let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
            // Whoever had it before may have taken the file away.
            let named = path.metadata().map(|named| named.ino());
            if named.is_ok_and(|named| lock.metadata().is_ok_and(|held| held.ino() == named)) {
                return Ok(Self { lock, path });
            }
        }
    }

    /// Gives it back for good: nothing of it is left.
    pub(super) fn leave(self) {
        // It may be gone already, and nothing depends on it.
        let _ = std::fs::remove_file(&self.path);
        drop(self.lock);
    }

    /// Ends every master of ours at the socket, whatever it is about.
    pub(super) fn end_remnants(&self, socket: &Path) {
        let Ok(processes) = std::fs::read_dir("/proc") else { return };
        for process in processes.flatten() {
            let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
            let ours = process.metadata().is_ok_and(|of| of.uid() == Uid::effective().as_raw());
            let Some(pid) = pid.filter(|_| ours) else { continue };
            let words = std::fs::read(process.path().join("cmdline"));
            if words.is_ok_and(|words| is_master_at(&words, socket)) {
                tracing::debug!(pid, socket = %socket.display(), "ended what was left of a connection");
                // It may have ended by itself meanwhile.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

/// By its command line, each word ended by a NUL: as we start it, or as it calls itself once
/// it is in the background.
fn is_master_at(words: &[u8], socket: &Path) -> bool {
    let path = socket.as_os_str().as_bytes();
    let title = [b"ssh: ", path, b" [mux]"].concat();
    let named = escaped(socket);
    let mut words = words.split(|byte| *byte == 0);
    match words.next() {
        Some(first) if first == title => true,
        Some(first) if first == b"ssh" || first.ends_with(b"/ssh") => {
            let begin: [&[u8]; 4] = [b"-M", b"-N", b"-S", named.as_bytes()];
            words.take(begin.len()).eq(begin)
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_one(words: &str) -> bool {
        is_master_at(words.replace(' ', "\0").as_bytes(), Path::new("/run/us/ab-scripts"))
    }

    #[test]
    fn a_master_is_told_from_its_clients_and_from_others() {
        assert!(is_one("ssh -M -N -S /run/us/ab-scripts -E /run/us/ab-scripts.log -- hpc"));
        assert!(is_one("/usr/bin/ssh -M -N -S /run/us/ab-scripts"));
        assert!(is_master_at(b"ssh: /run/us/ab-scripts [mux]\0", Path::new("/run/us/ab-scripts")));
        assert!(!is_one("ssh -F none -S /run/us/ab-scripts -o ControlMaster=no hpc"), "a client");
        assert!(!is_one("ssh -M -N -S /run/us/ab-scripts2"), "another socket");
        assert!(!is_one("vi -M -N -S /run/us/ab-scripts"), "another program");
        assert!(!is_master_at(b"", Path::new("/run/us/ab-scripts")), "a kernel thread");
    }
}
