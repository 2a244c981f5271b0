//! Owns running a test that mounts: as root where the tests run as root, else once more
//! in a user namespace, in which everybody may.

use std::process::Command;

/// Runs the test of this full name in a namespace of its own. False: this is that run,
/// or none is needed.
#[allow(clippy::disallowed_methods, reason = "a namespace is of a process of its own")]
pub(crate) fn ran_in_one(test: &str) -> bool {
    if nix::unistd::geteuid().is_root() {
        return false;
    }
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success() && told.contains("1 passed"),
        "needs user namespaces (sysctl user.max_user_namespaces), or root: {told}{complaint}"
    );
    true
}
