//! Owns this side of a ship: the case's folder as it was walked, and its content, hashed
//! while rsync reads it too. A file that is not what was walked is found here: rsync calls
//! a file whole that was cut short while it read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use daylily_lifecycle::ids::{Digest, Fingerprint};
use daylily_lifecycle::outcome::Fault;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use sha2::Digest as _;
use tokio_util::sync::CancellationToken;

use super::archive::Archive;
use super::command::{INCOMING, PARTIAL};
use super::stopped;
use crate::adapters::host::ShipOrder;
use crate::adapters::host::copy::fault::{Side, changed, fatal, fault, of_tree, transient};
use crate::adapters::host::copy::list::{Kind, Line, Stamp, walk_order};
use crate::adapters::host::copy::ship::line_of;
use crate::tree::{self, Names, TreeError};
use crate::tree_digest::TreeDigest;
use crate::tree_fingerprint::TreeFingerprint;

const CHUNK: usize = 1 << 20;
const SECOND: i64 = 1_000_000_000;

/// A case's folder as one walk saw it.
#[derive(Debug)]
pub(super) struct Tree {
    /// In the order of a walk, the marker among them.
    pub(super) lines: Vec<Line>,
    /// When the inode of each changed last. A time that was put back does not hide that.
    touched: Vec<i64>,
    fingerprint: Fingerprint,
}

/// Of the contents of a tree's files, each at the place of its line.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    blake3: Vec<Option<blake3::Hash>>,
    /// As the headnode can make it too. Empty where nobody asked for it.
    sha256: Vec<Option<[u8; 32]>>,
}

impl Hashes {
    pub(super) fn blake3(&self, at: usize) -> Option<blake3::Hash> {
        self.blake3.get(at).copied().flatten()
    }

    pub(super) fn sha256(&self, at: usize) -> Option<[u8; 32]> {
        self.sha256.get(at).copied().flatten()
    }
}

pub(super) fn walk(order: &ShipOrder, ended: &CancellationToken) -> Result<Tree, Fault> {
    let (mut lines, mut touched) = (Vec::new(), Vec::new());
    let fingerprint = walk_telling(order, ended, &mut |line, changed| {
        lines.push(line);
        touched.push(nanoseconds(changed));
        Ok(())
    })?;
    lines.shrink_to_fit();
    Ok(Tree { lines, touched, fingerprint })
}

/// Walks, and tells of each entry with when its inode changed.
fn walk_telling(
    order: &ShipOrder,
    ended: &CancellationToken,
    tell: &mut dyn FnMut(Line, i128) -> Result<(), Fault>,
) -> Result<Fingerprint, Fault> {
    let ignore = Names::new(&order.ignore).map_err(of_tree)?;
    let mut fingerprint = TreeFingerprint::new(order.marker.as_deref());
    let mut trouble = None;
    let walked = tree::walk(&order.source, &ignore, &mut |entry| {
        fingerprint.add(&entry);
        let line = match line_of(&order.source, &entry) {
            _ if ended.is_cancelled() => Err(stopped()),
            Ok(line) => reserved(&line).map(|()| line),
            Err(fault) => Err(fault),
        };
        let told = line.and_then(|line| tell(line, entry.ctime_ns()));
        told.map_err(|fault| {
            trouble = Some(fault);
            TreeError::Stopped
        })
    });
    match (walked, trouble) {
        (_, Some(fault)) => Err(fault),
        (Err(error), None) => Err(of_tree(error)),
        (Ok(()), None) => Ok(fingerprint.finish()),
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
        is_the_one_ordered(&self.fingerprint, order)
    }

    /// Walks once more. Whether that sees the same; the first that is not is named.
    pub(super) fn is_still_there(
        &self,
        order: &ShipOrder,
        ended: &CancellationToken,
    ) -> Result<(), Fault> {
        let mut next = 0;
        let mut other = None;
        let fingerprint = walk_telling(order, ended, &mut |line, touched| {
            if other.is_some() || is_marker(order, &line) {
                return Ok(());
            }
            // Both walks are in the same order; what is gone is told by the fingerprint.
            next += self.lines[next..]
                .iter()
                .take_while(|before| walk_order(&before.path, &line.path).is_lt())
                .count();
            let same = self.lines.get(next).is_some_and(|before| {
                let file = matches!(line.kind, Kind::File { .. });
                *before == line && (!file || self.touched.get(next) == Some(&nanoseconds(touched)))
            });
            if !same {
                other = Some(line.path);
            }
            Ok(())
        })?;
        match other {
            Some(path) => Err(changed(&order.source.join(path))),
            None => is_the_one_ordered(&fingerprint, order),
        }
    }

    /// Where the line of a path is.
    pub(super) fn place(&self, path: &str) -> Option<usize> {
        self.lines.binary_search_by(|line| walk_order(&line.path, path)).ok()
    }

    /// The digest of its content, when all of it was hashed.
    pub(super) fn digest(&self, order: &ShipOrder, hashes: &Hashes) -> Digest {
        let mut digest = TreeDigest::new();
        for (at, line) in self.lines.iter().enumerate() {
            if is_marker(order, line) {
                continue;
            }
            match (&line.kind, hashes.blake3(at)) {
                (Kind::Folder, _) => digest.folder(&line.path),
                (Kind::Symlink { target }, _) => digest.symlink(&line.path, Path::new(target)),
                (Kind::File { size, .. }, Some(hash)) => digest.file(&line.path, *size, hash),
                (Kind::File { .. }, None) => {}
            }
        }
        digest.finish()
    }
}

/// Enough for the next two hundred years, in half the room.
fn nanoseconds(touched: i128) -> i64 {
    i64::try_from(touched).unwrap_or(i64::MAX)
}

fn is_the_one_ordered(seen: &Fingerprint, order: &ShipOrder) -> Result<(), Fault> {
    if *seen == order.fingerprint {
        return Ok(());
    }
    let source = order.source.display();
    Err(transient(format_args!("{source} has changed since it was complete")))
}

pub(super) fn is_marker(order: &ShipOrder, line: &Line) -> bool {
    matches!(line.kind, Kind::File { .. }) && order.marker.as_ref() == Some(&line.path)
}

/// Reads some of the files whole, each once.
pub(super) fn hash(
    order: &ShipOrder,
    tree: &Tree,
    which: impl Fn(&Line) -> bool,
    with_sha256: bool,
    ended: &CancellationToken,
) -> Result<Hashes, Fault> {
    let many = tree.lines.len();
    let sha256 = if with_sha256 { vec![None; many] } else { Vec::new() };
    let mut hashes = Hashes { blake3: vec![None; many], sha256 };
    let mut buffer = vec![0; CHUNK];
    for (at, (line, &touched)) in tree.lines.iter().zip(&tree.touched).enumerate() {
        let Kind::File { size, modified } = line.kind else { continue };
        if !which(line) {
            continue;
        }
        let path = order.source.join(&line.path);
        let before = Before { size, modified, touched };
        let (blake3, sha256) = hash_file(&path, &before, with_sha256, &mut buffer, ended)?;
        hashes.blake3[at] = Some(blake3);
        if let Some(place) = hashes.sha256.get_mut(at) {
            *place = sha256;
        }
    }
    Ok(hashes)
}

/// Reads all of a small tree, each file once, into an archive.
pub(super) fn pack(
    order: &ShipOrder,
    tree: &Tree,
    ended: &CancellationToken,
) -> Result<(Hashes, Archive), Fault> {
    let mut hashes = Hashes { blake3: vec![None; tree.lines.len()], sha256: Vec::new() };
    let (mut archive, mut buffer) = (Archive::default(), vec![0; CHUNK]);
    for (at, (line, &touched)) in tree.lines.iter().zip(&tree.touched).enumerate() {
        let when =
            Stamp { seconds: touched.div_euclid(SECOND), nanoseconds: touched.rem_euclid(SECOND) };
        match &line.kind {
            Kind::Folder => archive.folder(&line.path, when),
            Kind::Symlink { target } => archive.symlink(&line.path, when, target),
            &Kind::File { size, modified } => {
                let path = order.source.join(&line.path);
                let before = Before { size, modified, touched };
                let mut content = Vec::new();
                let mode = read_file(&path, &before, &mut buffer, ended, &mut |bytes| {
                    content.extend_from_slice(bytes);
                })?;
                hashes.blake3[at] = Some(blake3::hash(&content));
                archive.file(&line.path, modified, mode & 0o111 != 0, &content);
            }
        }
    }
    Ok((hashes, archive))
}

struct Before {
    size: u64,
    modified: Stamp,
    touched: i64,
}

fn hash_file(
    path: &Path,
    before: &Before,
    with_sha256: bool,
    buffer: &mut [u8],
    ended: &CancellationToken,
) -> Result<(blake3::Hash, Option<[u8; 32]>), Fault> {
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), with_sha256.then(sha2::Sha256::new));
    read_file(path, before, buffer, ended, &mut |bytes| {
        blake3.update(bytes);
        if let Some(sha256) = &mut sha256 {
            sha256.update(bytes);
        }
    })?;
    Ok((blake3.finalize(), sha256.map(|hasher| hasher.finalize().into())))
}

/// Reads all of a file, which must be the one that was walked from beginning to end. Answers
/// with its mode.
fn read_file(
    path: &Path,
    before: &Before,
    buffer: &mut [u8],
    ended: &CancellationToken,
    take: &mut dyn FnMut(&[u8]),
) -> Result<u32, Fault> {
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
                && nanoseconds(touched) == before.touched,
        )
    };
    if !same(&file)? {
        return Err(changed(path));
    }
    let mut read = 0;
    // One that grows as fast as it is read would never end.
    while read <= before.size {
        if ended.is_cancelled() {
            return Err(stopped());
        }
        match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => {
                take(&buffer[..count]);
                read += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(trouble(error)),
        }
    }
    if read != before.size || !same(&file)? {
        return Err(changed(path));
    }
    Ok(file.metadata().map_err(trouble)?.mode())
}

/// Of a file on this machine, without following a symlink.
pub(super) fn sha256_of(path: &Path, ended: &CancellationToken) -> Result<[u8; 32], Fault> {
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
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fault(Side::Dest, "read back", path, error)),
        }
    }
}
