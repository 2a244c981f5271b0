//! Owns `state_dir/alive.json`: which daemon runs and when each of its loops last went
//! round, so that a loop that is stuck can be seen from outside.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const FILE: &str = "alive.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    pub pid: u32,
    pub version: String,
    pub started_at: Timestamp,
    /// When this was written.
    pub at: Timestamp,
    /// When each loop last finished a round.
    pub loops: BTreeMap<String, Timestamp>,
}

/// What the file says. None: there is none, or it cannot be read.
pub fn read_alive(state_dir: &Path) -> Option<Alive> {
    let text = std::fs::read_to_string(state_dir.join(FILE)).ok()?;
    serde_json::from_str(&text).ok()
}

/// Writes the file anew, whole or not at all. It is no record, so it is not synced.
pub(super) fn write_alive(state_dir: &Path, alive: &Alive) -> std::io::Result<()> {
    let part = state_dir.join(".alive.json.part");
    let mut file = std::fs::File::create(&part)?;
    let text = serde_json::to_string_pretty(alive).map_err(std::io::Error::other)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    std::fs::rename(&part, state_dir.join(FILE))
}

/// A daemon that has ended leaves no file behind that says it lives.
pub(super) fn remove_alive(state_dir: &Path) -> std::io::Result<()> {
    std::fs::remove_file(state_dir.join(FILE))
}
