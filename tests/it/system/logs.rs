//! `log` of cases whose jobs write on a headnode behind ssh.

use std::io::{BufRead as _, Read as _};

use daylily_lifecycle::case::StateName;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, write};
use crate::wait::{LIMIT, until};

on_sites! {
    the_output_of_a_running_case_is_shown_over_the_daemons_connection: ssh_direct;
    following_prints_what_comes_and_ends_with_the_job: ssh_direct;
    a_cancelled_case_shows_what_it_had_printed: ssh_direct;
    a_headnode_that_is_away_is_said_with_exit_code_3: ssh_direct;
    following_without_a_daemon_leaves_no_connection_behind: ssh_direct;
}

/// A case `one` that has printed two lines and a half, and waits.
fn running(site: Site) -> World {
    let job = format!("printf 'begun\\n\\033[31mred\\nhalf'; {UNTIL_LET_GO}; echo; echo over");
    let world = World::started(Setup::job(site, &job));
    write(&world.intake().join("one/input"), "x");
    world.until_running("one");
    world.until("it has printed", |world| world.verb(&["log", "one"]).out.starts_with("begun\n"));
    world
}

fn the_output_of_a_running_case_is_shown_over_the_daemons_connection(site: Site) {
    let world = running(site);
    let before = world.ground.sshd().connections();
    let said = world.verb(&["log", "one"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "begun\n\u{FFFD}[31mred\nhalf\n"));
    let said = world.verb(&["log", "one", "--lines", "1"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "half\n"));
    let said: serde_json::Value =
        serde_json::from_str(&world.verb(&["log", "one", "--json"]).out).unwrap();
    assert_eq!(said["source"], "headnode");
    assert_eq!(world.ground.sshd().connections(), before, "it opened none of its own");
    world.let_go();
    world.until_succeeded(&["one"]);
    world.is_settled();
}

fn following_prints_what_comes_and_ends_with_the_job(site: Site) {
    let world = running(site);
    let (mut follow, mut out) = world.verb_begun(&["log", "one", "--follow"]);
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert_eq!(first, "begun\n");
    world.let_go();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "\u{FFFD}[31mred\nhalf\nover\n");
    assert_eq!(follow.wait().unwrap().code(), Some(0));
    world.until_succeeded(&["one"]);
    world.is_settled();
}

fn a_cancelled_case_shows_what_it_had_printed(site: Site) {
    let world = running(site);
    assert_eq!(world.ask("cancel", "one"), "done");
    world.until_state("one", StateName::Cancelled);
    for args in [&["log", "one"][..], &["log", "one", "--follow"]] {
        let said = world.verb(args);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.starts_with("begun\n\u{FFFD}[31mred\nhalf"), "{said:?}");
    }
    world.is_settled();
}

fn a_headnode_that_is_away_is_said_with_exit_code_3(site: Site) {
    let mut world = running(site);
    world.ground.sshd_mut().stop();
    for args in [&["log", "one"][..], &["log", "one", "--follow"]] {
        let said = world.verb(args);
        assert_eq!((said.code, said.out.as_str()), (Some(3), ""), "{said:?}");
        assert!(said.err.contains("hpc cannot be reached: "), "{said:?}");
        assert!(said.err.contains("\nhint: "), "{said:?}");
    }
    world.ground.sshd_mut().start_again();
    world.let_go();
    world.until_succeeded(&["one"]);
    world.is_settled();
}

fn following_without_a_daemon_leaves_no_connection_behind(site: Site) {
    let mut world = running(site);
    assert!(world.terminate(LIMIT).success());
    let open = || world.ground.sshd().open_connections();
    until("the daemon's connection is closed", LIMIT, || open() == 0);
    let (mut follow, mut out) = world.verb_begun(&["log", "one", "--follow"]);
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert_eq!((first.as_str(), open()), ("begun\n", 1));
    kill(Pid::from_raw(i32::try_from(follow.id()).unwrap()), Signal::SIGINT).unwrap();
    assert!(follow.wait().unwrap().success());
    until("its own connection is closed", LIMIT, || open() == 0);
    assert!(world.verb(&["log", "one"]).out.starts_with("begun\n"));
    until("so is that of one look", LIMIT, || open() == 0);
}
