//! Checks of what the daemon keeps for itself: its folder, its database, its life.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use daylily_lifecycle::explain::lasted;
use daylily_lifecycle::ids::ByteCount;
use jiff::SignedDuration;
use nix::sys::signal::kill;
use nix::unistd::{AccessFlags, Pid, Uid, User, access, geteuid};

use super::Report;
use crate::cli::desk::{Daemon, not_known};
use crate::cli::{disk, words_of_shell};
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::intake::directory::mount::behind;
use crate::store::read::Reader;

/// A database grows with every case.
const SPARE: ByteCount = ByteCount(1 << 30);

/// The daemon tells every five seconds that it lives.
const SILENT: SignedDuration = SignedDuration::from_secs(20);

pub(super) fn folder(report: &mut Report, state_dir: &Path) {
    const CHECK: &str = "state_dir";
    let shown = state_dir.display();
    let there = state_dir.symlink_metadata().is_ok();
    let folder = if there { state_dir } else { state_dir.parent().unwrap_or(state_dir) };
    let mkdir = format!("mkdir -p {}", words_of_shell(folder));
    if !there && !folder.is_dir() {
        let text = format!("{shown} cannot be made: {} is not there", folder.display());
        return report.fail(CHECK, text, mkdir);
    }
    if there && !folder.is_dir() {
        let text = format!("{shown} is no folder");
        return report.fail(CHECK, text, "correct state_dir");
    }
    if access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let text = format!("{} cannot be written to", folder.display());
        return report.fail(CHECK, text, as_owner(folder));
    }
    let database = state_dir.join("daylily.db");
    if database.is_file() && access(&database, AccessFlags::W_OK).is_err() {
        let text = format!("{} cannot be written to", database.display());
        return report.fail(CHECK, text, as_owner(&database));
    }
    if let Ok(mount) = behind(folder)
        && mount.is_network()
    {
        let text = format!("{shown} is on {}, which cannot hold the database", mount.file_system);
        return report.fail(CHECK, text, "set state_dir to a folder on a local disk");
    }
    let will = if there { "can be written to" } else { "is made at the first start" };
    match disk::free(folder) {
        Some(free) if free < SPARE => {
            let text = format!("{shown} {will}, and only {free} are free there");
            report.warn(CHECK, text, "make room, or set state_dir to a larger disk");
        }
        Some(free) => report.ok(CHECK, format!("{shown} {will}; {free} are free")),
        None => report.ok(CHECK, format!("{shown} {will}")),
    }
}

/// False: it is there and cannot be used.
pub(super) fn database(report: &mut Report, settings: &Settings, reader: Option<&Reader>) -> bool {
    const CHECK: &str = "database";
    let Some(reader) = reader else {
        if !settings.state_dir.join("daylily.db").is_file() {
            report.ok(CHECK, "there is none yet; the first start makes it");
        }
        return true;
    };
    let mut usable = true;
    match reader.about() {
        Ok(about) => {
            let text = format!("it can be read, last used by version {}", about.app_version);
            report.ok(CHECK, text);
        }
        Err(error) => {
            report.error(CHECK, &error);
            usable = false;
        }
    }
    match reader.damage() {
        Ok(None) => report.ok("database.whole", "it is whole"),
        Ok(Some(what)) => {
            report.fail(
                "database.whole",
                format!("it is damaged: {what}"),
                "keep a copy of it, and put the last backup in its place while no daemon runs",
            );
            usable = false;
        }
        Err(error) => {
            report.error("database.whole", &error);
            usable = false;
        }
    }
    usable
}

pub(super) fn daemon(report: &mut Report, settings: &Settings) {
    const CHECK: &str = "daemon";
    let start = format!("daylily-watch run --config {}", words_of_shell(&settings.file));
    let now = SystemClock.now();
    let alive = match Daemon::of(&settings.state_dir, now) {
        Daemon::Running(alive) | Daemon::Silent(alive) => alive,
        Daemon::Ended(alive) => {
            let told = lasted(now.duration_since(alive.at));
            let text = format!(
                "the daemon (process {}) was ended; it last told {told} ago that it lives",
                alive.pid
            );
            return report.warn(CHECK, text, start);
        }
        Daemon::Unknown(file) => {
            return report.warn(CHECK, not_known(&file), as_owner(&settings.state_dir));
        }
        Daemon::None => return report.warn(CHECK, "no daemon runs", start),
    };
    let age = now.duration_since(alive.at);
    let again = format!("kill {} and start it again; jobs run on", alive.pid);
    if let Some(hangs) = alive.hangs.as_ref().filter(|_| is_there(alive.pid)) {
        let since = lasted(now.duration_since(hangs.since));
        let text = format!("process {} hangs, for {since} in its loop `{}`", alive.pid, hangs.name);
        return report.fail(CHECK, text, again);
    }
    if age >= SILENT {
        let since = lasted(age);
        if is_there(alive.pid) {
            let text = format!("process {} has not told for {since} that it lives", alive.pid);
            return report.fail(CHECK, text, again);
        }
        let text = format!("the daemon (process {}) was ended {since} ago", alive.pid);
        return report.warn(CHECK, text, start);
    }
    report.ok(CHECK, format!("process {} runs, version {}", alive.pid, alive.version));
}

/// What to do where something is another user's: it is not to be taken from them.
pub(super) fn as_owner(path: &Path) -> String {
    let owner = std::fs::metadata(path).map(|meta| Uid::from_raw(meta.uid()));
    match owner {
        Ok(uid) if uid != geteuid() => {
            let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
            let name = name.unwrap_or_else(|| format!("uid {uid}"));
            format!("run this as {name} (who owns it)")
        }
        Ok(_) => format!("chmod u+rwX {}", words_of_shell(path)),
        Err(_) => "run this as the user that runs the daemon".to_owned(),
    }
}

fn is_there(pid: u32) -> bool {
    // A process of another user's answers with a refusal, so it is there.
    i32::try_from(pid)
        .is_ok_and(|pid| !matches!(kill(Pid::from_raw(pid), None), Err(nix::errno::Errno::ESRCH)))
}
