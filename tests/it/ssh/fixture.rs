//! The sshd that the tests start does what they rely on.

use std::process::{Command, Output, Stdio};

use crate::servers::sshd::{FAILURE, Login, NOISE, Sshd};
use crate::wait::{LIMIT, until};

#[allow(clippy::disallowed_methods, reason = "the test is the client here")]
fn ssh(sshd: &Sshd, more: &[&str], command: &str) -> Output {
    Command::new("ssh")
        .arg("-F")
        .arg(sshd.config_file())
        .args(more)
        .args([sshd.host(), command])
        .stdin(Stdio::null())
        .output()
        .expect("ssh runs")
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn one_logs_in_as_the_user_who_is_not_root_with_a_home_of_its_own() {
    let sshd = Sshd::start();
    let output = ssh(&sshd, &[], "id -un; echo $HOME; touch ~/x");
    assert_eq!(said(&output), format!("{}\n{}\n", sshd.user(), sshd.home().display()));
    assert!(sshd.home().join("x").is_file());
    assert_eq!(sshd.connections(), 1);
    until("its session is gone", LIMIT, || sshd.session_processes() == 0);
    assert!(sshd.port() < 32_768, "no connection is given this port while the server is away");
}

#[test]
fn another_program_can_be_the_login_shell() {
    let sshd = Sshd::with(Login::Shell("/bin/bash"), &[]);
    assert_eq!(said(&ssh(&sshd, &[], "echo ${BASH_VERSION:+bash}")), "bash\n");
}

#[test]
fn it_can_be_stopped_frozen_cut_and_started_again() {
    let mut sshd = Sshd::start();
    #[allow(clippy::disallowed_methods, reason = "the test is the client here")]
    let mut client = Command::new("ssh")
        .arg("-F")
        .arg(sshd.config_file())
        .args([sshd.host(), "exec sleep 1000"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ssh runs");
    until("its session is there", LIMIT, || sshd.sessions() == 1);
    sshd.freeze();
    let frozen = said(&ssh(&sshd, &["-o", "ConnectTimeout=1"], "true"));
    assert!(frozen.contains("timed out"), "{frozen}");
    sshd.thaw();
    assert!(ssh(&sshd, &[], "true").status.success());
    sshd.cut();
    assert!(!client.wait().expect("it was started").success());
    assert!(ssh(&sshd, &[], "true").status.success());
    sshd.stop();
    let refused = said(&ssh(&sshd, &[], "true"));
    assert!(refused.contains("Connection refused"), "{refused}");
    sshd.start_again();
    assert!(ssh(&sshd, &[], "true").status.success());
}

#[test]
fn it_can_be_made_bad() {
    let mut sshd = Sshd::start();
    sshd.refuse_our_key();
    assert!(said(&ssh(&sshd, &[], "true")).contains("Permission denied"));
    sshd.accept_our_key();
    assert!(ssh(&sshd, &[], "true").status.success());
    sshd.change_host_key();
    assert!(said(&ssh(&sshd, &[], "true")).contains("IDENTIFICATION HAS CHANGED"));
    sshd.forget_host_key();
    assert!(said(&ssh(&sshd, &[], "true")).contains("Host key verification failed"));
    let noisy = Sshd::with(Login::Noisy, &[]);
    assert_eq!(said(&ssh(&noisy, &[], "echo answer")), format!("{NOISE}\nanswer\n{NOISE}\n"));
    let failing = ssh(&Sshd::with(Login::Failing, &[]), &[], "echo answer");
    assert_eq!(said(&failing).trim(), FAILURE);
    assert_eq!(failing.status.code(), Some(1));
}
