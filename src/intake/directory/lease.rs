//! Owns the one question that the kernel answers only through leases: does anybody
//! hold this file open for writing? A read lease is granted only where nobody does,
//! writers in other containers, kernel servers and writable mappings included. Taken
//! and given back at once; nothing here keeps one.

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::sys::statfs::{
    BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC,
    XFS_SUPER_MAGIC, fstatfs,
};

/// What the attempt to take a read lease says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    NoWriter,
    /// Also our own descriptors count.
    Writer,
    /// Not our file and no CAP_LEASE, or a file system without leases.
    NotAllowed,
}

/// From the kernel's asm-generic/fcntl.h; the libc crate does not have it.
const F_SETSIG: c_int = 10;

/// `file` must be a regular file opened for reading only.
pub(super) fn probe(file: &File) -> io::Result<Lease> {
    // Somebody who opens the file for writing while we hold the lease breaks it, and
    // the kernel then signals us: by default with SIGIO, which would end the process.
    // SIGURG is ignored unless a program asks for it.
    fcntl(file, F_SETSIG, libc::SIGURG)?;
    match fcntl(file, libc::F_SETLEASE, libc::F_RDLCK) {
        Ok(()) => {}
        Err(error) => {
            return match error.raw_os_error() {
                Some(libc::EAGAIN) if refuses_for_writers_only(file) => Ok(Lease::Writer),
                Some(libc::EAGAIN) => Ok(Lease::NotAllowed),
                Some(
                    libc::EACCES
                    | libc::EPERM
                    | libc::EINVAL
                    | libc::ENOLCK
                    | libc::EOPNOTSUPP
                    | libc::ENOSYS,
                ) => Ok(Lease::NotAllowed),
                _ => Err(error),
            };
        }
    }
    // Giving back fails when the lease was broken meanwhile and taken from us; closing
    // the file gives it back in any case.
    let _ = fcntl(file, libc::F_SETLEASE, libc::F_UNLCK);
    Ok(Lease::NoWriter)
}

/// NFS and SMB also refuse a lease with EAGAIN (older NFS: ENOLCK), namely whenever the
/// server has given them no delegation (nfs4_add_lease, cifs_setlease in the kernel).
/// Believed, that would show a writer on every file; so only file systems known to
/// keep leases themselves are believed.
fn refuses_for_writers_only(file: &File) -> bool {
    fstatfs(file).is_ok_and(|about| keeps_leases_itself(about.filesystem_type()))
}

fn keeps_leases_itself(kind: FsType) -> bool {
    const BCACHEFS: FsType = FsType(0xca45_1a4e);
    const F2FS: FsType = FsType(0xf2f5_2010);
    const ZFS: FsType = FsType(0x2fc1_2fc1);
    [
        EXT4_SUPER_MAGIC,
        XFS_SUPER_MAGIC,
        BTRFS_SUPER_MAGIC,
        TMPFS_MAGIC,
        OVERLAYFS_SUPER_MAGIC,
        BCACHEFS,
        F2FS,
        ZFS,
    ]
    .contains(&kind)
}

#[allow(unsafe_code, reason = "neither nix nor rustix wraps F_SETLEASE and F_SETSIG")]
fn fcntl(file: &File, command: c_int, argument: c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open for the whole call, because `file` is borrowed.
    // F_SETLEASE and F_SETSIG, the only commands passed here, take an int by value and
    // touch no memory of ours. Neither changes who owns the descriptor.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
