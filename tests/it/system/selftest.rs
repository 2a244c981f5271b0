//! `selftest --chaos` as its users type it: what it proves, that it can find out, that it
//! disturbs nobody, and that it leaves nothing.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use daylily_lifecycle::case::StateName;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{Said, World, processes, write};
use crate::wait::{self, LIMIT};

on_sites! {
    a_kill_at_each_step_runs_nothing_twice_and_disturbs_nobody: here, ssh_pueue;
    a_headnode_that_executes_twice_is_found_out: here;
    what_is_interrupted_leaves_nothing: here, ssh_pueue;
    a_headnode_that_cannot_be_worked_with_is_said_at_once: here_pueue, ssh_pueue;
    a_toy_that_would_wait_for_a_person_ends_it: here_pueue;
    a_headnode_that_is_away_is_said_with_exit_code_3: ssh_direct;
    words_without_a_meaning_are_refused: here;
}

fn report(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

/// The word that tells one selftest from all others.
fn word(told: &str) -> String {
    let (_, rest) = told.split_once(".daylily-selftest-").unwrap_or_else(|| panic!("{told}"));
    rest.chars().take_while(char::is_ascii_alphanumeric).collect()
}

fn leaves_nothing(world: &World, told: &str) {
    let word = word(told);
    let here = std::env::temp_dir().join(format!("daylily-watch-selftest-{word}"));
    assert!(here.symlink_metadata().is_err(), "{} is left", here.display());
    for folder in [world.path(""), world.path("work")] {
        let left: Vec<_> = names(&folder).into_iter().filter(|n| n.contains("selftest")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    // Those of the world's own daemon are its own.
    let own: Vec<String> = names(&world.path("work/.daylily-watch"));
    let left: Vec<_> = processes().into_iter().filter(|(_, id)| !own.contains(id)).collect();
    for (pid, attempt) in left {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ).into_owned();
        assert!(!environ.contains(&word), "{pid} of {attempt} is left");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn a_kill_at_each_step_runs_nothing_twice_and_disturbs_nobody(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("mine/input"), "x");
    world.until_running("mine");

    let said = world.verb(&["selftest", "--chaos", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let report = report(&said);
    assert_eq!(report["proved"], true, "{said:?}");
    assert_eq!(report["left"], Value::Array(Vec::new()));
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), if site.has_pueue() { 17 } else { 16 });
    for step in steps {
        let killed = step["killed_at"].as_str();
        assert_eq!(killed.is_none(), step["step"] == "undisturbed", "{step}");
        assert_eq!(step["executions"], step["attempts"], "{step}");
    }
    leaves_nothing(&world, &said.err);
    if site.has_pueue() {
        let list = world.ground.pueued().must(&["status", "--json"]);
        assert_eq!(list.matches("\"label\":\"dw-").count(), 1, "{list}");
    }

    assert_eq!(world.state("mine"), Some(StateName::Running));
    world.let_go();
    world.until_succeeded(&["mine"]);
    assert_eq!(world.runs().len(), 1);
    assert_eq!(world.all_cases().len(), 1);
    assert!(world.warnings().is_empty(), "{:?}", world.warnings());
    world.is_settled();
}

/// As a file system that forgets what was written: a moment after the claim was made
/// neither it nor any lock is there, and the job is started again.
const FORGETS: &str = r#""$REAL" "$@"
for job; do :; done
dir=${job%/*}
(
    cd "$dir" || exit
    until [ -e claim ]; do sleep 0.02; done
    rm -f claim
    for lock in lock ../cases/*/*.lock; do rm -f "$lock"; : >"$lock"; done
    exec "$REAL" -f /bin/sh "$job"
) </dev/null >/dev/null 2>&1 &"#;

fn a_headnode_that_executes_twice_is_found_out(site: Site) {
    let world = World::new(Setup::at(site));
    world.put_program(&world.path("bin/setsid"), "/usr/bin/setsid", FORGETS);
    let said = world.verb(&["selftest", "--chaos"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("was executed 2 times"), "{said:?}");
    assert!(said.out.contains("NOT PROVED"), "{said:?}");
    leaves_nothing(&world, &said.err);
}

fn what_is_interrupted_leaves_nothing(site: Site) {
    let world = World::new(Setup::at(site));
    let (mut child, _out) = world.verb_begun(&["selftest", "--chaos"]);
    let mut told = String::new();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    // A toy is about to be met while its job waits.
    while !told.contains("of 1") || !told.contains("copied, waiting for a place") {
        assert!(talk.read_line(&mut told).unwrap() > 0, "{told}");
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let mut ended = None;
    wait::until("it has ended", LIMIT, || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().code(), Some(1), "{told}");
    leaves_nothing(&world, &told);
}

/// It stopped where a person would have been needed, and said so instead of what only a
/// person with this database could do.
fn is_stopped(said_out: &str, said_err: &str, why: &str) {
    assert!(said_out.contains(why), "{said_out}");
    assert!(
        said_out.contains("16 more steps not tried: the one before needs a person, or did not end"),
        "{said_out}"
    );
    assert!(said_err.contains("hint: `daylily-watch check` says more"), "{said_err}");
    for word in ["in vain", "`resume", "`cancel"] {
        assert!(!said_out.contains(word), "{word}: {said_out}");
    }
}

fn a_headnode_that_cannot_be_worked_with_is_said_at_once(site: Site) {
    let world = World::new(Setup { no_pueue: true, no_groups: true, ..Setup::at(site) });
    let said = world.verb(&["selftest", "--chaos"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    is_stopped(&said.out, &said.err, "NOT PROVED: hpc is set aside: pueue is not found");
    leaves_nothing(&world, &said.err);
}

fn a_toy_that_would_wait_for_a_person_ends_it(site: Site) {
    let world = World::new(Setup::at(site));
    let pueued = world.ground.pueued();
    pueued.must(&["pause", "--group", "default"]);
    let (mut child, mut out) = world.verb_begun(&["selftest", "--chaos"]);
    let mut err = child.stderr.take().unwrap();
    let talk = std::thread::spawn(move || {
        let mut told = String::new();
        err.read_to_string(&mut told).map(|_| told)
    });
    // Somebody takes its entry out of the queue, once more where it was not known to be
    // there yet and was added anew.
    let mut ended = None;
    wait::until("it has ended", LIMIT, || {
        for id in pueued.list()["tasks"].as_object().unwrap().keys() {
            pueued.cli(&["remove", id]);
        }
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    let mut told = String::new();
    out.read_to_string(&mut told).unwrap();
    let talk = talk.join().unwrap().unwrap();
    assert_eq!(ended.unwrap().code(), Some(1), "{told}{talk}");
    is_stopped(
        &told,
        &talk,
        "; it is held: Waiting for a person: its entry was removed from the queue",
    );
    leaves_nothing(&world, &talk);
}

fn a_headnode_that_is_away_is_said_with_exit_code_3(site: Site) {
    let mut world = World::new(Setup::at(site));
    world.ground.sshd_mut().stop();
    let said = world.verb(&["selftest", "--chaos"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.contains("error: hpc cannot be reached: "), "{said:?}");
    assert_eq!(said.out, "");
}

fn words_without_a_meaning_are_refused(site: Site) {
    let world = World::new(Setup::at(site));
    for (words, told) in [
        (&["selftest"][..], "hint: daylily-watch selftest --chaos"),
        (&["selftest", "--chaos", "--headnode", "hcp"][..], "did you mean hpc?"),
    ] {
        let said = world.verb(words);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains(told), "{said:?}");
    }
}
