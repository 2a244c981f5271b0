use std::io;
use std::path::Path;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use nix::errno::Errno;

use super::super::sockets::SocketFolder;
use super::{no_file, no_folder, not_started};

const LACKED: [(Errno, &str); 6] = [
    (Errno::EAGAIN, "no room for another process"),
    (Errno::ENOMEM, "no memory left"),
    (Errno::EMFILE, "daylily-watch has too many files open"),
    (Errno::ENFILE, "this machine has too many files open"),
    (Errno::ENOSPC, "no room left on that disk"),
    (Errno::EDQUOT, "quota"),
];

fn says(fault: &Fault, class: FaultClass, parts: &[&str]) {
    assert_eq!(fault.class, class, "{fault}");
    for part in parts {
        assert!(fault.text.contains(part), "{part} is not in: {fault}");
    }
}

#[test]
fn only_a_missing_ssh_is_the_hosts_trouble() {
    let missing = not_started(&Errno::ENOENT.into());
    says(&missing, FaultClass::FatalHost, &["start ssh", "apt install openssh-client"]);
    for (errno, part) in LACKED {
        let fault = not_started(&errno.into());
        says(&fault, FaultClass::TransientHost, &["start ssh", part]);
        assert!(!fault.text.contains("apt install"), "{fault}");
    }
    let other = not_started(&io::Error::other("odd"));
    says(&other, FaultClass::TransientHost, &["start ssh: odd"]);
}

#[test]
fn a_file_that_this_machine_has_no_room_for_may_pass_and_one_that_is_refused_does_not() {
    let log = Path::new("/run/user/1000/daylily-watch/x.log");
    for (errno, part) in LACKED {
        let parts = ["/run/user/1000/daylily-watch/x.log: ", part];
        says(&no_file(log, &errno.into()), FaultClass::TransientHost, &parts);
    }
    says(&no_file(log, &Errno::ENOENT.into()), FaultClass::TransientHost, &["has gone"]);
    for errno in [Errno::EACCES, Errno::EROFS, Errno::ENOTDIR] {
        says(&no_file(log, &errno.into()), FaultClass::FatalHost, &["see who may write there"]);
    }
}

#[test]
fn a_runtime_directory_that_has_gone_may_pass_and_one_that_is_not_ours_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let fault =
        |path: &str| no_folder(&SocketFolder::at(dir.path().join(path)).ensure().unwrap_err());
    let parts = ["cannot make ", "gone/daylily-watch: ", "enable-linger"];
    says(&fault("gone/daylily-watch"), FaultClass::TransientHost, &parts);
    std::fs::write(dir.path().join("file"), "").unwrap();
    says(&fault("file/daylily-watch"), FaultClass::FatalHost, &["who may write there"]);
    says(&fault("file"), FaultClass::FatalHost, &["nobody else may enter"]);
}
