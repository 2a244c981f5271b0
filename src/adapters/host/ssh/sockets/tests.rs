use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::{SocketError, SocketFolder};

#[test]
fn it_is_made_for_us_alone_and_may_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let folder = SocketFolder::at(dir.path().join("run"));
    folder.ensure().unwrap();
    folder.ensure().unwrap();
    let mode = fs::metadata(dir.path().join("run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn what_others_could_have_a_hand_in_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |name: &str| {
        let error = SocketFolder::at(dir.path().join(name)).ensure().unwrap_err();
        assert!(matches!(error, SocketError::NotOurs { .. }), "{name}: {error}");
    };
    fs::create_dir(dir.path().join("open")).unwrap();
    fs::set_permissions(dir.path().join("open"), fs::Permissions::from_mode(0o755)).unwrap();
    refused("open");
    fs::create_dir(dir.path().join("closed")).unwrap();
    fs::set_permissions(dir.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink(dir.path().join("closed"), dir.path().join("link")).unwrap();
    refused("link");
    fs::write(dir.path().join("file"), "").unwrap();
    refused("file");
}

#[test]
fn each_connection_has_a_name_of_its_own_that_stays() {
    let folder = SocketFolder::at("/run/user/1000/daylily-watch".into());
    let name = |parts: &[&[u8]], role: &str| folder.socket(parts, role).unwrap();
    assert_eq!(name(&[b"a", b"bc"], "0"), name(&[b"a", b"bc"], "0"));
    assert_ne!(name(&[b"a", b"bc"], "0"), name(&[b"ab", b"c"], "0"));
    assert_ne!(name(&[b"a", b"bc"], "0"), name(&[b"a", b"bc"], "1"));
}

#[test]
fn a_path_that_ssh_would_refuse_is_refused_with_the_way_out() {
    let folder = SocketFolder::at(format!("/{}", "x".repeat(70)).into());
    let error = folder.socket(&[b"a"], "0").unwrap_err();
    assert!(error.to_string().contains("hint: set XDG_RUNTIME_DIR"), "{error}");
}
