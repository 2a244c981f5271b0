//! Owns moving one file's bytes: in chunks, hashed on the way, ended when asked.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use daylily_lifecycle::outcome::Fault;
use nix::errno::Errno;
use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};
use nix::sys::stat::{Mode, fchmod, futimens};
use nix::sys::time::TimeSpec;

use super::Mover;
use super::batch::{Batch, Written};
use super::fault::{Side, changed, fatal, fault};
use super::folder::Folder;
use super::list::Stamp;

const CHUNK: usize = 1024 * 1024;
/// Written bytes are flushed this often, so that the last sync is short enough to be
/// stopped and a full disk is met early.
const FLUSH_EVERY: u64 = 64 * 1024 * 1024;

/// A file to copy, held open, with the size and time it must keep.
pub(super) struct Source<'p> {
    pub(super) file: File,
    path: &'p Path,
    pub(super) meta: Metadata,
    /// Its bytes are progress the first time only.
    counted: bool,
}

impl<'p> Source<'p> {
    /// Opens a regular file, not following a symlink in its last name and not
    /// waiting for what is no longer a file.
    pub(super) fn open(path: &'p Path) -> Result<Self, Fault> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = nix::fcntl::open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::ELOOP | Errno::ENXIO => changed(path),
            errno => fault(Side::Source, "read", path, errno),
        })?;
        Self::of(File::from(fd), path)?.ok_or_else(|| changed(path))
    }

    /// None: it is not a regular file.
    pub(super) fn of(file: File, path: &'p Path) -> Result<Option<Self>, Fault> {
        let meta = file.metadata().map_err(|error| fault(Side::Source, "read", path, error))?;
        Ok(meta.is_file().then_some(Self { file, path, meta, counted: false }))
    }

    pub(super) fn not_counted(self) -> Self {
        Self { counted: true, ..self }
    }

    pub(super) fn size(&self) -> u64 {
        self.meta.len()
    }

    pub(super) fn modified(&self) -> Stamp {
        Stamp::of(&self.meta)
    }

    /// Reads it whole, once, from the start. It must end as it began.
    pub(super) fn read(
        &mut self,
        mover: &Mover,
        mut each: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<blake3::Hash, Fault> {
        self.file.rewind().map_err(|error| fault(Side::Source, "read", self.path, error))?;
        let counts = !std::mem::replace(&mut self.counted, true);
        let read = read_all(&mut self.file, mover, |chunk| {
            if counts {
                mover.bytes(chunk.len());
            }
            each(chunk)
        });
        let (bytes, hash) = read.map_err(|trouble| trouble.of(Side::Source, self.path))?;
        let after = self.file.metadata();
        let after = after.map_err(|error| fault(Side::Source, "read", self.path, error))?;
        let same = bytes == self.meta.len()
            && after.len() == self.meta.len()
            && Stamp::of(&after) == self.modified()
            && after.ctime_nsec() == self.meta.ctime_nsec()
            && after.ctime() == self.meta.ctime();
        if same { Ok(hash) } else { Err(changed(self.path)) }
    }

    /// Copies it into a folder, where it gets its name when the batch is finished.
    pub(super) fn copy_to(
        &mut self,
        folder: &Folder,
        name: &str,
        mode: u32,
        mover: &Mover,
        batch: &mut Batch<'_>,
    ) -> Result<blake3::Hash, Fault> {
        batch.make_room(self.size())?;
        let shown = folder.path.join(name);
        let failed = |error: std::io::Error| fault(Side::Dest, "write", &shown, error);
        let (mut file, temporary) = folder.create(name)?;
        let mut unflushed = 0;
        let hash = self.read(mover, |chunk| {
            file.write_all(chunk).map_err(failed)?;
            unflushed += chunk.len() as u64;
            if unflushed >= FLUSH_EVERY {
                unflushed = 0;
                file.sync_data().map_err(failed)?;
            }
            Ok(())
        })?;
        let time = TimeSpec::new(self.meta.mtime(), self.meta.mtime_nsec());
        futimens(&file, &TimeSpec::UTIME_OMIT, &time).map_err(|errno| failed(errno.into()))?;
        fchmod(&file, Mode::from_bits_truncate(mode)).map_err(|errno| failed(errno.into()))?;
        let folder = folder.again()?;
        let (name, bytes) = (name.to_owned(), self.size());
        batch.add(Written { file, folder, temporary, name, bytes, hash })?;
        Ok(hash)
    }
}

/// The hash of a file of the destination, read from the disk where the kernel lets
/// us ask for that. Not counted as progress: these bytes were counted when read.
pub(super) fn hash_back(folder: &Folder, name: &str, mover: &Mover) -> Result<blake3::Hash, Fault> {
    let shown = folder.path.join(name);
    let mut file =
        folder.open_file(name).map_err(|errno| fault(Side::Dest, "read back", &shown, errno))?;
    let meta = file.metadata().map_err(|error| fault(Side::Dest, "read back", &shown, error))?;
    if !meta.is_file() {
        return Err(fatal(format_args!("{} is not a regular file", shown.display())));
    }
    // Only advice: what cannot be dropped from memory is read from there.
    let _advice = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    let read = read_all(&mut file, mover, |_| Ok(()));
    read.map(|(_, hash)| hash).map_err(|trouble| trouble.of(Side::Dest, &shown))
}

enum Trouble {
    Read(std::io::Error),
    Other(Fault),
}

impl Trouble {
    fn of(self, side: Side, path: &Path) -> Fault {
        match self {
            Self::Read(error) => fault(side, "read", path, error),
            Self::Other(fault) => fault,
        }
    }
}

fn read_all(
    file: &mut File,
    mover: &Mover,
    mut each: impl FnMut(&[u8]) -> Result<(), Fault>,
) -> Result<(u64, blake3::Hash), Trouble> {
    // Small files get a small buffer, with room to notice that they grew.
    let size = file.metadata().map_err(Trouble::Read)?.len();
    let room = usize::try_from(size).unwrap_or(CHUNK).min(CHUNK - 1) + 1;
    let mut buffer = vec![0; room];
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0;
    // One that grows as fast as it is read would never end.
    while bytes <= size {
        mover.go_on().map_err(Trouble::Other)?;
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                let chunk = &buffer[..count];
                hasher.update(chunk);
                bytes += count as u64;
                each(chunk).map_err(Trouble::Other)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::Read(error)),
        }
    }
    Ok((bytes, hasher.finalize()))
}
