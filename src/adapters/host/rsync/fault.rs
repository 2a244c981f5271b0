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
    /// One of these is on standard error; none for whatever is said.
    says: &'static [&'static str],
    class: FaultClass,
    /// `{}` is the line of standard error that tells most.
    text: &'static str,
}

const fn row(
    codes: &'static [i32],
    says: &'static [&'static str],
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

const BEFORE_ERRNO: &[Row] = &[
    row(&[], &[said::HELD], FaultClass::TransientStep, "an earlier transfer is still ending"),
    row(&[], &[said::OWNER], FaultClass::TransientStep, "the owner of the work_dir has changed"),
    row(&[], &[said::NO_FOLDER], FaultClass::TransientStep, "{}"),
    row(
        &[],
        &[
            said::NO_RSYNC,
            "rsync: command not found",
            "rsync: not found",
            "rsync: No such file or directory",
            "Unknown command: rsync",
        ],
        FaultClass::FatalHost,
        INSTALL,
    ),
    row(
        &[],
        &["flock: command not found", "flock: not found"],
        FaultClass::FatalHost,
        "flock is not found on the headnode\nhint: install util-linux there",
    ),
    row(
        &[],
        &["No space left on device (28)", "Disk quota exceeded (122)"],
        FaultClass::NoSpace,
        "no room left to write: {}",
    ),
    row(&[], &["unknown option", "requested action not supported"], FaultClass::FatalHost, TOO_OLD),
    row(
        &[2],
        &["is your shell clean"],
        FaultClass::FatalHost,
        "the login shell on the headnode prints something before the command it is given\n\
         hint: let ~/.bashrc and the like print only where the shell is interactive, as by \
         `case $- in *i*) ;; *) return ;; esac` at their beginning",
    ),
    row(&[2, 4], &[], FaultClass::FatalHost, TOO_OLD),
    row(&[255], &[], FaultClass::TransientHost, "the connection to the headnode failed: {}"),
    row(&[1], &[], FaultClass::FatalHost, "rsync does not take its options: {}"),
    row(
        &[],
        &["Failed to exec"],
        FaultClass::FatalHost,
        "ssh cannot be started here: {}\nhint: install it (`sudo apt-get install openssh-client`)",
    ),
    row(&[20], &[], FaultClass::TransientStep, "rsync was ended by a signal"),
    row(&[24], &[], FaultClass::TransientStep, "files vanished while they were copied: {}"),
    row(&[30, 35], &[], FaultClass::TransientStep, "nothing came from the other side: {}"),
];

/// For an end of which no error of the operating system is told.
const AFTER_ERRNO: &[Row] = &[
    row(
        &[],
        &["could not make way for", "cannot delete non-empty directory", "must be a directory"],
        FaultClass::FatalCase,
        "something is in the way: {}",
    ),
    row(
        &[12, 23],
        &["failed verification"],
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
        &["connection unexpectedly closed"],
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
            && (row.says.is_empty() || row.says.iter().any(|text| stderr.contains(text)))
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
    if let Some(row) = BEFORE_ERRNO.iter().find(fits) {
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
    let told = line.strip_prefix("rsync: ")?;
    let (_, number) = told.strip_suffix(')')?.rsplit_once(" (")?;
    let number = number.parse().ok()?;
    // Of the line that broke, not of a file.
    if matches!(number, libc::EPIPE | libc::ECONNRESET | libc::ETIMEDOUT) {
        return None;
    }
    let (side, told) = match told.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((who, rest)) if who.eq_ignore_ascii_case("sender") => (Side::Source, rest),
        Some((_, rest)) => (Side::Dest, rest),
        None => {
            let reads = ["send_files", "link_stat", "readlink_stat", "opendir", "read errors"];
            let source = reads.iter().any(|name| told.starts_with(name));
            (if source { Side::Source } else { Side::Dest }, told)
        }
    };
    Some((side, number, told))
}

/// The line that tells most: one of those asked for, else the first that is not about the
/// whole run.
fn telling<'a>(stderr: &'a str, says: &[&str]) -> &'a str {
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let asked = |line: &&str| says.iter().any(|text| line.contains(text));
    let line = lines()
        .find(|line| asked(line) && !of_the_whole(line))
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
