//! Owns the search for processes that hold a file of a case open for writing: by
//! lease where the kernel allows it, else in /proc. It opens regular files only, and
//! without waiting.
//!
//! Limits: /proc shows neither a writable mapping whose descriptor was closed nor
//! writers on other hosts; a lease sees the mapping. While a lease is probed, an open
//! for writing with O_NONBLOCK may be refused once, another waits for microseconds.

use std::collections::HashSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use daylily_lifecycle::settle::Writers;

use super::lease::{self, Lease};

/// How far other users' writers can be seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// By a lease on any file.
    Lease,
    /// By /proc, which shows all processes.
    Proc,
    /// Only our own files allow a lease, and /proc hides processes of others.
    OwnOnly,
}

/// CAP_LEASE of the kernel's capability.h.
const CAP_LEASE: u32 = 28;

pub fn sight() -> Sight {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    if effective.is_some_and(|set| set & (1 << CAP_LEASE) != 0) {
        Sight::Lease
    } else if OpenFiles::read().hidden {
        Sight::OwnOnly
    } else {
        Sight::Proc
    }
}

/// One search, over the files of one scan.
#[derive(Debug, Default)]
pub(super) struct Search {
    found: Option<String>,
    /// Read when the first file allows no lease.
    table: Option<OpenFiles>,
}

impl Search {
    /// Looks at one regular file. An error means that it cannot be read.
    pub(super) fn look(&mut self, path: &str, full: &Path, meta: &Metadata) -> io::Result<()> {
        let file = match open_regular(full) {
            // Somebody has a write lease on it, as Samba takes for a client that writes.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.found.get_or_insert_with(|| path.to_owned());
                return Ok(());
            }
            opened => opened?,
        };
        let opened = file.metadata()?;
        if self.found.is_some() || !opened.is_file() {
            return Ok(());
        }
        let written = match lease::probe(&file)? {
            Lease::NoWriter => false,
            Lease::Writer => true,
            Lease::NotAllowed => {
                let table = self.table.get_or_insert_with(OpenFiles::read);
                table.written.contains(&(meta.dev(), meta.ino()))
            }
        };
        if written {
            self.found = Some(path.to_owned());
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Writers {
        match (self.found, self.table) {
            (Some(path), _) => Writers::Open { path },
            (None, Some(table)) if table.hidden => Writers::NoneVisible,
            (None, Some(_) | None) => Writers::None,
        }
    }
}

/// Without O_NONBLOCK a FIFO that took the file's place would stop the scan.
fn open_regular(full: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(full)
}

/// The files that processes of this machine hold open for writing, by device and inode.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    written: HashSet<(u64, u64)>,
    /// There are processes whose files we may not see.
    hidden: bool,
}

/// The inode of the first process namespace, which the kernel fixes
/// (PROC_PID_INIT_INO in its proc_ns.h). In another one we do not see all processes.
const FIRST_PROCESS_NAMESPACE: u64 = 0xEFFF_FFFC;

impl OpenFiles {
    fn read() -> Self {
        let mut files = Self::default();
        let namespace = std::fs::metadata("/proc/self/ns/pid").map(|meta| meta.ino());
        // Under hidepid not even process 1 is there.
        let first = std::fs::symlink_metadata("/proc/1");
        files.hidden = !namespace.is_ok_and(|ino| ino == FIRST_PROCESS_NAMESPACE) || first.is_err();
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return Self { hidden: true, ..files };
        };
        for process in processes.flatten() {
            let name = process.file_name();
            if name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
                files.read_process(&process.path());
            }
        }
        files
    }

    fn read_process(&mut self, process: &Path) {
        let descriptors = match std::fs::read_dir(process.join("fd")) {
            Ok(descriptors) => descriptors,
            Err(error) => {
                self.hidden |= error.kind() == io::ErrorKind::PermissionDenied;
                return;
            }
        };
        for descriptor in descriptors.flatten() {
            let link = descriptor.path();
            // Pipes and sockets have no path: `pipe:[1234]`.
            if !std::fs::read_link(&link).is_ok_and(|target| target.is_absolute()) {
                continue;
            }
            let info = process.join("fdinfo").join(descriptor.file_name());
            let info = std::fs::read_to_string(info).unwrap_or_default();
            // What cannot be read any more has been closed.
            if opened_for_writing(&info)
                && let Ok(meta) = std::fs::metadata(&link)
                && meta.is_file()
            {
                self.written.insert((meta.dev(), meta.ino()));
            }
        }
    }
}

/// From the text of `/proc/<pid>/fdinfo/<fd>`: the flags are octal.
fn opened_for_writing(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_ACCMODE != libc::O_RDONLY)
}

#[cfg(test)]
mod tests;
