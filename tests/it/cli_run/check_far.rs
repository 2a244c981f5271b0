//! `check` of a headnode behind ssh where all is well: what it says, how long it takes,
//! and over whose connection.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use daylily_lifecycle::ids::HeadnodeName;
use daylily_watch::adapters::host::ssh::masters::{LineSettings, Masters};
use daylily_watch::adapters::host::ssh::sockets::SocketFolder;
use daylily_watch::clock::SystemClock;

use super::far::{Checked, FarSite};
use crate::wait::{LIMIT, until};

/// About 2 s by itself. What makes it quick is that little is asked, and at the same time;
/// the time alone would tell how busy the machine is.
#[track_caller]
fn quick(far: &FarSite, took: Duration) {
    let sessions = far.sshd.sessions();
    assert!(sessions <= 35, "{sessions} scripts were run there");
    assert!(took < LIMIT, "{took:?}");
}

fn timed(far: &FarSite) -> (Checked, Duration) {
    #[allow(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
    let begun = Instant::now();
    let checked = far.check();
    (checked, begun.elapsed())
}

#[test]
fn a_headnode_under_pueue_is_healthy_and_quickly_looked_through_over_one_connection() {
    let mut far = FarSite::pueue();
    far.set_pipeline("command: 'true', probe: 'echo ready on $(id -un) with $(umask)'");
    let (checked, took) = timed(&far);
    insta::assert_snapshot!(checked.of_headnode());
    let probe = checked.said("headnode.hpc.probe");
    assert!(probe.ends_with("group default): ready on [user] with 0027\nhint: "), "{probe}");
    assert!(checked.said("headnode.hpc.pueue").starts_with("ok: pueue 4.0.4 and pueued 4.0.4, "));
    assert_eq!(far.sshd.connections(), 1);
    quick(&far, took);
}

#[test]
fn a_headnode_without_a_queue_is_healthy_and_its_jobs_outlive_the_connection() {
    let far = FarSite::direct();
    let (checked, took) = timed(&far);
    insta::assert_snapshot!(checked.of_headnode());
    let jobs = checked.said("headnode.hpc.jobs");
    assert!(jobs.contains("outlives its starter and the connection"), "{jobs}");
    // The second is the one that is dropped.
    assert_eq!(far.sshd.connections(), 2);
    quick(&far, took);
}

#[test]
fn people_read_of_a_headnode_behind_ssh_that_copying_can_be_done() {
    let far = FarSite::direct();
    let ran = far.site.run(&["check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for wanted in [
        "\nok    program.ssh: OpenSSH_",
        "\nok    program.rsync: rsync  version ",
        "\nok    headnode.hpc.ssh: headnode is reached, over a connection of its own\n",
        "\nok    headnode.hpc.clock: the clocks here and on hpc agree\n",
        "\nok    headnode.hpc.rsync: /usr/bin/rsync, version ",
    ] {
        assert!(ran.out.contains(wanted), "{wanted:?} is in {}", ran.out);
    }
}

#[test]
fn the_daemons_connection_is_used_and_left_open() {
    let far = FarSite::direct();
    // A database, as a daemon leaves one.
    let config = far.site.read("config.yaml");
    far.site.write(
        "config.yaml",
        "intakes: [{name: new_cases, path: ./new_cases}]\n\
         headnodes: [{name: hpc, host: local, work_dir: ./elsewhere}]\n",
    );
    assert_eq!(far.site.run(&["--run-once"]).code, Some(0));
    far.site.write("config.yaml", &config);
    let database =
        rusqlite::Connection::open(far.site.at("state/daylily.db")).expect("it was made");
    let whose: String = database
        .query_row("SELECT database_id FROM meta", [], |row| row.get(0))
        .expect("it has an id");
    drop(database);
    let line = LineSettings {
        headnode: HeadnodeName::new("hpc"),
        host: far.sshd.host().to_owned(),
        config_file: Some(far.sshd.config_file()),
        connect_timeout: LIMIT,
        control_path: None,
        folder: SocketFolder::at(far.site.at("run/daylily-watch")),
        whose,
    };
    let masters = Masters::new(line, std::sync::Arc::new(SystemClock));
    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    runtime.block_on(async {
        masters.connect().await.expect("sshd lets us in");
        let checked = far.check_only();
        assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
        let said = checked.said("headnode.hpc.ssh");
        assert!(said.contains("over the connection of the daemon"), "{said}");
        assert!(masters.is_there().await, "it was left open");
        // The daemon's, and the one by which it was seen what outlives one.
        assert_eq!(far.sshd.connections(), 2);
        masters.close().await;
    });
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test is the person who opens it")]
fn a_persons_connection_is_asked_for_used_and_left_open() {
    let mut far = FarSite::direct();
    let socket = far.site.at("run/mine");
    let (file, host) = (far.sshd.config_file(), far.sshd.host());
    far.set(
        "ssh",
        format!("{{config_file: {}, control_path: {}}}", file.display(), socket.display()),
    );
    let said = far.check().fails_alone("headnode.hpc.ssh");
    assert!(said.contains("nobody has opened the connection to hpc"), "{said}");
    let line = "ssh -F [ssh_config] -M -N -S [dir]/run/mine -o ServerAliveInterval=5 headnode";
    assert!(said.ends_with(line), "{said}");

    let ssh = || {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&file).arg("-S").arg(&socket);
        ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        ssh
    };
    let mut master = ssh().args(["-M", "-N", host]).spawn().expect("ssh starts");
    let answers = || ssh().args(["-O", "check", host]).status().expect("ssh starts").success();
    until("it listens", LIMIT, answers);
    let checked = far.check_only();
    assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
    assert!(checked.said("headnode.hpc.ssh").contains("that a person opened"));
    assert!(answers(), "it still listens");
    assert_eq!(far.sshd.connections(), 1);
    master.kill().expect("it is our child");
    master.wait().expect("it is our child");
}
