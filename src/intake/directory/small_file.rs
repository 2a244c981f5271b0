//! Owns reading one small file directly in the folder of a case, such as `case.yaml`:
//! a regular file, never through a symlink, never more than a limit, never waiting.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What lies under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmallFile {
    Missing,
    Text(String),
    /// Something that is not read; why, as a clause that begins with the name.
    Odd(String),
}

/// An error is one of the file system's, and says nothing of the case.
pub fn read(folder: &Path, name: &str, most: u64) -> io::Result<SmallFile> {
    let odd = |why: &str| Ok(SmallFile::Odd(format!("{name} {why}")));
    let path = folder.join(name);
    match path.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => {
            return odd("is a symlink; put the file itself in its place");
        }
        Ok(meta) if !meta.is_file() => return odd("is no regular file"),
        Ok(_) => {}
        // A folder that cannot be entered, or is none, is told of by the scan.
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::PermissionDenied => Ok(SmallFile::Missing),
                _ => Err(error),
            };
        }
    }
    // A FIFO that nobody writes to would be waited for without end.
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return odd("cannot be read: permission denied");
        }
        // Replaced meanwhile: the next scan has another fingerprint.
        Err(error) if crate::tree::vanished(&error) => return Ok(SmallFile::Missing),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return odd("is no regular file");
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let most = daylily_lifecycle::ids::ByteCount(most);
        return odd(&format!("is larger than {most}, and no more is read"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(SmallFile::Text(text)),
        Err(error) => odd(&format!(
            "is not UTF-8, from byte {} on; save it as UTF-8",
            error.utf8_error().valid_up_to()
        )),
    }
}

#[cfg(test)]
mod tests;
