//! Programs put in place of rsync on this machine, and looks at what it did.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::copy::rig::{Headnode, Rig};
use crate::copy::world::World;

pub(super) const MIB: u64 = 1024 * 1024;

/// A world without a limit on its line, so that nothing takes longer than it must.
pub(super) fn fast() -> World {
    let mut world = World::new(Rig::Rsync);
    world.settings.bandwidth = None;
    world
}

pub(super) fn node(world: &World) -> &Headnode {
    world.node.as_ref().expect("it is shipped to over ssh")
}

/// A script that runs instead of rsync; in it `rsync` is the real one.
pub(super) fn script(world: &World, text: &str) -> PathBuf {
    let path = world.dir.path().join("rsync");
    program(&path, text);
    path
}

pub(super) fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Lets rsync write what it sent; see [`sent`].
pub(super) fn count_bytes(world: &mut World) {
    let log = world.dir.path().join("log");
    let text = format!("exec rsync --log-file='{}' \"$@\"", log.display());
    world.settings.program = script(world, &text);
}

/// What each run so far sent, by its log.
pub(super) fn sent(world: &World) -> Vec<u64> {
    let log = fs::read_to_string(world.dir.path().join("log")).unwrap_or_default();
    let sent = log.lines().filter_map(|line| line.split_once("] sent "));
    let sent = sent.filter_map(|(_, rest)| rest.split(' ').next());
    sent.map(|number| number.replace(',', "").parse().unwrap()).collect()
}

/// Bytes that no compression and no hole makes less.
pub(super) fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    noise
}

/// Runs while a transfer does: processes of this name in sshd's sessions.
pub(super) fn receivers(world: &World) -> Vec<u32> {
    let lock = world.lock();
    let Ok(lock) = fs::metadata(&lock) else { return Vec::new() };
    let inode = std::os::unix::fs::MetadataExt::ino(&lock);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let fds = fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        let mut inodes = fds.filter_map(|fd| fs::metadata(fd.path()).ok());
        if inodes.any(|meta| std::os::unix::fs::MetadataExt::ino(&meta) == inode) {
            found.push(pid);
        }
    }
    found
}
