//! Owns starting one ssh master: the words of its command line, the time it is given,
//! and what its log tells when it does not come about. Who may use it is decided
//! elsewhere.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use nix::unistd::{Uid, User};
use openssh::Session;

use super::here::{no_file, no_folder, not_started};
use super::log::{Names, some_fault, word};
use super::masters::LineSettings;
use super::remnants::Turn;
use crate::adapters::host::local::Group;
use crate::mask::masked;

/// What a connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// Scripts and their answers.
    Scripts,
    /// Files.
    Bulk,
}

/// A living master answers at once; one that does not in this time is none.
const CHECK: Duration = Duration::from_secs(5);
/// For asking a master to end.
const EXIT: Duration = Duration::from_secs(5);
/// Of what ssh says, the end.
const LOG_MAX: u64 = 16 << 10;

/// Whether a master listens at the socket. It says nothing of the other side.
pub(super) async fn answers(socket: &Path) -> bool {
    let session = Session::resume_mux(socket.into(), None);
    matches!(tokio::time::timeout(CHECK, session.check()).await, Ok(Ok(())))
}

/// Starts a master. It goes to the background by itself once somebody is let in, and
/// ends by itself when nothing has used it for ten minutes.
pub(super) async fn connect(
    settings: &LineSettings,
    socket: &Path,
    carries: Carries,
) -> Result<(), Fault> {
    let names = names(settings);
    let log = log_of(socket);
    settings.folder.ensure().map_err(|error| no_folder(&error))?;
    let turn = turn(socket).await.map_err(|error| no_file(socket, &error))?;
    if answers(socket).await {
        // Another process of ours was first.
        return Ok(());
    }
    turn.end_remnants(socket);
    remove(socket).map_err(|error| no_file(socket, &error))?;
    remove(&log).map_err(|error| no_file(&log, &error))?;
    // What a jump host's ssh says goes there too, since it keeps standard error open for
    // as long as it lives, which no pipe of ours should be.
    let said = File::options().append(true).create_new(true).mode(0o600).open(&log);
    let said = said.map_err(|error| no_file(&log, &error))?;
    let also = said.try_clone().map_err(|error| no_file(&log, &error))?;

    #[allow(clippy::disallowed_methods, reason = "this is the adapter that starts programs")]
    let mut command = tokio::process::Command::new("ssh");
    command.args(words(settings, socket, &log, carries)).process_group(0).current_dir("/");
    command.stdin(Stdio::null()).stdout(said).stderr(also);
    let mut child = command.spawn().map_err(|error| not_started(&error))?;
    let mut group = Group::of(&child);
    // It minds the connection and the greeting; what comes then may hang as well.
    let limit = settings.connect_timeout * 2 + Duration::from_secs(5);
    let ended = match tokio::time::timeout(limit, child.wait()).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => {
            let text = format!("wait for ssh: {error}");
            return Err(Fault::new(FaultClass::TransientHost, text));
        }
        Err(_) => {
            drop(group);
            let otherwise = format!("no connection has come about in {} s", limit.as_secs());
            return Err(some_fault(&said_in(&log), &otherwise, &names));
        }
    };
    // What is left of it is the master, in a session of its own, and a jump host's ssh.
    group.spare();
    match ended.success() && answers(socket).await {
        true => Ok(()),
        false => {
            let said = said_in(&log);
            tracing::debug!(headnode = names.headnode, said, "ssh did not connect");
            Err(some_fault(&said, &format!("ssh ended with {ended} and no word"), &names))
        }
    }
}

/// Why a master is gone, as far as it said so.
pub(super) fn lost(settings: &LineSettings, socket: &Path) -> Fault {
    some_fault(&said_in(&log_of(socket)), "the connection was lost", &names(settings))
}

/// Asks a master of ours to end, and takes away what is left of it.
pub(super) async fn exit(socket: &Path) {
    if socket.symlink_metadata().is_ok() {
        #[allow(clippy::disallowed_methods, reason = "this is the adapter that starts programs")]
        let mut command = tokio::process::Command::new("ssh");
        // The name is asked for and not used.
        command.args(["-F", "none", "-O", "exit", "-S"]).arg(escaped(socket)).args(["--", "x"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true);
        if let Ok(mut child) = command.spawn() {
            let _ = tokio::time::timeout(EXIT, child.wait()).await;
        }
    }
    // There is none where there is no folder.
    let turn = turn(socket).await.ok();
    if let Some(turn) = &turn {
        turn.end_remnants(socket);
    }
    for file in [socket, &log_of(socket)] {
        // It may be gone already, and nothing depends on it.
        let _ = remove(file);
    }
    if let Some(turn) = turn {
        turn.leave();
    }
}

async fn turn(socket: &Path) -> io::Result<Turn> {
    let socket = socket.to_owned();
    let waiting = tokio::task::spawn_blocking(move || Turn::wait(&socket));
    waiting.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

pub(super) fn names(settings: &LineSettings) -> Names {
    let ssh = match &settings.config_file {
        Some(file) => format!("ssh -F {}", word(&file.to_string_lossy())),
        None => "ssh".to_owned(),
    };
    let us = User::from_uid(Uid::effective()).ok().flatten().map(|user| user.name);
    Names {
        headnode: settings.headnode.to_string(),
        ssh,
        host: word(&settings.host),
        us: us.unwrap_or_else(|| Uid::effective().to_string()),
    }
}

/// As ssh takes a ControlPath: a % begins what it replaces.
pub(super) fn escaped(socket: &Path) -> OsString {
    let mut escaped = Vec::new();
    for &byte in socket.as_os_str().as_encoded_bytes() {
        escaped.push(byte);
        if byte == b'%' {
            escaped.push(byte);
        }
    }
    std::os::unix::ffi::OsStringExt::from_vec(escaped)
}

fn words(settings: &LineSettings, socket: &Path, log: &Path, carries: Carries) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["-M", "-N", "-S"].map(OsString::from).to_vec();
    words.extend([escaped(socket), "-E".into(), log.into()]);
    let timeout = format!("ConnectTimeout={}", settings.connect_timeout.as_secs().max(1));
    let options = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "LogLevel=ERROR",
        "ClearAllForwardings=yes",
        "RemoteCommand=none",
        "PermitLocalCommand=no",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "ControlPersist=10m",
        &timeout,
    ];
    let cipher = match carries {
        Carries::Scripts => None,
        // What ssh prefers by itself keeps a core busy long before the network is full.
        Carries::Bulk => Some("Ciphers=^aes128-gcm@openssh.com"),
    };
    for option in options.into_iter().chain(cipher) {
        words.extend(["-o".into(), option.into()]);
    }
    if let Some(file) = &settings.config_file {
        words.extend(["-F".into(), file.into()]);
    }
    words.extend(["--".into(), (&settings.host).into()]);
    words
}

fn log_of(socket: &Path) -> PathBuf {
    socket.with_extension("log")
}

fn said_in(log: &Path) -> String {
    // Without it there is nothing to tell.
    end_of(log).unwrap_or_default()
}

fn end_of(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let before = file.metadata()?.len().saturating_sub(LOG_MAX);
    file.seek(SeekFrom::Start(before))?;
    let mut said = Vec::new();
    file.take(LOG_MAX).read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said);
    // What is left of a line could be taken for another.
    let whole = said.split_once('\n').filter(|_| before > 0).map(|(_, whole)| whole);
    Ok(masked(whole.unwrap_or(&said)).into_owned())
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
