//! Real servers, each started by the test that wants it, on loopback, with its own keys
//! and configuration in a folder of its own, and ended by its own process id. Nothing of
//! the machine's own is read or touched. A server that is not installed fails the test.

pub(crate) mod meter;
pub(crate) mod processes;
pub(crate) mod pueued;
pub(crate) mod s3;
pub(crate) mod sshd;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::unistd::{Gid, Uid, User};

/// Whom servers let in: as root a user made for it, so that nothing passes because root
/// may do all; as anyone else oneself.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
}

const TEST_USER: &str = "daylily-test";

pub(crate) fn account() -> Account {
    let found = match Uid::effective().is_root() {
        true => User::from_name(TEST_USER).expect("users can be looked up"),
        false => User::from_uid(Uid::effective()).expect("users can be looked up"),
    };
    let user =
        found.unwrap_or_else(|| panic!("the user {TEST_USER} is missing: run `make servers`"));
    Account { name: user.name, uid: user.uid, gid: user.gid }
}

/// The path of a program that a server needs.
pub(crate) fn installed(path: &str) -> &str {
    assert!(std::fs::metadata(path).is_ok(), "{path} is missing: run `make servers`");
    path
}

/// A folder with every program of this machine but rsync, which another user may enter too.
pub(crate) fn programs_without_rsync() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    for program in fs::read_dir("/usr/bin").expect("it is there").flatten() {
        let name = program.file_name();
        if name != "rsync" {
            symlink(program.path(), folder.path().join(name)).expect("the folder is empty");
        }
    }
    folder
}
