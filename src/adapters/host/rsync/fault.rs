//! Owns what an end of rsync means: one table over its exit code and what it said, the
//! first row that fits. Where it tells an error of the operating system, the table of the
//! local copy decides, so that the same trouble is the same fault by either way.

use std::io;

use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::command::said;
use crate::adapters::host::copy::fault::{Side, classify};

/// What a row asks for.
struct Row {
    /// Exit codes; none for any.
    codes: &'static [i32],
    /// One of these is a line of standard error; none for whatever is said.
    says: &'static [Says],
    class: FaultClass,
    /// `{}` is the line of standard error that tells most.
    text: &'static str,
}

/// What a line says, and where in it: names of files stand in lines too, and may read like
/// any of this.
#[derive(Clone, Copy)]
enum Says {
    /// The line begins so.
    Begins(&'static str),
    /// All that a shell or `env` says after its own name.
    Shell(&'static str),
    /// What rsync says after its own name and the side begins so.
    Rsync(&'static str),
    /// A line of rsync's own ends so.
    RsyncEnds(&'static str),
    /// Only where all that it could be mistaken for is as bad.
    Has(&'static str),
}

impl Says {
    fn is_in(self, line: &str) -> bool {
        match self {
            Self::Begins(text) => line.starts_with(text),
            Self::Shell(text) => line.strip_suffix(text).is_some_and(is_name_of_shell),
            Self::Rsync(text) => of_rsync(line).is_some_and(|(_, told)| told.starts_with(text)),
            Self::RsyncEnds(text) => line.starts_with("rsync: ") && line.ends_with(text),
            Self::Has(text) => line.contains(text),
        }
    }
}

/// `bash: line 1: `, `/bin/sh: 1: exec: `, `env: `: what a shell begins its complaints with.
fn is_name_of_shell(text: &str) -> bool {
    let number = |part: &str| {
        let part = part.strip_prefix("line ").unwrap_or(part);
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let Some(mut name) = text.strip_suffix(": ") else { return false };
    while let Some((before, part)) = name.rsplit_once(": ")
        && (part == "exec" || number(part))
    {
        name = before;
    }
    // rsync names its files in quotes, or after a sentence.
    let program = name.rsplit('/').next().unwrap_or_default();
    !name.starts_with("rsync: ") && !program.is_empty() && !program.contains([' ', '"'])
}

const fn row(
    codes: &'static [i32],
    says: &'static [Says],
    class: FaultClass,
    text: &'static str,
) -> Row {
    Row { codes, says, class, text }
}

const INSTALL: &str = "rsync is not found on the headnode\n\
     hint: install it there (`sudo apt-get install rsync` or `sudo dnf install rsync`), or put \
     the folder it is in into `path` of the headnode";

const TOO_OLD: &str = "rsync there or here is too old: {}\n\
     hint: 3.1 or newer is needed on both sides";

/// Ends of a run that moved nothing. They are never looked for where single files could not
/// be moved (23, 24): there the lines are about files.
const NOT_BEGUN: &[Row] = &[
    row(
        &[],
        &[Says::Begins(said::HELD)],
        FaultClass::TransientStep,
        "an earlier transfer is still ending",
    ),
    row(
        &[],
        &[Says::Begins(said::OWNER)],
        FaultClass::TransientStep,
        "the owner of the work_dir has changed",
    ),
    row(&[], &[Says::Begins(said::NO_FOLDER)], FaultClass::TransientStep, "{}"),
    row(
        &[],
        &[Says::Has("/rsync.sh: No such file"), Says::Has("/fetch.sh: No such file")],
        FaultClass::TransientStep,
        "the script of the transfer is gone from the headnode: {}",
    ),
    row(
        &[],
        &[
            Says::Begins(said::NO_RSYNC),
            Says::Shell("rsync: command not found"),
            Says::Shell("rsync: not found"),
            Says::Shell("rsync: No such file or directory"),
            Says::Shell("Unknown command: rsync"),
        ],
        FaultClass::FatalHost,
        INSTALL,
    ),
    row(
        &[],
        &[Says::Shell("flock: command not found"), Says::Shell("flock: not found")],
        FaultClass::FatalHost,
        "flock is not found on the headnode\nhint: install util-linux there",
    ),
    // Of results, by rsync here: its look for names that nobody asked for takes a backslash
    // before a wildcard for something else.
    row(
        &[],
        &[Says::Begins("ERROR: rejecting unrequested file-list name")],
        FaultClass::FatalCase,
        "rsync on this machine does not take a result of that name: {}\n\
         hint: let it have another name, without a backslash, or leave it out of `results.fetch`",
    ),
    row(
        &[],
        &[
            Says::RsyncEnds(": unknown option"),
            Says::Begins("rsync error: requested action not supported"),
        ],
        FaultClass::FatalHost,
        TOO_OLD,
    ),
    row(
        &[2],
        &[Says::Begins("protocol version mismatch -- is your shell clean")],
        FaultClass::FatalHost,
        "the login shell on the headnode prints something before the command it is given\n\
         hint: let ~/.bashrc and the like print only where the shell is interactive, as by \
         `case $- in *i*) ;; *) return ;; esac` at their beginning",
    ),
    row(
        &[],
        &[Says::Rsync("Failed to exec")],
        FaultClass::FatalHost,
        "ssh cannot be started here: {}\nhint: install it (`sudo apt-get install openssh-client`)",
    ),
];

const BEFORE_ERRNO: &[Row] = &[
    row(
        &[],
        &[
            Says::RsyncEnds(": No space left on device (28)"),
            Says::RsyncEnds(": Disk quota exceeded (122)"),
        ],
        FaultClass::NoSpace,
        "no room left to write: {}",
    ),
    row(&[2, 4], &[], FaultClass::FatalHost, TOO_OLD),
    row(&[255], &[], FaultClass::TransientHost, "the connection to the headnode failed: {}"),
    row(&[1], &[], FaultClass::FatalHost, "rsync does not take its options: {}"),
    row(&[20], &[], FaultClass::TransientStep, "rsync was ended by a signal"),
    row(&[24], &[], FaultClass::TransientStep, "files vanished while they were copied: {}"),
    row(&[30, 35], &[], FaultClass::TransientStep, "nothing came from the other side: {}"),
];

/// For an end of which no error of the operating system is told.
const AFTER_ERRNO: &[Row] = &[
    row(
        &[],
        &[
            Says::Has("could not make way for"),
            Says::Has("cannot delete non-empty directory"),
            Says::Has("must be a directory"),
        ],
        FaultClass::FatalCase,
        "something is in the way: {}",
    ),
    row(
        &[12, 23],
        &[Says::Has("failed verification")],
        FaultClass::TransientStep,
        "what arrived is not what was sent: {}",
    ),
    row(
        &[126, 127],
        &[],
        FaultClass::FatalHost,
        "a program cannot be run on the headnode: {}\nhint: see what its login shell does",
    ),
    // The last ones are of a receiver that a signal ended.
    row(
        &[10, 12, 129, 130, 137, 141, 143],
        &[],
        FaultClass::TransientStep,
        "the transfer broke off: {}",
    ),
    row(
        &[],
        &[Says::Has("connection unexpectedly closed")],
        FaultClass::TransientStep,
        "the transfer broke off: {}",
    ),
    row(&[13, 14, 21, 22], &[], FaultClass::TransientStep, "rsync has no means to go on: {}"),
    row(&[], &[], FaultClass::TransientStep, "rsync ended with an error: {}"),
];

/// What the end with `code` (None: by a signal) and `stderr` means.
pub(super) fn fault(code: Option<i32>, stderr: &str) -> Fault {
    let code = code.unwrap_or(20);
    let fits = |row: &&Row| {
        (row.codes.is_empty() || row.codes.contains(&code))
            && (row.says.is_empty() || stderr.lines().any(|line| is_asked(line.trim(), row.says)))
    };
    let told = |row: &Row| {
        let line = telling(stderr, row.says);
        // Without a line there is nothing to name.
        let text = match line {
            "" => row.text.replace(": {}", "").replace("{}", ""),
            line => row.text.replace("{}", line),
        };
        Fault::new(row.class, text)
    };
    let not_begun = if matches!(code, 23 | 24) { &[] } else { NOT_BEGUN };
    if let Some(row) = not_begun.iter().chain(BEFORE_ERRNO).find(fits) {
        return told(row);
    }
    if let Some((side, errno, line)) = stderr.lines().find_map(errno) {
        let error = io::Error::from_raw_os_error(errno);
        return Fault::new(classify(&error, side), line);
    }
    AFTER_ERRNO.iter().find(fits).map_or_else(
        || Fault::new(FaultClass::TransientStep, format!("rsync ended with {code}")),
        told,
    )
}

/// Whether the headnode's side did not begin because we are not the owner there.
pub(super) fn is_of_owner(stderr: &str) -> bool {
    stderr.lines().any(|line| Says::Begins(said::OWNER).is_in(line.trim()))
}

/// What a row with noise in it says of the noise.
pub(super) fn with_noise(fault: &Fault, noise: &str) -> Fault {
    let (first, rest) = fault.text.split_once('\n').unwrap_or((&fault.text, ""));
    Fault::new(fault.class, format!("{first}: {noise:?}\n{rest}"))
}

/// The lines of the remote shell itself: not rsync's, on whichever side.
pub(super) fn of_remote_shell(stderr: &str) -> String {
    let lines = stderr.lines().filter(|line| !line.starts_with("rsync"));
    lines.collect::<Vec<_>>().join("\n")
}

/// `rsync: [sender] send_files failed to open "/a": Permission denied (13)`, with the side
/// on which it was. Versions before 3.2.3 do not name the side.
fn errno(line: &str) -> Option<(Side, i32, &str)> {
    let (who, told) = of_rsync(line)?;
    let (_, number) = told.strip_suffix(')')?.rsplit_once(" (")?;
    let number = number.parse().ok()?;
    // Of the line that broke, not of a file.
    if matches!(number, libc::EPIPE | libc::ECONNRESET | libc::ETIMEDOUT) {
        return None;
    }
    let side = match who {
        Some(who) if who.eq_ignore_ascii_case("sender") => Side::Source,
        Some(_) => Side::Dest,
        None => {
            let reads = ["send_files", "link_stat", "readlink_stat", "opendir", "read errors"];
            let source = reads.iter().any(|name| told.starts_with(name));
            if source { Side::Source } else { Side::Dest }
        }
    };
    Some((side, number, told))
}

/// The side, where it is named, and what rsync says after its own name.
fn of_rsync(line: &str) -> Option<(Option<&str>, &str)> {
    let told = line.strip_prefix("rsync: ")?;
    Some(match told.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((who, rest)) => (Some(who), rest),
        None => (None, told),
    })
}

fn is_asked(line: &str, says: &[Says]) -> bool {
    says.iter().any(|says| says.is_in(line))
}

/// The line that tells most: one of those asked for, else the first that is not about the
/// whole run.
fn telling<'a>(stderr: &'a str, says: &[Says]) -> &'a str {
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines()
        .find(|line| is_asked(line, says) && !of_the_whole(line))
        .or_else(|| lines().find(|line| !of_the_whole(line)))
        .or_else(|| lines().next())
        .unwrap_or_default();
    let line = line.strip_prefix("rsync: ").unwrap_or(line);
    line.strip_prefix("daylily-watch: ").unwrap_or(line)
}

/// What is said of the run as a whole, whatever ended it.
fn of_the_whole(line: &str) -> bool {
    line.starts_with("rsync error:") || line.contains("connection unexpectedly closed")
}

#[cfg(test)]
mod tests;
