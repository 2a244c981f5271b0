//! A real sshd in trouble, and what is told of it: the class, and the way out.

use std::process::{Command, Stdio};
use std::time::Duration;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::adapters::host::shell::{Ran, Shell as _};
use daylily_watch::adapters::host::ssh::masters::LineSettings;
use daylily_watch::adapters::host::ssh::shell::SshShell;

use super::far::{Far, printed, script};
use crate::servers::sshd::{FAILURE, Login, NOISE};
use crate::wait::{LIMIT, until};

/// Of a daemon that was just started.
async fn fault(far: &Far) -> Fault {
    fault_with(far, |_| {}).await
}

async fn fault_with(far: &Far, change: impl FnOnce(&mut LineSettings)) -> Fault {
    let masters = far.masters_with(change);
    let shell = SshShell::new(masters, far.clock.clone(), Vec::new(), [].into());
    printed(&shell, "true").await.expect_err("it cannot connect")
}

fn says(fault: &Fault, class: FaultClass, parts: &[&str]) {
    assert_eq!(fault.class, class, "{fault}");
    for part in parts {
        assert!(fault.text.contains(part), "{part} is not in: {fault}");
    }
}

/// Runs what a sentence says is to be run.
#[allow(clippy::disallowed_methods, reason = "the test is the person here")]
fn pasted(line: &str) -> bool {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.status().expect("sh runs").success()
}

#[tokio::test]
async fn a_changed_host_key_needs_a_person_and_the_line_to_paste_works() {
    let mut far = Far::start();
    far.sshd.change_host_key();
    let changed = fault(&far).await;
    let config = format!("ssh -F {}", far.sshd.config_file().display());
    says(&changed, FaultClass::NeedsPerson, &["host key of hpc has changed", &config]);
    let line = changed.text.split_once(": ssh-keygen").and_then(|(_, rest)| rest.split_once(","));
    let (line, _) = line.expect("it names the line");
    assert!(pasted(&format!("ssh-keygen{line}")), "{line}");
    let unknown = fault(&far).await;
    says(&unknown, FaultClass::NeedsPerson, &["host key of hpc is not known", &config]);
    let ask = unknown.text.rsplit_once("compare the key: ").map(|(_, ask)| ask);
    // Nobody is there to answer, so the test says beforehand what they would.
    let yes = ask.expect("it names the line").replace("=ask", "=accept-new");
    assert!(pasted(&format!("{yes} true")), "{yes}");
    printed(&far.shell(), "true").await.expect("it connects");
}

#[tokio::test]
async fn a_refused_key_needs_a_person() {
    let far = Far::start();
    far.sshd.refuse_our_key();
    says(&fault(&far).await, FaultClass::NeedsPerson, &["hpc refuses our key", "ssh-copy-id"]);
}

#[tokio::test]
async fn a_password_or_a_one_time_password_needs_a_person_who_opens_the_connection() {
    let far = Far::with(Login::Plain, &["PasswordAuthentication yes"]);
    far.sshd.refuse_our_key();
    let way_out = ["would ask for a password", "ssh.control_path", "-M -N -S"];
    says(&fault(&far).await, FaultClass::NeedsPerson, &way_out);
    let far = Far::with(
        Login::Plain,
        &["PasswordAuthentication yes", "AuthenticationMethods publickey,password"],
    );
    let way_out = ["hpc asks for a password", "ssh.control_path", "-M -N -S"];
    says(&fault(&far).await, FaultClass::NeedsPerson, &way_out);
}

#[tokio::test]
async fn too_many_keys_need_a_person() {
    let far = Far::with(Login::Plain, &["MaxAuthTries 1"]);
    let config = far.sshd.config_file();
    let text = std::fs::read_to_string(&config).expect("it is there");
    let key = far.sshd.config_file().with_file_name("host_key");
    let more = format!("IdentityFile {}\n    IdentityFile ", key.display());
    std::fs::write(&config, text.replacen("IdentityFile ", &more, 1)).expect("it can be written");
    says(&fault(&far).await, FaultClass::NeedsPerson, &["refuses our keys", "IdentitiesOnly"]);
}

#[tokio::test]
async fn nobody_at_the_port_may_pass() {
    let mut far = Far::start();
    far.sshd.stop();
    says(&fault(&far).await, FaultClass::TransientHost, &["connection refused"]);
}

#[tokio::test]
async fn an_unknown_name_may_pass_and_is_told_where_to_look() {
    let far = Far::start();
    let fault = fault_with(&far, |settings| settings.host = "nowhere.invalid".to_owned()).await;
    // Without a name server the answer is another one.
    assert_eq!(fault.class, FaultClass::TransientHost);
    assert!(fault.text.contains("its name"), "{fault}");
}

#[tokio::test]
async fn a_bad_configuration_is_the_hosts_trouble() {
    let far = Far::start();
    let bad = far.sshd.home().join("bad");
    let missing = far.sshd.home().join("missing");
    std::fs::write(&bad, "Hots headnode\n").expect("it can be written");
    let fault = fault_with(&far, |settings| settings.config_file = Some(bad)).await;
    says(&fault, FaultClass::FatalHost, &["line 1: Bad configuration option: hots"]);
    let fault = fault_with(&far, |settings| settings.config_file = Some(missing)).await;
    says(&fault, FaultClass::FatalHost, &["Can't open user config file", "ssh.config_file"]);
}

#[tokio::test]
async fn an_sshd_that_stands_still_may_pass_and_is_not_waited_for() {
    let far = Far::start();
    far.sshd.freeze();
    let timeout = Duration::from_secs(1);
    let fault = fault_with(&far, |settings| settings.connect_timeout = timeout).await;
    says(&fault, FaultClass::TransientHost, &["timed out"]);
    far.sshd.thaw();
    printed(&far.shell(), "true").await.expect("it connects");
}

#[tokio::test]
async fn a_connection_that_stands_still_is_given_up_and_made_anew() {
    let far = Far::start();
    let shell = far.shell();
    printed(&shell, "true").await.expect("it answers");
    far.sshd.freeze();
    let fault = printed(&shell, "true").await.expect_err("nothing answers");
    assert_eq!(fault.class, FaultClass::TransientHost);
    far.sshd.thaw();
    printed(&shell, "true").await.expect("it answers");
    assert_eq!(far.sshd.connections(), 2);
}

#[tokio::test]
async fn a_noisy_login_shell_does_not_get_into_the_answer_and_is_told() {
    let far = Far::with(Login::Noisy, &[]);
    let shell = far.shell();
    assert_eq!(shell.heard().noise, None);
    let Ok(Ran::Ended(answer)) = shell.run(script("echo answer; echo trouble >&2")).await else {
        panic!("it answers")
    };
    assert_eq!((&answer.stdout[..], answer.stderr.as_str()), (&b"answer\n"[..], "trouble\n"));
    assert_eq!(shell.heard().noise.as_deref(), Some(NOISE));
}

#[tokio::test]
async fn a_failing_login_shell_is_the_hosts_trouble_and_what_it_says_is_told() {
    let far = Far::with(Login::Failing, &[]);
    says(&fault(&far).await, FaultClass::FatalHost, &["login shell", FAILURE, "echo ok"]);
}

#[tokio::test]
async fn a_login_shell_without_a_word_may_pass_and_the_line_to_try_is_told() {
    let far = Far::with(Login::Shell("/bin/false"), &[]);
    let way_out = ["ends with 1 and says nothing", "echo ok"];
    says(&fault(&far).await, FaultClass::TransientHost, &way_out);
}

#[tokio::test]
async fn too_few_sessions_at_sshd_may_pass_and_break_nothing() {
    let far = Far::with(Login::Plain, &["MaxSessions 1"]);
    let shell = far.shell();
    let began = far.sshd.home().join("began");
    let first = printed(&shell, "touch ~/began; until [ -e ~/end ]; do sleep 0.02; done; echo ok");
    let (first, ()) = tokio::join!(first, async {
        crate::wait::until_seen("it runs", LIMIT, || async { began.is_file() }).await;
        let fault = printed(&shell, "true").await.expect_err("there is one session already");
        says(&fault, FaultClass::TransientHost, &["MaxSessions"]);
        std::fs::write(far.sshd.home().join("end"), "").expect("it can be written");
    });
    assert_eq!(first, Ok("ok\n".to_owned()));
    until("its session is gone", LIMIT, || far.sshd.session_processes() == 0);
    printed(&shell, "true").await.expect("it answers");
    assert_eq!(far.sshd.connections(), 1);
}
