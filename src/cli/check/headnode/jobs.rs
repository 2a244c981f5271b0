//! Whether what runs there outlives what began it: the script, the connection, the login.

use daylily_lifecycle::outcome::Fault;

use super::reach::Reached;
use super::{At, Report};
use crate::adapters::host::proof::{Logout, Survived, begin_probe, logout, probe_lives};
use crate::adapters::host::shell::Shell;

/// When a logout ends a process of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ends {
    Never,
    /// Of this user.
    WithTheLastLogin(String),
    WithItsLogin(String),
}

/// `is_of_user`: the process is the user's service manager's, and no login's.
pub(super) async fn ends_at_logout(shell: &dyn Shell, is_of_user: bool) -> Result<Ends, Fault> {
    Ok(match logout(shell).await? {
        Logout::Systemd { linger: false, user, .. } if is_of_user => Ends::WithTheLastLogin(user),
        Logout::Systemd { linger: false, kills: true, user } => Ends::WithItsLogin(user),
        Logout::Systemd { .. } | Logout::Nothing => Ends::Never,
    })
}

/// What `direct` starts must outlive the script and the connection that started it.
pub(super) async fn survival(report: &mut Report, at: &At<'_>, reached: &Reached, folder: &str) {
    let check = &at.name("jobs");
    let begun = reached.begin_and_leave(async |shell| begin_probe(shell, folder).await).await;
    let (probe, left) = match begun {
        Ok(begun) => begun,
        Err(fault) => return report.fault(check, &fault, "see whether setsid is there"),
    };
    let survived = match probe_lives(&*reached.shell, &probe).await {
        Ok(survived) => survived,
        Err(fault) => return report.fault(check, &fault, "see whether setsid is there"),
    };
    let way = match survived {
        Survived::Scope => "a scope of its own",
        Survived::Session => "a session of its own",
        Survived::No => {
            let text = format!("what was started did not outlive {}", left.words());
            return report.fail(check, text, "apt install util-linux; see `ulimit -u`");
        }
    };
    report.ok(check, format!("a job in {way} outlives {}", left.words()));
    let check = &at.name("jobs.logout");
    match ends_at_logout(&*reached.shell, survived == Survived::Scope).await {
        Ok(Ends::WithTheLastLogin(user)) => {
            let text = format!("jobs of {user} are ended when {user} logs out everywhere");
            report.warn(check, text, at.there(&format!("loginctl enable-linger {user}")));
        }
        Ok(Ends::WithItsLogin(user)) => {
            let text = format!("KillUserProcesses ends jobs of {user} with the login");
            report.warn(check, text, at.there(&format!("loginctl enable-linger {user}")));
        }
        Ok(Ends::Never) => report.ok(check, "no logout ends a job"),
        Err(fault) => {
            let hint = "jobs may end with the login that started the daemon";
            report.warn(check, fault.text, hint);
        }
    }
}
