//! Owns what can be changed of the machine under a round, for this thread and what it
//! starts alone: the boot id, and disks that can be full. For root only; the mounts of
//! everybody else stay as they are.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;

use crate::dice::Dice;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

pub(crate) fn may_mount() -> bool {
    Uid::effective().is_root()
}

/// From here on this thread, and what it starts, has mounts of its own.
pub(crate) fn has_own_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).expect("root may have mounts of its own");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("they are ours");
}

/// What every program that this thread starts takes for the boot id.
pub(crate) struct BootId {
    file: PathBuf,
}

impl BootId {
    pub(crate) fn lay(file: PathBuf) -> Self {
        fs::copy(BOOT_ID, &file).expect("Linux has it");
        mount(Some(&file), BOOT_ID, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .expect("root may mount");
        Self { file }
    }

    /// As after a start of the machine. Nothing that reads it may run meanwhile.
    pub(crate) fn change(&self, dice: &mut Dice) {
        let part = |dice: &mut Dice| dice.roll(1 << 48);
        let (a, b) = (part(dice) & 0xffff_ffff, part(dice));
        let id = format!("{a:08x}-0000-4000-8000-{b:012x}\n");
        fs::write(&self.file, &id).expect("it can be written");
        assert_eq!(fs::read_to_string(BOOT_ID).expect("it is there"), id);
    }
}

impl Drop for BootId {
    fn drop(&mut self) {
        // Nothing better can be done with a failure here.
        let _unmounted = umount2(BOOT_ID, MntFlags::MNT_DETACH);
    }
}

/// A disk of its own for one folder.
pub(crate) struct Disk {
    at: PathBuf,
}

impl Disk {
    pub(crate) fn below(at: &Path, size: &str) -> Self {
        fs::create_dir_all(at).expect("it can be made");
        let size = format!("size={size}");
        mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
            .expect("root may mount");
        Self { at: at.to_owned() }
    }

    /// Takes all room that is left.
    pub(crate) fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).expect("it can be made");
        for size in [1 << 20, 4096, 1] {
            let bytes = vec![1; size];
            loop {
                match filler.write_all(&bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("fill {}: {error}", self.at.display()),
                }
            }
        }
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _unmounted = umount2(&self.at, MntFlags::MNT_DETACH);
    }
}
