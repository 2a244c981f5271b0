//! Owns keeping a document that was not understood, so that a person can see what it
//! was. It holds others' environments: it is for our own user, and bounded.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::HeadnodeName;

use crate::adapters::host::names::bounded_name;
use crate::mask::masked_bytes;

/// Enough to see what it is.
pub(super) const MOST: usize = 4 << 20;

/// Keeps the document in place of an earlier one, whole or not at all.
pub(super) fn keep(folder: &Path, headnode: &HeadnodeName, document: &[u8]) -> io::Result<PathBuf> {
    let file = folder.join(bounded_name(headnode.as_str(), "-status.json"));
    let beside = folder.join(bounded_name(headnode.as_str(), "-status.json.new"));
    fs::create_dir_all(folder)?;
    // One that a crash left there may have other rights.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    new.write_all(&masked_bytes(&document[..document.len().min(MOST)]))?;
    new.sync_all()?;
    fs::rename(&beside, &file)?;
    Ok(file)
}
