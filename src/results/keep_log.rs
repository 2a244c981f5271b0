//! Owns the kept end of a failed run's output.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::{AttemptId, ByteCount};

use super::{ResultsError, disk, plain_name};
use crate::mask::masked_bytes;

/// Keeps at most the last `most` bytes of `output`, from a line's start where one is
/// in them, in `<state_dir>/logs/<attempt>.log`. Called again it replaces the file.
pub fn keep_log(
    state_dir: &Path,
    attempt: &AttemptId,
    output: &[u8],
    most: ByteCount,
) -> Result<PathBuf, ResultsError> {
    let logs = state_dir.join("logs");
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&logs);
    made.map_err(|error| ResultsError::io("make", &logs, error))?;
    let path = logs.join(format!("{}.log", plain_name(attempt.as_str())?));
    disk::write_whole(&path, &masked_bytes(ending(output, most)), 0o600)?;
    Ok(path)
}

/// Whether a copy of an attempt's log is there.
pub fn kept_log(state_dir: &Path, attempt: &AttemptId) -> bool {
    let path = state_dir.join("logs").join(format!("{attempt}.log"));
    path.metadata().is_ok_and(|file| file.is_file())
}

fn ending(output: &[u8], most: ByteCount) -> &[u8] {
    let most = usize::try_from(most.0).unwrap_or(usize::MAX);
    if output.len() <= most {
        return output;
    }
    let start = output.len() - most;
    let (before, kept) = output.split_at(start);
    if before.ends_with(b"\n") {
        return kept;
    }
    match kept.iter().position(|byte| *byte == b'\n') {
        Some(end) if end + 1 < kept.len() => &kept[end + 1..],
        // One long line: its end is worth more than nothing.
        Some(_) | None => kept,
    }
}
