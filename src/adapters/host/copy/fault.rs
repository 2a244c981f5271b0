//! Owns what an error of the operating system means for a copy. One table, by the
//! side on which it happened.

use std::fmt::Display;
use std::io;
use std::path::Path;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use nix::errno::Errno;

use crate::tree::TreeError;

/// Which end of a copy an error came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Source,
    Dest,
}

/// | error | source | destination |
/// |---|---|---|
/// | ENOSPC, EDQUOT | transient | no space |
/// | EACCES, EPERM | fatal for the case: nobody repairs it by waiting | transient: permissions and mounts of a work_dir come back |
/// | EROFS | transient | transient, as above |
/// | ENAMETOOLONG, EFBIG, EILSEQ | fatal for the case | fatal for the case: its file system cannot hold the file |
/// | ELOOP, ENOTDIR | transient: the source was changed under way | fatal for the case: something else is in the way |
/// | ENOENT | transient: it vanished | transient |
/// | EIO, ESTALE, ETIMEDOUT, everything else | transient | transient |
pub fn classify(error: &io::Error, side: Side) -> FaultClass {
    let Some(errno) = error.raw_os_error().map(Errno::from_raw) else {
        return FaultClass::TransientStep;
    };
    match (errno, side) {
        (Errno::ENOSPC | Errno::EDQUOT, Side::Dest) => FaultClass::NoSpace,
        (Errno::EACCES | Errno::EPERM, Side::Source)
        | (Errno::ENAMETOOLONG | Errno::EFBIG | Errno::EILSEQ, _)
        | (Errno::ELOOP | Errno::ENOTDIR, Side::Dest) => FaultClass::FatalCase,
        _ => FaultClass::TransientStep,
    }
}

/// A fault with its whole chain as one text: faults are stored, not unwound.
pub(in crate::adapters::host) fn fault(
    side: Side,
    doing: &str,
    path: &Path,
    error: impl Into<io::Error>,
) -> Fault {
    let error = error.into();
    let class = classify(&error, side);
    if class == FaultClass::NoSpace {
        return Fault::new(class, format!("no room left to {doing} {}: {error}", path.display()));
    }
    Fault::new(class, format!("{doing} {}: {error}", path.display()))
}

pub(in crate::adapters::host) fn changed(path: &Path) -> Fault {
    transient(format_args!("{} changed while it was copied", path.display()))
}

pub(in crate::adapters::host) fn transient(text: impl Display) -> Fault {
    Fault::new(FaultClass::TransientStep, text.to_string())
}

pub(in crate::adapters::host) fn fatal(text: impl Display) -> Fault {
    Fault::new(FaultClass::FatalCase, text.to_string())
}

pub(in crate::adapters::host) fn of_tree(error: TreeError) -> Fault {
    match error {
        TreeError::Io { path, source } => fault(Side::Source, "read", &path, source),
        TreeError::NotUtf8 { .. } | TreeError::TooLong { .. } => fatal(&error),
        TreeError::Stopped => transient(&error),
        TreeError::Pattern { pattern, source } => {
            fatal(format_args!("the pattern {pattern:?} cannot be used: {source}"))
        }
    }
}

#[cfg(test)]
mod tests;
