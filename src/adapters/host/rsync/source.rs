//! Owns this side of a ship: the case's folder as it was walked, and its content, hashed
//! while rsync reads it too. A file that is not what was walked is found here: rsync calls
//! a file whole that was cut short while it read.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use daylily_lifecycle::ids::{Digest, Fingerprint};
use daylily_lifecycle::outcome::Fault;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use sha2::Digest as _;
use tokio_util::sync::CancellationToken;

use super::command::{INCOMING, PARTIAL};
use super::stopped;
use crate::adapters::host::ShipOrder;
use crate::adapters::host::copy::fault::{Side, changed, fatal, fault, of_tree, transient};
use crate::adapters::host::copy::list::{Kind, Line, Stamp};
use crate::adapters::host::copy::ship::line_of;
use crate::tree::{self, Names, TreeError};
use crate::tree_digest::TreeDigest;
use crate::tree_fingerprint::TreeFingerprint;

const CHUNK: usize = 1 << 20;

/// A case's folder as one walk saw it.
#[derive(Debug)]
pub(super) struct Tree {
    /// In the order of a walk, the marker among them.
    pub(super) entries: Vec<Seen>,
    fingerprint: Fingerprint,
}

#[derive(Debug)]
pub(super) struct Seen {
    pub(super) line: Line,
    /// When its inode changed last. A time that was put back does not hide that.
    touched: i128,
}

/// Of one file's content.
#[derive(Debug, Clone)]
pub(super) struct Hashes {
    pub(super) blake3: blake3::Hash,
    /// As the headnode can make it too.
    pub(super) sha256: Option<String>,
}

pub(super) fn walk(order: &ShipOrder, ended: &CancellationToken) -> Result<Tree, Fault> {
    let ignore = Names::new(&order.ignore).map_err(of_tree)?;
    let mut fingerprint = TreeFingerprint::new(order.marker.as_deref());
    let mut entries = Vec::new();
    let mut trouble = None;
    let walked = tree::walk(&order.source, &ignore, &mut |entry| {
        fingerprint.add(&entry);
        let line = match line_of(&order.source, &entry) {
            _ if ended.is_cancelled() => Err(stopped()),
            Ok(line) => reserved(&line).map(|()| line),
            Err(fault) => Err(fault),
        };
        match line {
            Ok(line) => entries.push(Seen { line, touched: entry.ctime_ns() }),
            Err(fault) => {
                trouble = Some(fault);
                return Err(TreeError::Stopped);
            }
        }
        Ok(())
    });
    match (walked, trouble) {
        (_, Some(fault)) => Err(fault),
        (Err(error), None) => Err(of_tree(error)),
        (Ok(()), None) => Ok(Tree { entries, fingerprint: fingerprint.finish() }),
    }
}

/// rsync would leave out what has one of its own names.
fn reserved(line: &Line) -> Result<(), Fault> {
    match line.path.rsplit('/').next() {
        Some(name @ (PARTIAL | INCOMING)) => Err(fatal(format_args!(
            "{} has a name that transfers keep for themselves\nhint: rename or remove {name}",
            line.path
        ))),
        Some(_) | None => Ok(()),
    }
}

impl Tree {
    /// Whether it is the tree that was judged complete.
    pub(super) fn is_the_one_ordered(&self, order: &ShipOrder) -> Result<(), Fault> {
        if self.fingerprint == order.fingerprint {
            return Ok(());
        }
        let source = order.source.display();
        Err(transient(format_args!("{source} has changed since it was complete")))
    }

    /// Whether `now`, a later walk, saw the same; the first that is not is named.
    pub(super) fn is_still(&self, now: &Self, order: &ShipOrder) -> Result<(), Fault> {
        let before: HashMap<&str, &Seen> =
            self.entries.iter().map(|seen| (seen.line.path.as_str(), seen)).collect();
        for seen in &now.entries {
            if is_marker(order, &seen.line) {
                continue;
            }
            let same = before.get(seen.line.path.as_str()).is_some_and(|before| {
                let file = matches!(seen.line.kind, Kind::File { .. });
                before.line.kind == seen.line.kind && (!file || before.touched == seen.touched)
            });
            if !same {
                return Err(changed(&order.source.join(&seen.line.path)));
            }
        }
        now.is_the_one_ordered(order)
    }

    /// The digest of its content, when all of it was hashed.
    pub(super) fn digest(&self, order: &ShipOrder, hashes: &HashMap<String, Hashes>) -> Digest {
        let mut digest = TreeDigest::new();
        for Seen { line, .. } in self.entries.iter().filter(|seen| !is_marker(order, &seen.line)) {
            match (&line.kind, hashes.get(&line.path)) {
                (Kind::Folder, _) => digest.folder(&line.path),
                (Kind::Symlink { target }, _) => digest.symlink(&line.path, Path::new(target)),
                (Kind::File { size, .. }, Some(hashes)) => {
                    digest.file(&line.path, *size, hashes.blake3);
                }
                (Kind::File { .. }, None) => {}
            }
        }
        digest.finish()
    }
}

pub(super) fn is_marker(order: &ShipOrder, line: &Line) -> bool {
    matches!(line.kind, Kind::File { .. }) && order.marker.as_ref() == Some(&line.path)
}

/// Reads the files among `paths` whole, each once.
pub(super) fn hash(
    order: &ShipOrder,
    tree: &Arc<Tree>,
    which: impl Fn(&Line) -> bool,
    with_sha256: bool,
    ended: &CancellationToken,
) -> Result<HashMap<String, Hashes>, Fault> {
    let mut hashes = HashMap::new();
    let mut buffer = vec![0; CHUNK];
    for seen in tree.entries.iter().filter(|seen| which(&seen.line)) {
        if let Kind::File { size, modified } = seen.line.kind {
            let path = order.source.join(&seen.line.path);
            let before = Before { size, modified, touched: seen.touched };
            let hash = hash_file(&path, &before, with_sha256, &mut buffer, ended)?;
            hashes.insert(seen.line.path.clone(), hash);
        }
    }
    Ok(hashes)
}

struct Before {
    size: u64,
    modified: Stamp,
    touched: i128,
}

fn hash_file(
    path: &Path,
    before: &Before,
    with_sha256: bool,
    buffer: &mut [u8],
    ended: &CancellationToken,
) -> Result<Hashes, Fault> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = nix::fcntl::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::ELOOP | Errno::ENXIO => changed(path),
        errno => fault(Side::Source, "read", path, errno),
    })?;
    let mut file = File::from(fd);
    let trouble = |error| fault(Side::Source, "read", path, error);
    let same = |file: &File| {
        let meta = file.metadata().map_err(trouble)?;
        let touched = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
        Ok::<bool, Fault>(
            meta.is_file()
                && meta.len() == before.size
                && Stamp::of(&meta) == before.modified
                && touched == before.touched,
        )
    };
    if !same(&file)? {
        return Err(changed(path));
    }
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), with_sha256.then(sha2::Sha256::new));
    let mut read = 0;
    // One that grows as fast as it is read would never end.
    while read <= before.size {
        if ended.is_cancelled() {
            return Err(stopped());
        }
        match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => {
                blake3.update(&buffer[..count]);
                if let Some(sha256) = &mut sha256 {
                    sha256.update(&buffer[..count]);
                }
                read += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(trouble(error)),
        }
    }
    if read != before.size || !same(&file)? {
        return Err(changed(path));
    }
    Ok(Hashes { blake3: blake3.finalize(), sha256: sha256.map(|hasher| hex(&hasher.finalize())) })
}

/// Of a file on this machine, without following a symlink.
pub(super) fn sha256_of(path: &Path, ended: &CancellationToken) -> Result<String, Fault> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = nix::fcntl::open(path, flags, Mode::empty());
    let mut file = File::from(fd.map_err(|errno| fault(Side::Dest, "read back", path, errno))?);
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        if ended.is_cancelled() {
            return Err(stopped());
        }
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fault(Side::Dest, "read back", path, error)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
