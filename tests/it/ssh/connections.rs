//! Connections to a real sshd: how many there are, how they are found again, replaced
//! and ended. They are counted at sshd.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::shell::Shell as _;
use daylily_watch::adapters::host::ssh::masters::{BulkLine, Masters};
use daylily_watch::adapters::host::ssh::shell::SshShell;
use daylily_watch::clock::FakeClock;
use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::far::{Far, printed};
use crate::servers::sshd::Sshd;
use crate::wait::{LIMIT, until, until_seen};

fn shell_over(masters: &Arc<Masters>, far: &Far) -> SshShell {
    SshShell::new(masters.clone(), far.clock.clone(), Vec::new(), [].into())
}

/// As rsync does: the host that is named means nothing.
#[allow(clippy::disallowed_methods, reason = "the test is rsync here")]
fn over(line: &BulkLine, command: &str) -> Output {
    let words = line.remote_shell();
    Command::new(&words[0])
        .args(&words[1..])
        .args(["whatever.invalid", command])
        .stdin(Stdio::null())
        .output()
        .expect("ssh runs")
}

/// Opens a master as a person does.
#[allow(clippy::disallowed_methods, reason = "the test is the person here")]
fn by_a_person(sshd: &Sshd, words: &[&str]) {
    let status = Command::new("ssh")
        .arg("-F")
        .arg(sshd.config_file())
        .args(words)
        .arg(sshd.host())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("ssh runs").success(), "{words:?}");
}

#[tokio::test]
async fn all_scripts_share_one_connection_and_files_have_two_of_their_own() {
    let far = Far::start();
    let shell = far.shell();
    let answers = join_all((0..30).map(|_| printed(&shell, "echo $$"))).await;
    let mut pids: Vec<String> = answers.into_iter().map(|pid| pid.expect("it answers")).collect();
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), 30, "each ran once");
    assert_eq!(far.sshd.connections(), 1);
    let mut lines = Vec::new();
    for _ in 0..4 {
        let line = far.masters.bulk().await.expect("it connects");
        assert_eq!(over(&line, "id -un").stdout, format!("{}\n", far.sshd.user()).into_bytes());
        lines.push(line);
    }
    assert_eq!(far.sshd.connections(), 3);
    drop(lines);
    far.masters.bulk().await.expect("it is there");
    assert_eq!(far.sshd.connections(), 3);
}

#[tokio::test]
async fn one_transfer_at_a_time_needs_one_connection() {
    let far = Far::start();
    for _ in 0..3 {
        assert!(over(&far.masters.bulk().await.expect("it connects"), "true").status.success());
    }
    assert_eq!(far.sshd.connections(), 1);
}

#[tokio::test]
async fn connections_that_a_crash_left_are_used_again() {
    let far = Far::start();
    printed(&far.shell(), "true").await.expect("it answers");
    drop(far.masters.bulk().await.expect("it connects"));
    let later = far.masters_with(|_| {});
    printed(&shell_over(&later, &far), "true").await.expect("it answers");
    drop(later.bulk().await.expect("it is there"));
    assert_eq!(far.sshd.connections(), 2);
    let other = far.masters_with(|settings| settings.whose = "another database".to_owned());
    printed(&shell_over(&other, &far), "true").await.expect("it answers");
    assert_eq!(far.sshd.connections(), 3, "nobody else's connection is used");
}

#[tokio::test]
async fn a_socket_without_a_master_is_replaced() {
    let far = Far::start();
    printed(&far.shell(), "true").await.expect("it answers");
    let [socket] = &far.sockets()[..] else { panic!("{:?}", far.sockets()) };
    far.masters.close().await;
    drop(UnixListener::bind(socket).expect("it was removed"));
    assert!(socket.symlink_metadata().is_ok(), "nobody listens there, and it is there");
    printed(&far.shell(), "true").await.expect("it answers");
    assert_eq!(far.sshd.connections(), 2);
}

/// A daemon was killed while its ssh was connecting. Found the socket taken, that ssh would
/// carry on without it for ever.
#[tokio::test]
async fn an_ssh_that_still_connects_for_a_dead_daemon_is_ended() {
    let far = Far::start();
    printed(&far.shell(), "true").await.expect("it answers");
    let [socket] = &far.sockets()[..] else { panic!("{:?}", far.sockets()) };
    far.masters.close().await;
    let mut left = connecting(socket);
    let mut others = connecting(&socket.with_extension("other"));
    printed(&far.shell(), "true").await.expect("it answers");
    until("it has ended", LIMIT, || left.try_wait().expect("it is ours").is_some());
    assert_eq!(others.try_wait().expect("it is ours"), None, "what is of another socket stays");
    others.kill().expect("it is ours");
    others.wait().expect("it is ours");
}

/// An ssh whose other side never says anything.
#[allow(clippy::disallowed_methods, reason = "what a daemon that was killed has left")]
fn connecting(socket: &Path) -> Child {
    let mut command = Command::new("ssh");
    command.args(["-M", "-N", "-S"]).arg(socket).args(["-F", "none", "-o"]);
    command.args(["ProxyCommand=sh -c 'cat >&2; :'", "nobody.invalid"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("ssh is there")
}

#[tokio::test]
async fn a_master_that_stands_still_is_replaced_and_ended() {
    let far = Far::start();
    printed(&far.shell(), "true").await.expect("it answers");
    let [socket] = &far.sockets()[..] else { panic!("{:?}", far.sockets()) };
    let [master] = masters_at(socket)[..] else { panic!("{:?}", masters_at(socket)) };
    kill(Pid::from_raw(master), Signal::SIGSTOP).expect("it is ours");
    let later = far.masters_with(|_| {});
    printed(&shell_over(&later, &far), "true").await.expect("it answers over another one");
    until("the first has ended", LIMIT, || !masters_at(socket).contains(&master));
    later.close().await;
    until("nothing of ours is left", LIMIT, || masters_at(socket).is_empty());
    until("sshd has nobody left", LIMIT, || far.sshd.open_connections() == 0);
}

/// As they are started, or as some versions call themselves later.
fn masters_at(socket: &Path) -> Vec<i32> {
    let socket = socket.display();
    let (started, later) = (format!("ssh -M -N -S {socket} "), format!("ssh: {socket} [mux]"));
    let pids = std::fs::read_dir("/proc").expect("it is there").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_one = |pid: &i32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        words.starts_with(&started) || words.starts_with(&later)
    };
    pids.filter(is_one).collect()
}

#[tokio::test]
async fn a_connection_that_broke_is_made_anew_by_the_next_script() {
    let mut far = Far::start();
    let shell = far.shell();
    printed(&shell, "true").await.expect("it answers");
    let (fault, ()) = tokio::join!(printed(&shell, "touch ~/began; exec sleep 1000"), async {
        let began = far.sshd.home().join("began");
        until_seen("it runs", LIMIT, || async { began.is_file() }).await;
        far.sshd.cut();
    });
    assert_eq!(fault.expect_err("its line broke").class, FaultClass::TransientHost);
    printed(&shell, "true").await.expect("it answers");
    assert_eq!(far.sshd.connections(), 2);
    far.sshd.stop();
    let fault = printed(&shell, "true").await.expect_err("nobody listens");
    assert_eq!(fault.class, FaultClass::TransientHost);
    far.sshd.start_again();
    let later = far.masters_with(|_| {});
    printed(&shell_over(&later, &far), "true").await.expect("it answers");
}

#[tokio::test]
async fn a_failed_attempt_answers_for_all_who_ask_within_a_second() {
    let far = Far::start();
    far.sshd.refuse_our_key();
    let clock = Arc::new(FakeClock::new("2026-11-20T06:00:00Z".parse().expect("a time")));
    let masters = Arc::new(Masters::new(far.masters.settings().clone(), clock.clone()));
    let shell = shell_over(&masters, &far);
    let ask_together = async || {
        let answers = join_all((0..20).map(|_| printed(&shell, "true"))).await;
        answers.into_iter().map(|answer| answer.map_err(|fault| fault.class)).collect::<Vec<_>>()
    };
    assert_eq!(ask_together().await, vec![Err(FaultClass::NeedsPerson); 20]);
    assert_eq!(far.sshd.connections(), 1);
    far.sshd.accept_our_key();
    assert_eq!(ask_together().await, vec![Err(FaultClass::NeedsPerson); 20]);
    assert_eq!(far.sshd.connections(), 1);
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(ask_together().await, vec![Ok(String::new()); 20]);
    assert_eq!(far.sshd.connections(), 2);
}

#[tokio::test]
async fn closing_ends_our_connections_and_leaves_nothing() {
    let far = Far::start();
    printed(&far.shell(), "true").await.expect("it answers");
    let lines = [far.masters.bulk().await, far.masters.bulk().await];
    assert!(lines.iter().all(Result::is_ok));
    assert_eq!(far.sshd.open_connections(), 3);
    far.shell().close().await;
    until("sshd has nobody left", LIMIT, || far.sshd.open_connections() == 0);
    assert_eq!(far.sockets(), Vec::<std::path::PathBuf>::new());
    printed(&far.shell(), "true").await.expect("it is opened again");
}

#[tokio::test]
async fn a_bulk_line_that_failed_is_replaced_unless_another_uses_it() {
    let far = Far::start();
    let line = far.masters.bulk().await.expect("it connects");
    far.masters.failed(line).await;
    let first = far.masters.bulk().await.expect("it connects");
    assert_eq!(far.sshd.connections(), 2);
    let second = far.masters.bulk().await.expect("it connects");
    let third = far.masters.bulk().await.expect("it is there");
    assert_eq!(first.remote_shell(), third.remote_shell());
    far.masters.failed(third).await;
    assert!(over(&first, "true").status.success());
    assert!(over(&second, "true").status.success());
    assert_eq!(far.sshd.connections(), 3);
}

#[tokio::test]
async fn the_words_for_rsync_never_open_a_connection() {
    let far = Far::start();
    let line = far.masters.bulk().await.expect("it connects");
    far.masters.close().await;
    let output = over(&line, "true");
    assert_eq!(output.status.code(), Some(255));
    assert_eq!(far.sshd.connections(), 1);
}

#[tokio::test]
async fn a_persons_connection_carries_everything_and_is_never_ended() {
    let far = Far::start();
    let socket = far.sshd.home().join("by hand");
    let masters = far.masters_with(|settings| settings.control_path = Some(socket.clone()));
    let shell = shell_over(&masters, &far);
    let fault = printed(&shell, "true").await.expect_err("nobody opened it");
    assert_eq!(fault.class, FaultClass::NeedsPerson);
    let line = format!(
        "ssh -F {} -M -N -S '{}' -o ServerAliveInterval=5 headnode",
        far.sshd.config_file().display(),
        socket.display()
    );
    assert!(fault.text.ends_with(&line), "{}", fault.text);
    assert_eq!(far.sshd.connections(), 0);

    let path = socket.to_str().expect("it is text");
    by_a_person(&far.sshd, &["-M", "-N", "-f", "-S", path]);
    printed(&shell, "true").await.expect("it answers");
    let lines = [masters.bulk().await, masters.bulk().await, masters.bulk().await];
    for line in lines {
        let line = line.expect("it is the same");
        assert!(over(&line, "true").status.success());
        masters.failed(line).await;
    }
    masters.close().await;
    printed(&shell, "true").await.expect("it lives");
    assert_eq!(far.sshd.connections(), 1);
    by_a_person(&far.sshd, &["-O", "exit", "-S", path]);
    let fault = printed(&shell, "true").await.expect_err("it is gone");
    assert_eq!(fault.class, FaultClass::NeedsPerson);
}

#[tokio::test]
async fn the_users_own_configuration_counts_also_a_jump_host() {
    let far = Far::start();
    let config = std::fs::read_to_string(far.sshd.config_file()).expect("it is there");
    let behind = config.replacen("Host headnode", "Host behind\n    ProxyJump headnode", 1);
    let file = far.sshd.home().join("config");
    std::fs::write(&file, format!("{behind}\n{config}")).expect("it can be written");
    let masters = far.masters_with(|settings| {
        settings.config_file = Some(file);
        settings.host = "behind".to_owned();
    });
    printed(&shell_over(&masters, &far), "true").await.expect("it answers");
    assert_eq!(far.sshd.connections(), 2, "one there, and one through it");
    masters.close().await;
    until("sshd has nobody left", LIMIT, || far.sshd.open_connections() == 0);
}
