//! Owns what it means that a connection cannot be begun because of this machine: what it
//! lacks just now comes back by itself, what a person must change does not.

use std::fmt::Display;
use std::io;
use std::path::Path;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use nix::errno::Errno;

use super::sockets::SocketError;

/// `ssh` itself was not started.
pub(super) fn not_started(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => {
            let text = format!("start ssh: {error}\nhint: apt install openssh-client");
            Fault::new(FaultClass::FatalHost, text)
        }
        _ => passing("start ssh", error, lacks(error)),
    }
}

/// A file beside the socket could not be made or removed.
pub(super) fn no_file(path: &Path, error: &io::Error) -> Fault {
    let what = path.display();
    match (lacks(error), error.kind()) {
        (Some(lacks), _) => passing(what, error, Some(lacks)),
        (None, io::ErrorKind::NotFound) => passing(what, error, Some(GONE)),
        (None, _) => {
            let text = format!("{what}: {error}\nhint: see who may write there");
            Fault::new(FaultClass::FatalHost, text)
        }
    }
}

/// The folder of the sockets is not there, or not ours.
pub(super) fn no_folder(error: &SocketError) -> Fault {
    match error {
        SocketError::Make { path, source } => {
            let fault = no_file(path, source);
            Fault::new(fault.class, format!("cannot make {}", fault.text))
        }
        SocketError::NotOurs { .. } | SocketError::TooLong { .. } => {
            Fault::new(FaultClass::FatalHost, error.to_string())
        }
    }
}

const GONE: &str = "the folder it is in has gone, as a runtime directory does when its user \
                    logs out: `loginctl enable-linger` keeps it, or start daylily-watch again";

fn passing(what: impl Display, error: &io::Error, hint: Option<&str>) -> Fault {
    let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    Fault::new(FaultClass::TransientHost, format!("{what}: {error}{hint}"))
}

/// What this machine has no more of at present.
fn lacks(error: &io::Error) -> Option<&'static str> {
    let lacked = [
        (Errno::EAGAIN, "this machine has no room for another process: see `ulimit -u` here"),
        (Errno::ENOMEM, "this machine has no memory left: see `free -h` here"),
        (Errno::EMFILE, "daylily-watch has too many files open: see `ulimit -n` here"),
        (Errno::ENFILE, "this machine has too many files open: see fs.file-max here"),
        (Errno::ENOSPC, "this machine has no room left on that disk: see `df -h` and `df -i` here"),
        (Errno::EDQUOT, "our quota on that disk is used up: see `quota` here"),
    ];
    let code = error.raw_os_error()?;
    lacked.into_iter().find(|(errno, _)| *errno as i32 == code).map(|(_, hint)| hint)
}

#[cfg(test)]
mod tests;
