//! Owns running a test that mounts: as root where the tests run as root, else once more
//! in a user namespace, in which everybody may and stays who they are.

use std::process::Command;

/// Set in the namespace.
const INSIDE: &str = "DAYLILY_TEST_MAY_MOUNT";

/// Runs the test of this full name in a namespace of its own. False: this is that run,
/// or none is needed.
#[allow(clippy::disallowed_methods, reason = "a namespace is of a process of its own")]
pub(crate) fn ran_in_one(test: &str) -> bool {
    if nix::unistd::geteuid().is_root() || std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let run = Command::new("unshare")
        .args(["--user", "--map-current-user", "--keep-caps", "--mount"])
        .env(INSIDE, "1")
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
