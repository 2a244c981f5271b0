//! Owns the words of an rsync command: the options, how the remote shell is passed to it,
//! and what begins the other side: a script that is put there first, and the few words that
//! the headnode's login shell reads. Shells differ in what they make of a quoted word, so
//! nothing of people's making is in those.

use std::ffi::OsString;
use std::path::Path;

use daylily_lifecycle::ids::{AttemptId, ByteCount};
use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::{Lease, Owner};
use crate::adapters::host::quote::quote;
use crate::plain::is_plain;

/// In each folder for which something is not whole yet, kept for the next try. No case may
/// have something of these names: rsync would not send it, and not say so.
pub(super) const PARTIAL: &str = ".daylily-watch-partial";
/// In the top folder, for what a killed receiver leaves under names of its own.
pub(super) const INCOMING: &str = ".daylily-watch-incoming";

/// rsync's own limit for a silent line. It does not see every hang; the watchdog does.
const TIMEOUT_SECONDS: u32 = 60;

/// What the headnode's side says when it does not even begin, on standard error.
pub(super) mod said {
    pub(in super::super) const HELD: &str = "daylily-watch: the lock is held";
    pub(in super::super) const OWNER: &str = "daylily-watch: not the owner";
    pub(in super::super) const NO_RSYNC: &str = "daylily-watch: there is no rsync";
    pub(in super::super) const NO_FOLDER: &str = "daylily-watch: the directory cannot be entered";
}

/// The headnode's side of a transfer.
pub(super) struct There<'a> {
    /// `<work_dir>/.daylily-watch`.
    pub(super) root: &'a str,
    pub(super) attempt: &'a AttemptId,
    /// The script's name in the attempt's directory.
    pub(super) file: &'static str,
    pub(super) owner: &'a Owner,
    pub(super) path: &'a [String],
    /// Held while it receives; None where it only reads.
    pub(super) lock: Option<&'a str>,
    pub(super) umask: u32,
    /// It works in there: then no path has to pass through a shell or rsync's own globs.
    pub(super) dir: &'a str,
}

/// How the headnode's side begins.
pub(super) struct Begin {
    /// The script's name in the attempt's directory.
    pub(super) file: &'static str,
    /// What the file holds, for a POSIX shell.
    pub(super) script: String,
    /// For `--rsync-path`: a line for any login shell, to which rsync appends its options.
    pub(super) program: String,
}

impl There<'_> {
    pub(super) fn begin(&self) -> Result<Begin, Fault> {
        let body = self.body()?;
        // A transfer of an earlier start that comes late must not begin by this script.
        let tag = blake3::hash(body.as_bytes()).to_hex();
        let script = format!("[ \"$1\" = {tag} ] || {}\nshift\n{body}", refuse(said::OWNER, 90));
        let file = format!("{}/{}/{}", self.root, self.attempt, self.file);
        if !file.chars().all(is_plain) {
            return Err(unusable(&file));
        }
        Ok(Begin { file: self.file, script, program: format!("/bin/sh '{file}' {tag}") })
    }

    fn body(&self) -> Result<String, Fault> {
        let mut path = String::new();
        for folder in self.path {
            match folder.strip_prefix("~/") {
                Some(below) => path.push_str(&format!("\"${{HOME:-/}}\"/{}:", word(below)?)),
                None => path.push_str(&format!("{}:", word(folder)?)),
            }
        }
        let mut text = format!(
            "LC_ALL=C\nexport LC_ALL\n\
             PATH={path}\"${{PATH:-/usr/local/bin:/usr/bin:/bin}}\"\nexport PATH\n\
             cd {} && {{ read -r owner; }} <owner && [ \"$owner\" = {} ] || {}\n",
            word(self.root)?,
            word(&self.owner.text())?,
            refuse(said::OWNER, 90),
        );
        if let Some(lock) = self.lock {
            text.push_str(&format!(
                "umask 077\ncommand exec 9>>{} || exit 1\nflock -n -E 75 9\n\
                 case $? in 0) ;; 75) {} ;; *) exit 1 ;; esac\numask {:04o}\n",
                word(lock)?,
                refuse(said::HELD, 75),
                self.umask & 0o777,
            ));
        }
        text.push_str(&format!(
            "cd {} || {}\ncommand -v rsync >/dev/null || {}\nexec rsync \"$@\"\n",
            word(self.dir)?,
            refuse(said::NO_FOLDER, 94),
            refuse(said::NO_RSYNC, 127),
        ));
        Ok(text)
    }
}

fn refuse(what: &str, code: u8) -> String {
    format!("{{ echo '{what}' >&2; exit {code}; }}")
}

/// What kind of transfer the options are for.
pub(super) enum Way<'a> {
    /// `lock` is held there meanwhile.
    Ship {
        source: &'a Path,
        lock: &'a str,
    },
    Fetch {
        to: &'a Path,
    },
}

impl Way<'_> {
    /// The script of the headnode's side, and what it locks.
    pub(super) fn there(&self) -> (&'static str, Option<&str>) {
        match self {
            Way::Ship { lock, .. } => ("rsync.sh", Some(lock)),
            Way::Fetch { .. } => ("fetch.sh", None),
        }
    }
}

/// All arguments. The list of paths comes on standard input, each ended by a NUL.
pub(super) fn arguments(
    way: &Way<'_>,
    lease: &Lease,
    program: &str,
    bandwidth: Option<ByteCount>,
) -> Result<Vec<OsString>, Fault> {
    let mut words: Vec<OsString> = [
        "--secluded-args",
        "--8-bit-output",
        "--files-from=-",
        "--from0",
        "--times",
        "--omit-dir-times",
        // What is on the list differs by a closer look than rsync's own.
        "--ignore-times",
        "--delay-updates",
        "--info=progress2",
        "--outbuf=L",
        "--stats",
        "--no-human-readable",
    ]
    .map(OsString::from)
    .into();
    words.push(format!("--timeout={TIMEOUT_SECONDS}").into());
    words.push(format!("--partial-dir={PARTIAL}").into());
    words.push(format!("--temp-dir={INCOMING}").into());
    if let Some(bandwidth) = bandwidth {
        // 0 would be no limit.
        words.push(format!("--bwlimit={}", (bandwidth.0 / 1024).max(1)).into());
    }
    words.push("-e".into());
    words.push(remote_shell(&lease.remote_shell)?.into());
    words.push(format!("--rsync-path={program}").into());
    let remote = format!("{}:./", host(&lease.host)?);
    match way {
        Way::Ship { source, .. } => {
            words.extend(
                ["--links", "--omit-link-times", "--no-perms", "--chmod=ugo=rwX", "--"]
                    .map(OsString::from),
            );
            words.push(in_full(source));
            words.push(remote.into());
        }
        Way::Fetch { to } => {
            words.extend(
                ["--copy-links", "--no-implied-dirs", "--perms", "--chmod=D700,F600", "--"]
                    .map(OsString::from),
            );
            words.push(remote.into());
            words.push(in_full(to));
        }
    }
    Ok(words)
}

/// A folder whose content is meant, and whose name cannot be taken for a remote one.
fn in_full(path: &Path) -> OsString {
    let mut word = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    word.push("/");
    word
}

/// Words as rsync splits `-e`: at blanks, with quotes that are doubled inside themselves.
fn remote_shell(words: &[String]) -> Result<String, Fault> {
    let quoted: Result<Vec<String>, Fault> = words
        .iter()
        .map(|text| match (text.contains('\''), text.contains('"')) {
            _ if text.contains('\0') => Err(unusable(text)),
            _ if !text.is_empty() && !text.contains([' ', '\t', '\n', '\'', '"']) => {
                Ok(text.clone())
            }
            (false, _) => Ok(format!("'{text}'")),
            (true, false) => Ok(format!("\"{text}\"")),
            (true, true) => Ok(format!("'{}'", text.replace('\'', "''"))),
        })
        .collect();
    Ok(quoted?.join(" "))
}

/// A host as rsync takes it: a colon would end it, unless it is in brackets.
fn host(host: &str) -> Result<String, Fault> {
    let (user, name) = match host.rsplit_once('@') {
        Some((user, name)) => (Some(user), name),
        None => (None, host),
    };
    let odd = |part: &str| part.is_empty() || part.starts_with('-') || part.contains(['/', '\0']);
    if odd(name) || user.is_some_and(|user| odd(user) || user.contains(':')) {
        return Err(unusable(host));
    }
    let name = if name.contains(':') && !name.starts_with('[') {
        format!("[{name}]")
    } else {
        name.into()
    };
    Ok(match user {
        Some(user) => format!("{user}@{name}"),
        None => name,
    })
}

fn word(text: &str) -> Result<String, Fault> {
    quote(text).map_err(|_| unusable(text))
}

fn unusable(text: &str) -> Fault {
    Fault::new(FaultClass::FatalHost, format!("{text:?} cannot be passed on to rsync"))
}

#[cfg(test)]
mod tests;
