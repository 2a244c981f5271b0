//! Owns the destination's folders: each is opened inside its parent by name and
//! without following symlinks, so that nothing is ever written outside the tree,
//! whatever lies in it or is put there meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use daylily_lifecycle::outcome::Fault;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::fault::{Side, fatal, fault, transient};
use super::list::{Kind, Stamp};

const TEMPORARY: &str = ".daylily-watch-part.";

pub(in crate::adapters::host) struct Folder {
    fd: OwnedFd,
    /// For messages only.
    pub(in crate::adapters::host) path: PathBuf,
}

impl Folder {
    /// Opens a root. Only its last name may not be a symlink: where a work_dir lies
    /// is the administrator's to say.
    pub(in crate::adapters::host) fn root(path: &Path, side: Side) -> Result<Self, Fault> {
        let fd = nix::fcntl::open(path, folder_flags(), Mode::empty());
        let fd = fd.map_err(|errno| match errno {
            Errno::ENOTDIR | Errno::ELOOP => {
                fatal(format_args!("{} is not a folder of its own", path.display()))
            }
            errno => fault(side, "open", path, errno),
        })?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// A folder above a root, which may be a symlink.
    fn above(path: &Path) -> Result<Self, Fault> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = nix::fcntl::open(path, flags, Mode::empty());
        let fd = fd.map_err(|errno| fault(Side::Dest, "open", path, errno))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Another handle on the same folder.
    pub(in crate::adapters::host) fn again(&self) -> Result<Self, Fault> {
        let fd = self.fd.try_clone();
        let fd = fd.map_err(|error| fault(Side::Dest, "open", &self.path, error))?;
        Ok(Self { fd, path: self.path.clone() })
    }

    fn child(&self, name: &str) -> Result<Self, Errno> {
        let fd = openat(&self.fd, name, folder_flags(), Mode::empty())?;
        Ok(Self { fd, path: self.path.join(name) })
    }

    /// What lies under a name, symlinks not followed.
    pub(in crate::adapters::host) fn look(&self, name: &str) -> Result<Option<Found>, Fault> {
        match fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Found::new(&stat, || readlinkat(&self.fd, name)))),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(self.fault("look at", name, errno)),
        }
    }

    /// Makes a folder with `mode`; one that is there is left as it is.
    pub(in crate::adapters::host) fn make(&self, name: &str, mode: u32) -> Result<(), Fault> {
        match mkdirat(&self.fd, name, Mode::S_IRWXU) {
            Ok(()) => {}
            Err(Errno::EEXIST) => return Ok(()),
            Err(errno) => return Err(self.fault("make", name, errno)),
        }
        self.child(name).map_err(|errno| self.fault("open", name, errno))?.set_mode(mode)
    }

    fn set_mode(&self, mode: u32) -> Result<(), Fault> {
        let failed = |errno| fault(Side::Dest, "set the mode of", &self.path, errno);
        // A set-group-id bit inherited from the parent would be lost by a plain chmod.
        let kept = fstat(&self.fd).map_err(failed)?.st_mode & 0o7000;
        fchmod(&self.fd, Mode::from_bits_truncate(mode | kept)).map_err(failed)
    }

    pub(in crate::adapters::host) fn open_file(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        openat(&self.fd, name, flags, Mode::empty()).map(File::from)
    }

    /// A new file under a temporary name for `name`, replacing what an earlier try left.
    pub(in crate::adapters::host) fn create(&self, name: &str) -> Result<(File, String), Fault> {
        let temporary = temporary(name);
        self.remove_file(&temporary)?;
        let flags =
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(&self.fd, temporary.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|errno| self.fault("write", name, errno))?;
        Ok((File::from(fd), temporary))
    }

    pub(in crate::adapters::host) fn rename(&self, from: &str, to: &str) -> Result<(), Fault> {
        renameat(&self.fd, from, &self.fd, to).map_err(|errno| match errno {
            Errno::EISDIR => fatal(format_args!("{} is a folder", self.path.join(to).display())),
            errno => self.fault("write", to, errno),
        })
    }

    /// A symlink under a temporary name, renamed over what is there.
    pub(in crate::adapters::host) fn link(&self, name: &str, target: &str) -> Result<(), Fault> {
        let temporary = temporary(name);
        self.remove_file(&temporary)?;
        symlinkat(target, &self.fd, temporary.as_str())
            .map_err(|errno| self.fault("write", name, errno))?;
        self.rename(&temporary, name)
    }

    /// Removes anything but a folder; done already is done.
    pub(in crate::adapters::host) fn remove_file(&self, name: &str) -> Result<(), Fault> {
        match unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.fault("remove", name, errno)),
        }
    }

    /// Removes what an interrupted write of `name` left.
    pub(in crate::adapters::host) fn remove_temporary(&self, name: &str) -> Result<(), Fault> {
        self.remove_file(&temporary(name))
    }

    /// Removes a folder if it is empty.
    pub(in crate::adapters::host) fn remove_if_empty(&self, name: &str) -> Result<(), Fault> {
        match unlinkat(&self.fd, name, UnlinkatFlags::RemoveDir) {
            // Not a folder: it is no longer what was shipped, so not ours to remove.
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => {
                Ok(())
            }
            Err(errno) => Err(self.fault("remove", name, errno)),
        }
    }

    pub(in crate::adapters::host) fn sync(&self) -> Result<(), Fault> {
        match nix::unistd::fsync(&self.fd) {
            // Some network file systems cannot sync a folder and need not.
            Ok(()) | Err(Errno::EINVAL) => Ok(()),
            Err(errno) => Err(fault(Side::Dest, "sync", &self.path, errno)),
        }
    }

    fn fault(&self, doing: &str, name: &str, errno: Errno) -> Fault {
        fault(Side::Dest, doing, &self.path.join(name), errno)
    }
}

fn folder_flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

/// Always the same for a name, so that the next try finds and replaces it, and short
/// enough whatever the name.
fn temporary(name: &str) -> String {
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{TEMPORARY}{}", &hash[..16])
}

/// What lies in the destination.
pub(in crate::adapters::host) enum Found {
    As(Kind),
    /// A socket, FIFO or device, or a symlink that cannot be told.
    Odd,
}

impl Found {
    fn new(stat: &FileStat, target: impl FnOnce() -> Result<std::ffi::OsString, Errno>) -> Self {
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        if kind == SFlag::S_IFREG {
            let stamp = Stamp { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec };
            Self::As(Kind::File { size: u64::try_from(stat.st_size).unwrap_or(0), modified: stamp })
        } else if kind == SFlag::S_IFDIR {
            Self::As(Kind::Folder)
        } else if kind == SFlag::S_IFLNK {
            match target().map(std::ffi::OsString::into_string) {
                Ok(Ok(target)) => Self::As(Kind::Symlink { target }),
                Ok(Err(_)) | Err(_) => Self::Odd,
            }
        } else {
            Self::Odd
        }
    }
}

/// The open folders from the root to where a walk is. A folder left behind is synced
/// if something in it changed.
pub(in crate::adapters::host) struct Trail {
    root: Folder,
    below: Vec<Level>,
    root_dirty: bool,
}

struct Level {
    name: String,
    folder: Folder,
    dirty: bool,
}

impl Trail {
    pub(in crate::adapters::host) fn new(root: Folder) -> Self {
        Self { root, below: Vec::new(), root_dirty: false }
    }

    /// The folder that holds `path` and the last name of it. None: a folder on the
    /// way is not there, or is not a folder.
    pub(in crate::adapters::host) fn find<'p>(
        &mut self,
        path: &'p str,
    ) -> Result<Option<(&Folder, &'p str)>, Fault> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parents: Vec<&str> = parent.split('/').filter(|part| !part.is_empty()).collect();
        let same = self.below.iter().zip(&parents).take_while(|(at, part)| at.name == **part);
        let same = same.count();
        while self.below.len() > same {
            self.leave()?;
        }
        for part in &parents[same..] {
            match self.current().child(part) {
                Ok(folder) => {
                    self.below.push(Level { name: (*part).to_owned(), folder, dirty: false });
                }
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(None),
                Err(errno) => return Err(self.current().fault("open", part, errno)),
            }
        }
        Ok(Some((self.current(), name)))
    }

    /// As [`Self::find`], where the folders on the way must be there.
    pub(in crate::adapters::host) fn at<'p>(
        &mut self,
        path: &'p str,
    ) -> Result<(&Folder, &'p str), Fault> {
        let shown = self.root.path.join(path);
        self.find(path)?
            .ok_or_else(|| transient(format_args!("a folder above {} went away", shown.display())))
    }

    /// What lies at `path`.
    pub(in crate::adapters::host) fn look(&mut self, path: &str) -> Result<Option<Found>, Fault> {
        match self.find(path)? {
            Some((folder, name)) => folder.look(name),
            None => Ok(None),
        }
    }

    /// Something changed in the folder last asked for.
    pub(in crate::adapters::host) fn touched(&mut self) {
        match self.below.last_mut() {
            Some(level) => level.dirty = true,
            None => self.root_dirty = true,
        }
    }

    /// Syncs what is left to sync.
    pub(in crate::adapters::host) fn finish(mut self) -> Result<(), Fault> {
        while !self.below.is_empty() {
            self.leave()?;
        }
        if self.root_dirty { self.root.sync() } else { Ok(()) }
    }

    fn current(&self) -> &Folder {
        self.below.last().map_or(&self.root, |level| &level.folder)
    }

    fn leave(&mut self) -> Result<(), Fault> {
        match self.below.pop() {
            Some(level) if level.dirty => level.folder.sync(),
            Some(_) | None => Ok(()),
        }
    }
}

/// Makes at most the last `levels` names of a path: more would make a work_dir on
/// the mount point of one that is not mounted.
pub(in crate::adapters::host) fn make_up_to(
    path: &Path,
    levels: u32,
    mode: u32,
) -> Result<(), Fault> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            let made = Folder::root(path, Side::Dest)?;
            made.set_mode(mode)?;
            Folder::above(parent)?.sync()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && levels > 1 => {
            make_up_to(parent, levels - 1, mode)?;
            make_up_to(path, 1, mode)
        }
        Err(error) => Err(fault(Side::Dest, "make", path, error)),
    }
}
