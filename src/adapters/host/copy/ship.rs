//! Owns the order of a ship: look at everything, promise what may be written, take
//! away what is gone, copy, look again, and only then say what was shipped. The
//! source must be the tree that was judged complete at the first and the last look.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::{ByteCount, Fingerprint};
use daylily_lifecycle::outcome::Fault;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::batch::{Batch, ReadBack};
use super::content::{Source, hash_back};
use super::fault::{Side, changed, fatal, fault, of_tree, transient};
use super::folder::{Folder, Found, Trail, make_up_to};
use super::list::{Kind, Line, Reader, Stamp, Writer, is_ours, publish, unite};
use super::room::{Need, check_room};
use super::{Mover, ShipOrder, Shipped, gone};
use crate::adapters::host::Verify;
use crate::tree::{self, Entry, Names, TreeError};
use crate::tree_digest::TreeDigest;
use crate::tree_fingerprint::TreeFingerprint;

pub(super) fn ship(order: &ShipOrder, umask: u32, mover: &Mover) -> Result<Shipped, Fault> {
    let _lock = lock(Path::new(&order.lock))?;
    let ship = Ship {
        order,
        umask,
        mover,
        ignore: Names::new(&order.ignore).map_err(of_tree)?,
        dest: PathBuf::from(&order.dest),
        manifest: PathBuf::from(&order.manifest),
    };
    let lists = ship.manifest.parent().unwrap_or(Path::new("/"));
    // `cases` and the intake's folder in it.
    make_up_to(lists, 2, 0o700)?;
    let meant = ship.look_over()?;
    ship.promise(&meant)?;
    // The intake's folder and the case's.
    make_up_to(&ship.dest, 2, 0o777 & !umask)?;
    let old = ship.beside("old");
    gone::remove(&ship.dest, &old, &meant, mover)?;
    let shipped = ship.copy(&old, &meant)?;
    let done = ship.beside("done");
    ship.look_again(&done)?;
    ship.copy_marker(&old, &done)?;
    publish(&done, &ship.manifest)?;
    for temporary in [old, meant] {
        // Only the list itself counts; what is left is overwritten by the next ship.
        let _left = std::fs::remove_file(temporary);
    }
    Ok(shipped)
}

/// Held until the copy ends, by whichever thread makes it.
fn lock(path: &Path) -> Result<Flock<std::fs::File>, Fault> {
    make_up_to(path.parent().unwrap_or(Path::new("/")), 1, 0o700)?;
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|error| fault(Side::Dest, "open", path, error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => transient("an earlier transfer is still ending"),
        errno => fault(Side::Dest, "lock", path, errno),
    })
}

struct Ship<'a> {
    order: &'a ShipOrder,
    umask: u32,
    mover: &'a Mover,
    ignore: Names,
    dest: PathBuf,
    manifest: PathBuf,
}

impl Ship<'_> {
    /// First look: everything can be shipped, there is room, and it is the tree that
    /// was judged complete. Answers with a list of what is meant to be shipped.
    fn look_over(&self) -> Result<PathBuf, Fault> {
        let mut trail = match std::fs::symlink_metadata(&self.dest) {
            Ok(_) => Some(Trail::new(Folder::root(&self.dest, Side::Dest)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(fault(Side::Dest, "look at", &self.dest, error)),
        };
        let mut list = Writer::create(self.beside("meant"))?;
        let mut need = Need::default();
        let seen = self.walk(&mut |entry| {
            let line = line_of(&self.order.source, &entry)?;
            if let Kind::File { size, .. } = line.kind {
                let there = match &mut trail {
                    Some(trail) => trail.look(&line.path)?,
                    None => None,
                };
                if !matches!(there, Some(Found::As(kind)) if line.kind.matches(&kind)) {
                    need.files += 1;
                    need.bytes += size;
                }
            }
            list.add(&line)
        })?;
        let list = list.sync()?;
        self.unchanged(&seen)?;
        if need.files > 0 {
            check_room(&self.dest, &need)?;
        }
        Ok(list)
    }

    /// Says durably what may be written, before anything is.
    fn promise(&self, meant: &Path) -> Result<(), Fault> {
        // What was there before this ship is read while the list already says more.
        let mut old = Writer::create(self.beside("old"))?;
        let mut past = Reader::open(&self.manifest)?;
        while let Some(line) = past.take()? {
            old.add(&line)?;
        }
        old.sync()?;
        let mut united = Writer::create(self.beside("united"))?;
        unite(&self.manifest, meant, &mut united)?;
        publish(&united.sync()?, &self.manifest)
    }

    /// Brings every entry but the marker. The list it writes names what is there now.
    fn copy(&self, old: &Path, meant: &Path) -> Result<Shipped, Fault> {
        let mut trail = Trail::new(Folder::root(&self.dest, Side::Dest)?);
        let (mut old, mut meant) = (Reader::open(old)?, Reader::open(meant)?);
        let mut done = Writer::create(self.beside("done"))?;
        let mut batch = Batch::new(self.mover, ReadBack::Later);
        let mut digest = TreeDigest::new();
        let mut shipped = Shipped { files: 0, bytes: ByteCount(0), digest: None };
        while let Some(mut line) = meant.take()? {
            self.mover.go_on()?;
            let past = old.lines_of(&line.path)?;
            line.shipped = true;
            if self.is_marker(&line) {
                done.add(&line)?;
                continue;
            }
            match &line.kind {
                Kind::Folder => {
                    self.copy_folder(&mut trail, &line.path)?;
                    digest.folder(&line.path);
                }
                Kind::Symlink { target } => {
                    self.copy_link(&mut trail, &line, target, &past)?;
                    digest.symlink(&line.path, Path::new(target));
                }
                Kind::File { size, .. } => {
                    let size = *size;
                    let hash = self.copy_file(&mut trail, &mut batch, &line, &past)?;
                    digest.file(&line.path, size, hash);
                    shipped.files += 1;
                    shipped.bytes.0 += size;
                    line.blake3 = Some(hash.to_hex().as_str().into());
                    self.mover.file();
                }
            }
            done.add(&line)?;
        }
        batch.finish()?;
        trail.finish()?;
        done.sync()?;
        shipped.digest = Some(digest.finish());
        Ok(shipped)
    }

    fn copy_folder(&self, trail: &mut Trail, path: &str) -> Result<(), Fault> {
        match trail.look(path)? {
            Some(Found::As(Kind::Folder)) => Ok(()),
            Some(_) => Err(self.in_the_way(path, "a folder")),
            None => {
                let (folder, name) = trail.at(path)?;
                folder.make(name, 0o777 & !self.umask)?;
                trail.touched();
                Ok(())
            }
        }
    }

    fn copy_link(
        &self,
        trail: &mut Trail,
        line: &Line,
        target: &str,
        past: &[Line],
    ) -> Result<(), Fault> {
        match trail.look(&line.path)? {
            Some(Found::As(kind)) if kind == line.kind => return Ok(()),
            Some(Found::As(kind @ Kind::Symlink { .. })) if is_ours(past, &kind) => {}
            Some(_) => return Err(self.in_the_way(&line.path, "a symlink")),
            None => {}
        }
        let (folder, name) = trail.at(&line.path)?;
        folder.link(name, target)?;
        trail.touched();
        Ok(())
    }

    fn copy_file(
        &self,
        trail: &mut Trail,
        batch: &mut Batch<'_>,
        line: &Line,
        past: &[Line],
    ) -> Result<blake3::Hash, Fault> {
        let path = self.order.source.join(&line.path);
        let mut source = Source::open(&path)?;
        if self.is_marker(line) {
            source = source.not_counted();
        }
        let now = Kind::File { size: source.size(), modified: source.modified() };
        if now != line.kind {
            return Err(changed(&path));
        }
        let found = trail.look(&line.path)?;
        let (folder, name) = trail.at(&line.path)?;
        match found {
            None => {}
            Some(Found::As(kind @ Kind::File { .. })) => {
                let alike = line.kind.matches(&kind);
                match self.order.verify {
                    Verify::Quick if alike => return source.read(self.mover, |_| Ok(())),
                    Verify::Quick | Verify::Checksum => {}
                }
                let ours = is_ours(past, &kind);
                if alike || !ours {
                    let hash = source.read(self.mover, |_| Ok(()))?;
                    let equal = hash_back(folder, name, self.mover)? == hash;
                    if equal && alike {
                        return Ok(hash);
                    }
                    if !equal && !ours {
                        return Err(fatal(format_args!(
                            "{} is there with other content and was not shipped by this case\n\
                             hint: move it away, then retry",
                            self.dest.join(&line.path).display()
                        )));
                    }
                }
            }
            Some(_) => return Err(self.in_the_way(&line.path, "a file")),
        }
        let executable = if source.meta.permissions().mode() & 0o111 == 0 { 0 } else { 0o111 };
        let mode = (0o666 | executable) & !self.umask;
        source.copy_to(folder, name, mode, self.mover, batch)
    }

    /// Second look, at both sides: the source has not moved, and what is there is
    /// what was copied.
    fn look_again(&self, done: &Path) -> Result<(), Fault> {
        let mut trail = Trail::new(Folder::root(&self.dest, Side::Dest)?);
        let mut done = Reader::open(done)?;
        let seen = self.walk(&mut |entry| {
            let source = self.order.source.join(&entry.path);
            let now = line_of(&self.order.source, &entry)?;
            if self.is_marker(&now) {
                return Ok(());
            }
            let line = done.lines_of(&entry.path)?.pop();
            let line = line.filter(|line| line.kind == now.kind).ok_or_else(|| changed(&source))?;
            match trail.look(&line.path)? {
                Some(Found::As(kind)) if line.kind.matches(&kind) => {}
                Some(_) | None => return Err(self.differs(&line.path)),
            }
            match (self.order.verify, &line.blake3) {
                (Verify::Checksum, Some(hash)) => {
                    let (folder, name) = trail.at(&line.path)?;
                    let back = hash_back(folder, name, self.mover)?;
                    if *back.to_hex().as_str() == **hash {
                        Ok(())
                    } else {
                        Err(self.differs(&line.path))
                    }
                }
                (Verify::Checksum, None) | (Verify::Quick, _) => Ok(()),
            }
        })?;
        self.unchanged(&seen)
    }

    /// Last of all, so that it stands for a whole copy there as it does here. One that
    /// came or went since the first look is none: the case is the same without it.
    fn copy_marker(&self, old: &Path, done: &Path) -> Result<(), Fault> {
        let Some(marker) = &self.order.marker else { return Ok(()) };
        let Some(line) = Reader::open(done)?.lines_of(marker)?.pop() else { return Ok(()) };
        match std::fs::symlink_metadata(self.order.source.join(marker)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Ok(_) | Err(_) => {}
        }
        let past = Reader::open(old)?.lines_of(marker)?;
        let mut trail = Trail::new(Folder::root(&self.dest, Side::Dest)?);
        let mut batch = Batch::new(self.mover, ReadBack::Now);
        self.copy_file(&mut trail, &mut batch, &line, &past)?;
        batch.finish()
    }

    /// Walks the source and answers with its fingerprint.
    fn walk(&self, each: &mut dyn FnMut(Entry) -> Result<(), Fault>) -> Result<Fingerprint, Fault> {
        let mut fingerprint = TreeFingerprint::new(self.order.marker.as_deref());
        let mut trouble = None;
        let walked = tree::walk(&self.order.source, &self.ignore, &mut |entry| {
            fingerprint.add(&entry);
            let path = self.order.source.join(&entry.path);
            self.mover.go_on().and_then(|()| each(entry)).map_err(|fault| {
                trouble = Some(fault);
                TreeError::Io { path, source: std::io::Error::other("not gone on with") }
            })
        });
        match (walked, trouble) {
            (_, Some(fault)) => Err(fault),
            (Err(error), None) => Err(of_tree(error)),
            (Ok(()), None) => Ok(fingerprint.finish()),
        }
    }

    fn unchanged(&self, seen: &Fingerprint) -> Result<(), Fault> {
        if *seen == self.order.fingerprint {
            Ok(())
        } else {
            let source = self.order.source.display();
            Err(transient(format_args!("{source} has changed since it was complete")))
        }
    }

    fn is_marker(&self, line: &Line) -> bool {
        matches!(line.kind, Kind::File { .. }) && self.order.marker.as_ref() == Some(&line.path)
    }

    fn in_the_way(&self, path: &str, wanted: &str) -> Fault {
        fatal(format_args!(
            "{} is in the way: it is not {wanted}, and not all of it was shipped by this case\n\
             hint: move it away, then retry",
            self.dest.join(path).display()
        ))
    }

    fn differs(&self, path: &str) -> Fault {
        let path = self.dest.join(path);
        transient(format_args!("{} is not what was copied there", path.display()))
    }

    /// A list that only a ship under way needs.
    fn beside(&self, what: &str) -> PathBuf {
        let mut name = self.manifest.clone().into_os_string();
        name.push(".");
        name.push(what);
        name.into()
    }
}

/// What an entry is to be shipped as, or why it cannot be.
pub(in crate::adapters::host) fn line_of(root: &Path, entry: &Entry) -> Result<Line, Fault> {
    let shown = || root.join(&entry.path);
    if entry.path.chars().any(char::is_control) {
        return Err(fatal(format_args!("the name {:?} holds a control character", entry.path)));
    }
    let kind = match &entry.kind {
        tree::Kind::File => Kind::File { size: entry.meta.len(), modified: Stamp::of(&entry.meta) },
        tree::Kind::Folder => Kind::Folder,
        tree::Kind::Symlink { target } => {
            let target = target.to_str().filter(|target| stays_inside(&entry.path, target));
            let target = target.ok_or_else(|| {
                fatal(format_args!("the symlink {} leaves the case", shown().display()))
            })?;
            Kind::Symlink { target: target.to_owned() }
        }
        tree::Kind::Special => {
            return Err(fatal(format_args!(
                "{} is neither a file nor a folder nor a symlink",
                shown().display()
            )));
        }
    };
    Ok(Line { path: entry.path.clone(), kind, shipped: false, blake3: None })
}

/// By its text alone: a relative target that never climbs above the root.
fn stays_inside(path: &str, target: &str) -> bool {
    let mut depth = path.split('/').count() - 1;
    !target.starts_with('/')
        && target.split('/').all(|part| match part {
            "" | "." => true,
            ".." => depth.checked_sub(1).map(|above| depth = above).is_some(),
            _ => {
                depth += 1;
                true
            }
        })
}
