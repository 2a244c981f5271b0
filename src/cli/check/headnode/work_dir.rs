//! Where cases are copied to: whether it can be written to, whose it is, whether what
//! attempt directories rest on works there, and how its clock goes.

use daylily_lifecycle::explain::lasted;
use daylily_lifecycle::ids::ByteCount;
use jiff::SignedDuration;

use super::{At, Known, Report};
use crate::adapters::host::proof::Proof;
use crate::adapters::host::survey::{Place, Survey};
use crate::store::open::Generation;

/// Less than this is as good as nothing.
const FULL: ByteCount = ByteCount(16 << 20);
/// Less than this is soon used up.
const LITTLE: ByteCount = ByteCount(1 << 30);

/// More than this is told.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// False: nothing can be tried there, and it was told why.
pub(super) fn work_dir(report: &mut Report, at: &At<'_>, survey: &Survey) -> bool {
    let check = at.name("work_dir");
    let place = &survey.place;
    let shown = at.shown(&place.path);
    if !place.is_folder {
        let text = format!("{shown} is in its place and is not a folder");
        report.fail(&check, text, "correct work_dir");
        return false;
    }
    let wanted = at.headnode.work_dir.to_string_lossy();
    let is_there = place.path.trim_end_matches('/') == wanted.trim_end_matches('/');
    if !place.is_writable {
        let hint = may_write(at, survey, is_there);
        let text = if is_there {
            format!("{shown} cannot be written to")
        } else {
            let wanted = at.shown(&wanted);
            format!("{wanted} is not there, and {} cannot be written to", place.path)
        };
        report.fail(&check, text, hint);
        return false;
    }
    if let Some(closed) = &place.closed {
        let text = format!("{} cannot be written to", at.shown(closed));
        let hint = "let us be the user who made it, or use a work_dir of its own";
        report.fail(&check, text, hint);
        return false;
    }
    let wanted = at.shown(&wanted);
    let will = if is_there { "can be written to" } else { "is made at the first start" };
    match place.free {
        Some(free) if free < FULL => {
            full(report, at, place);
            return false;
        }
        Some(free) if free < LITTLE => {
            let text = format!("{wanted} {will}, and only {free} are free there");
            report.warn(&check, text, "make room there; a case waits until there is room for it");
        }
        Some(free) => report.ok(&check, format!("{wanted} {will}; {free} are free")),
        None => report.ok(&check, format!("{wanted} {will}")),
    }
    true
}

fn full(report: &mut Report, at: &At<'_>, place: &Place) {
    let free = place.free.unwrap_or(ByteCount(0));
    let text = format!("the disk of {} is full: {free} are free", at.shown(&place.path));
    let line = format!("du -xh {} | sort -h | tail", at.word(&place.path));
    let hint = at.there(&format!("{line}, which tells what takes the room; then make room"));
    report.fail(&at.name("work_dir"), text, hint);
}

/// What lets us write. What is another user's is not to be taken from them.
fn may_write(at: &At<'_>, survey: &Survey, is_there: bool) -> String {
    let (place, user) = (&survey.place, &survey.user);
    let work_dir = at.word(&at.headnode.work_dir.to_string_lossy());
    let is_other = !place.owner.is_empty() && place.owner != *user;
    match (at.is_local(), is_there, is_other) {
        (true, _, true) => format!("run this as {} (who owns it)", place.owner),
        (false, true, true) => {
            format!("it is {}'s and we are {user} there: use a work_dir of ours", place.owner)
        }
        (false, false, true) => at.there(&format!("sudo install -d -o {user} -m 755 {work_dir}")),
        (_, _, false) => at.there(&format!("chmod u+rwX {}", at.word(&place.path))),
    }
}

pub(super) fn clock(report: &mut Report, at: &At<'_>, survey: &Survey) {
    if at.is_local() {
        return;
    }
    let headnode = &at.headnode.name;
    let ahead = survey.ahead;
    let check = at.name("clock");
    if ahead.abs() <= SKEW {
        return report.ok(&check, format!("the clocks here and on {headnode} agree"));
    }
    let where_to = if ahead.is_negative() { "behind" } else { "ahead of" };
    let text = format!(
        "the clock of {headnode} is {} {where_to} ours, and it is the one that tells when jobs \
         start and end, which limits and durations go by",
        lasted(ahead.abs())
    );
    report.warn(&check, text, "on the one that is wrong: sudo timedatectl set-ntp true");
}

pub(super) fn proven(report: &mut Report, at: &At<'_>, survey: &Survey, proofs: &[Proof]) {
    let mut works = Vec::new();
    // Each of them writes something.
    let no_room = |said: &str| said.contains("No space left") || said.contains("quota exceeded");
    if proofs.iter().any(|proof| !proof.works && no_room(&proof.said)) {
        let text = format!("{} has no room: the disk or our quota is full", {
            at.shown(&survey.place.path)
        });
        return report.fail(
            &at.name("work_dir"),
            text,
            at.there("df -h; df -i; quota, which tell how much room there is; then make room"),
        );
    }
    for proof in proofs {
        match (proof.name.as_str(), proof.works) {
            ("owner", _) => owner(report, at, proof),
            ("programs", true) => {
                report.ok(&at.name("programs"), "every program that is needed is there");
            }
            ("programs", false) => {
                let text = format!("missing: {}", proof.said);
                let hint = at.there(
                    "apt install util-linux coreutils findutils grep, or add their folder to \
                     `path` of the headnode",
                );
                report.fail(&at.name("programs"), text, hint);
            }
            ("proc", true) | ("write", true) => {}
            ("proc", false) => report.fail(
                &at.name("proc"),
                "/proc cannot be read, so nobody can tell whether a job lives",
                at.there("mount -t proc proc /proc"),
            ),
            (what, true) => works.push(what),
            (what, false) => {
                let said = if proof.said.is_empty() { "it does not" } else { proof.said.as_str() };
                let text = format!("{what} must work in work_dir: {said}");
                let hint = "set work_dir to a file system with links, locks and renames, and \
                            install util-linux, coreutils, findutils and grep of GNU";
                report.fail(&at.name("proofs"), text, hint);
            }
        }
    }
    if !works.is_empty() {
        let text = format!("these work in work_dir: {}", works.join(", "));
        report.ok(&at.name("proofs"), text);
    }
}

/// Whose work_dir it is.
fn owner(report: &mut Report, at: &At<'_>, proof: &Proof) {
    let check = &at.name("owner");
    let mut words = proof.said.split_whitespace();
    let (Some(id), Some(Ok(generation))) = (words.next(), words.next().map(str::parse::<u64>))
    else {
        let file = at.headnode.work_dir.join(".daylily-watch/owner");
        let text = format!("{} cannot be read", at.shown(&file.to_string_lossy()));
        return report.fail(check, text, "see its rights; it must be ours");
    };
    if at.known == Known::Unreadable {
        let text = "whose work_dir it is cannot be told, because the database cannot be used";
        return report.warn(check, text, "mend that first");
    }
    let ours = at.reader.and_then(|reader| reader.about().ok());
    // Before there were words the owner had none.
    let word = words.next();
    let starts = at.reader.and_then(|reader| reader.starts().ok()).unwrap_or_default();
    let known = word.is_none_or(|word| {
        starts.get(&Generation(generation)).is_some_and(|start| start.as_str() == word)
    });
    let adopt = format!("daylily-watch adopt {} --reason '...'", at.headnode.name);
    match ours {
        Some(about)
            if about.database.as_str() == id && generation <= about.generation.0 && known =>
        {
            report.ok(check, "work_dir is ours");
        }
        Some(about) if about.database.as_str() == id => report.fail(
            check,
            "work_dir was used by another start of this database, on a copy of it",
            format!("end the daemon that runs on the copy; then {adopt}"),
        ),
        None => report.fail(
            check,
            format!("work_dir was used with the database {id}, and there is none in state_dir"),
            format!(
                "correct state_dir or put the last backup there, or use a work_dir of its own; \
                 where all of that is lost, start the daemon, then {adopt}"
            ),
        ),
        Some(_) => report.fail(
            check,
            format!("work_dir belongs to another database, {id}"),
            format!(
                "give this daemon a work_dir of its own, or correct state_dir; where that \
                 database is lost, {adopt}"
            ),
        ),
    }
}
