//! Owns what is mounted behind an intake: whether it is what it was, and what may be
//! expected of it. A share that is not mounted looks like an empty folder; nothing in
//! an intake may be taken as vanished unless [`check`] says that it is readable.
//!
//! A server that does not answer can keep any call here waiting, so they belong on a
//! thread that may block.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use daylily_lifecycle::ids::FolderIdentity;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// The mount behind an intake, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    #[serde(rename = "type")]
    pub file_system: String,
    pub source: String,
    /// Where it is mounted.
    pub point: String,
    /// The intake's root folder.
    pub root: FolderIdentity,
}

/// What a look at an intake's root says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountState {
    /// As remembered, or seen for the first time: to be remembered.
    Readable(Mount),
    /// To be remembered anew and told, one clause.
    Replaced { mount: Mount, told: String },
    /// Nothing in it is known to have vanished.
    Unreadable { because: String },
}

#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error("read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("no mount in {} holds {}", MOUNT_TABLE, path.display())]
    Unknown { path: PathBuf },
}

const MOUNT_TABLE: &str = "/proc/self/mountinfo";

impl Mount {
    /// The text by which it is remembered.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a struct of four texts has a JSON form")
    }

    fn describe(&self) -> String {
        format!("{} {}", self.file_system, self.source)
    }

    /// Whether others than this machine's kernel may write there.
    pub fn is_network(&self) -> bool {
        is_network(&self.file_system)
    }

    /// Whether the ctime of a file tells when it last changed here.
    pub fn dates_changes(&self) -> bool {
        !matches!(self.file_system.as_str(), "vfat" | "msdos" | "exfat" | "hfs" | "hfsplus")
    }

    /// What `quiet: auto` means here: the quiet period, and how many equal scans.
    pub fn quiet(&self) -> (SignedDuration, u32) {
        if self.is_network() {
            (SignedDuration::from_mins(5), 2)
        } else {
            (SignedDuration::from_secs(10), 1)
        }
    }
}

/// By the type's name. An unknown kind of FUSE counts as one: waiting longer than
/// needed is the smaller harm.
pub fn is_network(file_system: &str) -> bool {
    const NETWORK: [&str; 25] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "ceph",
        "9p",
        "virtiofs",
        "lustre",
        "beegfs",
        "gpfs",
        "glusterfs",
        "afs",
        "ocfs2",
        "gfs2",
        "orangefs",
        "pvfs2",
        "coda",
        "panfs",
        "wekafs",
        "autofs",
        "vboxsf",
        "vmhgfs",
        "prl_fs",
        "fuse",
    ];
    const LOCAL_FUSE: [&str; 5] = ["mergerfs", "gocryptfs", "fuse-overlayfs", "ntfs-3g", "lxcfs"];
    match file_system.strip_prefix("fuse.") {
        Some(kind) => !LOCAL_FUSE.contains(&kind),
        None => NETWORK.contains(&file_system),
    }
}

/// Looks at the root of an intake. `remembered` is what [`Mount::to_text`] gave; a
/// text that cannot be read counts as none. `mount_check` is relative to the root.
pub fn check(root: &Path, remembered: Option<&str>, mount_check: Option<&str>) -> MountState {
    let unreadable = |because| MountState::Unreadable { because };
    let shown = root.display();
    // Listing first: it is also what makes an automounter mount.
    let empty = match std::fs::read_dir(root) {
        Ok(mut listing) => listing.next().is_none(),
        Err(error) => return unreadable(why_not_listed(root, &error)),
    };
    if let Some(name) = mount_check {
        match std::fs::symlink_metadata(root.join(name)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return unreadable(format!(
                    "{shown} is taken as not mounted, because {name} is not in it"
                ));
            }
            Err(error) => return unreadable(format!("{name} in {shown} cannot be seen: {error}")),
        }
    }
    let remembered: Option<Mount> = remembered.and_then(|text| serde_json::from_str(text).ok());
    match behind(root) {
        Ok(found) => compare(root, remembered.as_ref(), found, empty, mount_check.is_some()),
        Err(error) => unreadable(format!("what is mounted at {shown} cannot be told: {error}")),
    }
}

fn why_not_listed(root: &Path, error: &io::Error) -> String {
    let root = root.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!("{root} is not there"),
        io::ErrorKind::NotADirectory => format!("{root} is not a folder"),
        io::ErrorKind::PermissionDenied => format!("{root} cannot be read: permission denied"),
        _ => format!("{root} cannot be read: {error}"),
    }
}

/// What the difference between two mounts means. `confirmed`: the `mount_check` file,
/// which a person put there for this, is in the root.
fn compare(
    root: &Path,
    remembered: Option<&Mount>,
    found: Mount,
    empty: bool,
    confirmed: bool,
) -> MountState {
    let Some(remembered) = remembered else { return MountState::Readable(found) };
    if *remembered == found {
        return MountState::Readable(found);
    }
    let shown = root.display();
    let same_place = remembered.file_system == found.file_system
        && remembered.source == found.source
        && remembered.point == found.point;
    if remembered.file_system == found.file_system
        && remembered.root == found.root
        && has_birth(&found.root)
    {
        // A disk that the kernel names differently today: the folder itself is the same.
        let told = format!("{shown} is the same folder, now of {}", found.describe());
        return MountState::Replaced { mount: found, told };
    }
    if same_place && (confirmed || !empty) {
        let told = format!("{shown} is another folder than before, on the same file system");
        return MountState::Replaced { mount: found, told };
    }
    if same_place {
        // Made anew and empty is also what a share looks like that lost its content.
        let because = format!("{shown} was replaced by an empty folder");
        return MountState::Unreadable { because };
    }
    if confirmed {
        let told = format!("{shown} is now of {}", found.describe());
        return MountState::Replaced { mount: found, told };
    }
    let (expected, seen) = (remembered.describe(), found.describe());
    let what = if found.point.len() < remembered.point.len() {
        "is not mounted"
    } else {
        "has something else mounted"
    };
    let because = format!("{shown} {what}: expected {expected}, found {seen}");
    MountState::Unreadable { because }
}

/// The mount that holds `root`, symlinks resolved.
pub fn behind(root: &Path) -> Result<Mount, MountError> {
    let read = |path: &Path, source| MountError::Read { path: path.to_owned(), source };
    let real = std::fs::canonicalize(root).map_err(|source| read(root, source))?;
    let meta = std::fs::metadata(&real).map_err(|source| read(root, source))?;
    let table =
        std::fs::read(MOUNT_TABLE).map_err(|source| read(Path::new(MOUNT_TABLE), source))?;
    let line = holder(&table, &real).ok_or(MountError::Unknown { path: real })?;
    Ok(Mount {
        file_system: line.file_system,
        source: line.source,
        point: line.point.to_string_lossy().into_owned(),
        root: identity(&meta),
    })
}

/// Inode and birth time; where a file system has no birth times, `-` for it.
pub(super) fn identity(meta: &Metadata) -> FolderIdentity {
    let born = meta.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    match born {
        Some(born) => FolderIdentity::new(format!("{}:{}", meta.ino(), born.as_nanos())),
        None => FolderIdentity::new(format!("{}:-", meta.ino())),
    }
}

/// The folder at a path, if there is one.
pub fn folder_at(path: &Path) -> Option<FolderIdentity> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    meta.is_dir().then(|| identity(&meta))
}

fn has_birth(folder: &FolderIdentity) -> bool {
    !folder.as_str().ends_with(":-")
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    point: PathBuf,
    file_system: String,
    source: String,
}

/// The mount whose point is the longest prefix of `path`; of several at one point the
/// last, which lies on top.
fn holder(table: &[u8], path: &Path) -> Option<Line> {
    let lines = table.split(|byte| *byte == b'\n').filter_map(parse);
    lines
        .filter(|line| path.starts_with(&line.point))
        .max_by_key(|line| line.point.components().count())
}

/// One line of mountinfo, as proc(5) has it: six fields, any number of optional ones,
/// a dash, then type, source and options.
fn parse(line: &[u8]) -> Option<Line> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = PathBuf::from(unescape(fields.nth(4)?));
    let mut fields = fields.skip_while(|field| *field != b"-");
    fields.next()?;
    let mut text = || Some(unescape(fields.next()?).to_string_lossy().into_owned());
    Some(Line { point, file_system: text()?, source: text()? })
}

/// Space, tab, newline, backslash and `#` stand as a backslash and three octal digits.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(first);
                rest = after;
            }
        }
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
