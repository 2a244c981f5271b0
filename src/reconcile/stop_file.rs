//! Owns the file `state_dir/STOP`: the red button that works without a daemon, a
//! database or this program. Its content is the reason, its owner and time say who
//! pressed it and when.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use daylily_lifecycle::ids::Actor;
use daylily_lifecycle::policy::Pause;
use jiff::Timestamp;

/// The name within state_dir.
pub const STOP: &str = "STOP";

/// Reasons longer than this are cut: they are printed in every output.
const LONGEST_REASON: usize = 200;

/// Whether the file is there, and what it says.
pub fn stop_file(state_dir: &Path) -> Option<Pause> {
    let path = state_dir.join(STOP);
    let meta = std::fs::symlink_metadata(&path).ok()?;
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let reason: String =
        text.trim().chars().filter(|c| !c.is_control()).take(LONGEST_REASON).collect();
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(meta.uid()));
    let by = match user {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => format!("uid {}", meta.uid()),
    };
    Some(Pause {
        by: Some(Actor::new(by)),
        since: Timestamp::from_second(meta.mtime()).unwrap_or(Timestamp::MIN),
        reason: Some(reason).filter(|reason| !reason.is_empty()),
    })
}

/// Takes the file away, as `resume --all` does.
pub(super) fn remove_stop_file(state_dir: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(state_dir.join(STOP)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
