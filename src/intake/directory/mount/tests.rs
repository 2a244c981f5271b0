//! Reading the kernel's table of mounts, and what a difference means.

use std::fs;

use super::*;

const TABLE: &[u8] = b"\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
40 27 0:50 / /mnt/scanner rw,relatime shared:2 master:1 - nfs4 server:/x rw,vers=4.2
41 27 0:51 / /mnt/with\\040space\\134 rw - cifs //nas/share\\040one rw
42 27 0:52 / /mnt/twice rw - ext4 /dev/sdb1 rw
43 42 0:53 / /mnt/twice rw - fuse.sshfs lab@host:/data rw
short line
";

#[track_caller]
fn check_holder(path: &str, file_system: &str, source: &str) {
    let line = holder(TABLE, Path::new(path)).unwrap();
    assert_eq!((line.file_system.as_str(), line.source.as_str()), (file_system, source), "{path}");
}

#[test]
fn the_longest_mount_point_holds_a_path() {
    check_holder("/", "ext4", "/dev/vda");
    check_holder("/mnt", "ext4", "/dev/vda");
    check_holder("/mnt/scanner/new", "nfs4", "server:/x");
    check_holder("/mnt/scanner2", "ext4", "/dev/vda");
    check_holder("/proc/1", "proc", "proc");
}

#[test]
fn escapes_in_mount_points_are_undone() {
    check_holder(r"/mnt/with space\/x", "cifs", "//nas/share one");
    assert_eq!(unescape(br"a\0409\x\04"), OsString::from(r"a 9\x\04"));
}

#[test]
fn of_two_mounts_at_one_point_the_later_lies_on_top() {
    check_holder("/mnt/twice/x", "fuse.sshfs", "lab@host:/data");
}

#[test]
fn a_table_without_the_path_has_no_holder() {
    assert_eq!(holder(b"22 27 0:21 / /proc rw - proc proc rw\n", Path::new("/x")), None);
    assert_eq!(holder(b"", Path::new("/")), None);
}

#[test]
fn types_that_others_write_to_are_network() {
    for kind in ["nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse.sshfs", "fuse.unheard", "fuse"]
    {
        assert!(is_network(kind), "{kind}");
    }
    for kind in ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.mergerfs"] {
        assert!(!is_network(kind), "{kind}");
    }
}

#[test]
fn quiet_auto_is_long_on_a_network_and_short_on_a_disk() {
    assert_eq!(mount("ext4", "/dev/vda", "/", "2:1").quiet(), (SignedDuration::from_secs(10), 1));
    assert_eq!(mount("nfs4", "s:/x", "/m", "2:-").quiet(), (SignedDuration::from_mins(5), 2));
}

fn mount(file_system: &str, source: &str, point: &str, root: &str) -> Mount {
    Mount {
        file_system: file_system.to_owned(),
        source: source.to_owned(),
        point: point.to_owned(),
        root: FolderIdentity::new(root),
    }
}

fn scanner() -> Mount {
    mount("nfs", "server:/x", "/mnt/scanner", "2:-")
}

#[track_caller]
fn unreadable(found: Mount, empty: bool) -> String {
    match compare(Path::new("/mnt/scanner"), Some(&scanner()), found, empty, false) {
        MountState::Unreadable { because } => because,
        state @ (MountState::Readable(_) | MountState::Replaced { .. }) => panic!("{state:?}"),
    }
}

/// Lesson 4.
#[test]
fn an_unmounted_intake_is_unreadable_not_empty() {
    let local = mount("ext4", "/dev/vda", "/", "77:123");
    assert_eq!(
        unreadable(local.clone(), true),
        "/mnt/scanner is not mounted: expected nfs server:/x, found ext4 /dev/vda"
    );
    // Nor when somebody has put something into the mount point.
    assert!(unreadable(local, false).contains("is not mounted"));
}

#[test]
fn another_share_at_the_same_place_is_unreadable() {
    assert_eq!(
        unreadable(mount("nfs", "server:/y", "/mnt/scanner", "2:-"), false),
        "/mnt/scanner has something else mounted: expected nfs server:/x, found nfs server:/y"
    );
}

#[test]
fn a_root_made_anew_is_accepted_once_something_is_in_it() {
    let found = mount("nfs", "server:/x", "/mnt/scanner", "9:-");
    assert_eq!(unreadable(found.clone(), true), "/mnt/scanner was replaced by an empty folder");
    let state = compare(Path::new("/mnt/scanner"), Some(&scanner()), found.clone(), false, false);
    let told = "/mnt/scanner is another folder than before, on the same file system".to_owned();
    assert_eq!(state, MountState::Replaced { mount: found, told });
}

#[test]
fn the_check_file_confirms_a_mount_that_moved() {
    let found = mount("nfs", "newserver:/x", "/mnt/scanner", "2:-");
    let state = compare(Path::new("/mnt/scanner"), Some(&scanner()), found.clone(), false, true);
    let told = "/mnt/scanner is now of nfs newserver:/x".to_owned();
    assert_eq!(state, MountState::Replaced { mount: found, told });
}

#[test]
fn a_disk_that_got_another_name_is_the_same_disk() {
    let before = mount("ext4", "/dev/sdb1", "/data", "2:1700000000000000001");
    let found = mount("ext4", "/dev/sdc1", "/data", "2:1700000000000000001");
    let state = compare(Path::new("/data/new"), Some(&before), found, true, false);
    assert!(matches!(state, MountState::Replaced { .. }), "{state:?}");
}

#[test]
fn a_root_is_remembered_and_recognised() {
    let root = tempfile::tempdir().unwrap();
    let MountState::Readable(found) = check(root.path(), None, None) else { panic!() };
    let text = found.to_text();
    assert_eq!(check(root.path(), Some(&text), None), MountState::Readable(found));
}

#[test]
fn a_root_that_is_gone_or_lacks_its_check_file_is_unreadable() {
    let place = tempfile::tempdir().unwrap();
    let because = |root: &Path, file| match check(root, None, file) {
        MountState::Unreadable { because } => because,
        state @ (MountState::Readable(_) | MountState::Replaced { .. }) => panic!("{state:?}"),
    };
    let root = place.path();
    let gone = root.join("gone");
    assert_eq!(because(&gone, None), format!("{} is not there", gone.display()));
    let file = root.join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(because(&file, None), format!("{} is not a folder", file.display()));
    assert_eq!(
        because(root, Some(".mounted")),
        format!("{} is taken as not mounted, because .mounted is not in it", root.display())
    );
    fs::write(root.join(".mounted"), "").unwrap();
    assert!(matches!(check(root, None, Some(".mounted")), MountState::Readable(_)));
}

/// The whole way with a real mount where this user may make one; for others the table
/// above stands in, as `compare` sees the same.
#[test]
fn a_file_system_mounted_and_unmounted_is_noticed() {
    use nix::mount::{MntFlags, MsFlags, umount2};

    let root = tempfile::tempdir().unwrap();
    let nothing = None::<&str>;
    let mounted =
        nix::mount::mount(Some("daylily"), root.path(), Some("tmpfs"), MsFlags::empty(), nothing);
    if let Err(refused) = mounted {
        assert!(!nix::unistd::geteuid().is_root() || refused == nix::errno::Errno::EPERM);
        return;
    }
    fs::create_dir(root.path().join("HG002")).unwrap();
    let MountState::Readable(found) = check(root.path(), None, None) else { panic!() };
    assert_eq!((found.file_system.as_str(), found.source.as_str()), ("tmpfs", "daylily"));
    let text = found.to_text();
    umount2(root.path(), MntFlags::empty()).unwrap();
    let MountState::Unreadable { because } = check(root.path(), Some(&text), None) else {
        panic!()
    };
    assert!(because.contains("is not mounted: expected tmpfs daylily, found "), "{because}");
}
