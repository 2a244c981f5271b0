//! Checks of where cases come from.

use std::path::Path;

use daylily_lifecycle::explain::lasted;

use super::{Report, remembered};
use crate::cli::words_of_shell;
use crate::config::{IntakeSettings, Quiet, Settings, WatchMode};
use crate::intake::directory::mount::{MountState, behind, check};
use crate::intake::directory::writers::{Sight, sight};
use crate::reconcile::scan::preview::Preview;
use crate::store::read::Reader;

const WATCHES: &str = "/proc/sys/fs/inotify/max_user_watches";

/// Counting ends here: whoever has so many folders arriving at a time needs polling.
const MOST_FOLDERS: u64 = 1_000_000;

pub(super) fn intake(
    report: &mut Report,
    intake: &IntakeSettings,
    reader: Option<&Reader>,
    seen: Option<&Preview>,
) {
    let name = |what: &str| format!("intake.{}{what}", intake.name);
    let shown = intake.path.display();
    let known = remembered(reader, &intake.name);
    match check(&intake.path, known.as_deref(), intake.mount_check.as_deref()) {
        MountState::Unreadable { because } => {
            let hint = if intake.path.symlink_metadata().is_err() {
                format!("mkdir -p {} # or mount it", words_of_shell(&intake.path))
            } else {
                "mount it, or correct the path, its rights or `mount_check`".to_owned()
            };
            return report.fail(&name(""), because, hint);
        }
        MountState::Replaced { told, .. } => {
            let hint = "nothing is to be done if that was meant";
            report.warn(&name(""), told, hint);
        }
        MountState::Readable(_) => {
            let look = seen.and_then(|seen| seen.intakes.iter().find(|i| i.name == intake.name));
            match look.and_then(|look| look.unreadable.clone()) {
                Some(because) => report.fail(&name(""), because, "see the rights of the folder"),
                None => report.ok(&name(""), format!("{shown} can be read")),
            }
        }
    }
    let Ok(mount) = behind(&intake.path) else { return };
    let place = if mount.is_network() { "a network file system" } else { "a local file system" };
    let kind = &mount.file_system;
    match intake.quiet {
        Quiet::Auto => {
            let (quiet, scans) = mount.quiet();
            let twice = if scans > 1 { " and two equal scans" } else { "" };
            let text =
                format!("auto is {}{twice}, because {shown} is on {kind}, {place}", lasted(quiet));
            report.ok(&name(".quiet"), text);
        }
        Quiet::Fixed(quiet) => {
            let text = format!("{} as configured; {shown} is on {kind}, {place}", lasted(quiet));
            report.ok(&name(".quiet"), text);
        }
    }
    writers(report, &name(".no_writers"), intake, mount.is_network());
    match intake.watch {
        WatchMode::Poll => report.ok(
            &name(".watch"),
            format!("looked at every {} s, as configured", intake.rescan.as_secs_f64()),
        ),
        WatchMode::Auto if mount.is_network() => report.ok(
            &name(".watch"),
            format!(
                "the kernel tells nothing of other machines' writes; looked at every {} s",
                intake.rescan.as_secs_f64()
            ),
        ),
        WatchMode::Auto => {}
    }
    if let Some(file) = &intake.mount_check {
        report.ok(&name(".mount_check"), format!("{file} is there"));
    }
}

fn writers(report: &mut Report, check: &str, intake: &IntakeSettings, network: bool) {
    if !intake.no_writers {
        return report.ok(check, "open files are not looked for, as configured");
    }
    let text = match (network, sight()) {
        (true, _) => "writers on other machines cannot be seen; the quiet period and a marker help",
        (false, Sight::Lease | Sight::Proc) => "every process that has a file open is seen",
        (false, Sight::OwnOnly) => {
            "processes of other users cannot be seen, so where files are theirs the quiet period \
             counts double"
        }
    };
    report.ok(check, text);
}

/// Whether the kernel allows as many watches as the arriving cases need.
pub(super) fn watches(report: &mut Report, settings: &Settings, seen: Option<&Preview>) {
    if settings.intakes.iter().all(|intake| intake.watch == WatchMode::Poll) {
        return;
    }
    let allowed = std::fs::read_to_string(WATCHES).ok();
    let Some(allowed) = allowed.and_then(|text| text.trim().parse::<u64>().ok()) else {
        let text = format!("{WATCHES} cannot be read");
        return report.warn("inotify", text, "cases are found by looking every `rescan`");
    };
    let mut needed = u64::try_from(settings.intakes.len()).unwrap_or(u64::MAX);
    for preview in seen.map(|seen| seen.cases.as_slice()).unwrap_or_default() {
        if preview.case.state.name().is_before_submitting() {
            needed = needed.saturating_add(folders(Path::new(&preview.case.path), MOST_FOLDERS));
        }
    }
    let text = format!(
        "the kernel allows {allowed} watches, and {needed} {} needed now",
        if needed == 1 { "is" } else { "are" }
    );
    if needed.saturating_mul(2) > allowed {
        let hint = format!("sysctl fs.inotify.max_user_watches={}", needed.saturating_mul(4));
        report.warn("inotify", text, hint);
    } else {
        report.ok("inotify", text);
    }
}

/// How many folders there are, itself counted; symlinks are not followed.
fn folders(path: &Path, most: u64) -> u64 {
    let mut waiting = vec![path.to_owned()];
    let mut count = 0;
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        count += 1;
        if count >= most {
            break;
        }
        let below = entries.flatten().filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
        waiting.extend(below.map(|entry| entry.path()));
    }
    count
}
