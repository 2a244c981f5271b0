//! `clean` and `retention`: what finished cases leave goes, and nothing else ever does.

use std::fs;
use std::path::PathBuf;

use daylily_lifecycle::case::{HoldWhy, StateName};
use daylily_lifecycle::ids::AttemptId;

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, write};
use crate::wait::LIMIT;

fn is_there(path: PathBuf) -> bool {
    path.symlink_metadata().is_ok()
}

fn attempt_dir(world: &World, attempt: &AttemptId) -> PathBuf {
    world.path("work/.daylily-watch").join(attempt.as_str())
}

fn is_cleaned(world: &World, name: &str) -> bool {
    let case = world.case(name).unwrap();
    case.attempts().all(|attempt| {
        let names = fs::read_dir(attempt_dir(world, &attempt.id)).unwrap().flatten();
        let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
        attempt.cleaned_at.is_some() && names == ["case.json"]
    }) && !is_there(world.copy_of(name))
}

on_sites! {
    what_is_home_goes_and_its_results_its_log_and_its_folder_stay: here, here_pueue, ssh_pueue, ssh_direct;
    what_is_nowhere_else_goes_only_by_name_and_reason: here;
    what_runs_waits_or_lost_its_results_is_kept: here;
    an_intake_that_lies_where_cases_are_copied_to_is_never_removed: here;
    after_its_time_a_case_goes_by_itself_and_no_other: here;
    a_clean_that_was_killed_goes_on_at_the_next_start: here, here_pueue, ssh_pueue, ssh_direct;
    a_rerun_asked_for_while_data_goes_waits_and_then_ships_again: here;
    a_lost_database_learns_of_removed_cases_from_their_tombstones: here;
    a_job_of_another_case_is_no_obstacle_and_is_not_met: here;
}

fn what_is_home_goes_and_its_results_its_log_and_its_folder_stay(site: Site) {
    let world = World::started(Setup::job(site, "echo so it went; cp input out.txt"));
    for name in ["one", "it's two"] {
        write(&world.intake().join(name).join("input"), name);
    }
    world.until_succeeded(&["one", "it's two"]);
    let shown = world.verb(&["clean", "--dry-run"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.out.contains("2 cases with 11 bytes as shipped would be removed"), "{shown:?}");
    assert!(is_there(world.copy_of("one")), "it was only told");

    let said = world.verb(&["clean", "--older-than", "1h"]);
    assert!(said.err.contains("nothing was removed"), "{said:?}");
    let said = world.verb(&["clean"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("one: removed, "), "{said:?}");
    for name in ["one", "it's two"] {
        assert!(is_cleaned(&world, name), "{name}");
        assert!(is_there(world.results_of(name).join("out.txt")));
        assert!(is_there(world.intake().join(name).join("input")));
        let log = world.verb(&["log", name]);
        assert_eq!((log.code, log.out.as_str()), (Some(0), "so it went\n"), "{log:?}");
    }
    let history = world.verb(&["history", "one"]);
    assert!(history.out.contains("its data was removed from its headnode"), "{history:?}");
    let again = world.verb(&["clean", "one"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.out.contains("one: kept: nothing of it is on a headnode"), "{again:?}");
    let shown: serde_json::Value =
        serde_json::from_str(&world.verb(&["clean", "--dry-run", "--json"]).out).unwrap();
    assert_eq!(shown, serde_json::json!({"clean": [], "kept": [], "bytes": 0}));

    // Shipped again, as if nothing had been there.
    assert_eq!(world.ask("rerun", "one"), "done");
    world.until("it runs once more", |world| world.runs_of("one").len() == 2);
    world.until_succeeded(&["one"]);
    assert!(is_there(world.path("results/new_cases/one~1/out.txt")), "the earlier result stays");
    assert!(is_there(world.copy_of("one")));
    world.is_settled();
}

fn what_is_nowhere_else_goes_only_by_name_and_reason(site: Site) {
    let world = World::started(Setup {
        fetch: "[]",
        ..Setup::job(site, "cp input out.txt; [ \"$DAYLILY_CASE\" != bad ]")
    });
    for name in ["good", "bad"] {
        write(&world.intake().join(name).join("input"), "x");
    }
    world.until_state("good", StateName::Succeeded);
    world.until_state("bad", StateName::Failed);
    let shown = world.verb(&["clean", "--dry-run"]);
    assert!(shown.out.contains("good: kept: nothing was fetched"), "{shown:?}");
    assert!(shown.out.contains("1 case with 1 byte"), "a failed run's log is home: {shown:?}");
    let said = world.verb(&["clean", "good"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("`clean --reason '...' good`"), "{said:?}");
    assert!(is_there(world.copy_of("good").join("out.txt")));
    // All that may go: with a reason and without a name it is none of them.
    let said = world.verb(&["clean", "--reason", "the disk is full"]);
    assert!(said.out.contains("bad: removed"), "{said:?}");
    assert!(is_there(world.copy_of("good").join("out.txt")));
    assert!(is_cleaned(&world, "bad"));
    assert_eq!(world.verb(&["log", "bad"]).code, Some(0));
    let said = world.verb(&["clean", "good", "--reason", "published elsewhere"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(is_cleaned(&world, "good"));
    world.until_because("good", "nothing was fetched, and its data on hpc was removed since");
    world.is_settled();
}

fn what_runs_waits_or_lost_its_results_is_kept(site: Site) {
    let world = World::started(Setup::job(
        site,
        "[ \"$DAYLILY_CASE\" = moved ] || until [ -e \"$GO\" ]; do sleep 0.05; done; cp input out.txt",
    ));
    for name in ["runs", "moved"] {
        write(&world.intake().join(name).join("input"), "x");
    }
    world.until_running("runs");
    world.until_succeeded(&["moved"]);
    let said = world.verb(&["clean", "runs", "--reason", "x"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("runs: kept: it has not ended: it is running"), "{said:?}");

    fs::rename(world.results_of("moved"), world.path("elsewhere/moved")).unwrap();
    let said = world.verb(&["clean"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("moved: kept: its results are not as they were put"), "{said:?}");
    assert!(is_there(world.copy_of("moved").join("out.txt")));
    fs::rename(world.path("elsewhere/moved"), world.results_of("moved")).unwrap();
    fs::write(world.results_of("moved").join("out.txt"), "").unwrap();
    let said = world.verb(&["clean"]);
    assert!(said.out.contains("moved: kept: its results are not as they were put"), "{said:?}");

    // Something carries the id of an attempt that has ended: seen when it is to go.
    fs::write(world.results_of("moved").join("out.txt"), "x").unwrap();
    let attempt = world.attempt("moved");
    #[allow(clippy::disallowed_methods, reason = "a real process is what is looked for")]
    let mut left = std::process::Command::new("sleep")
        .arg("1000")
        .env("DAYLILY_ATTEMPT", attempt.as_str())
        .spawn()
        .unwrap();
    let said = world.verb(&["clean", "moved"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("still runs"), "{said:?}");
    assert!(is_there(attempt_dir(&world, &attempt).join("job.sh")), "nothing was removed");
    left.kill().unwrap();
    left.wait().unwrap();
    assert_eq!(world.verb(&["clean", "moved"]).code, Some(0));
    assert!(is_cleaned(&world, "moved"));
    world.let_go();
    world.until_succeeded(&["runs"]);
    world.is_settled();
}

fn an_intake_that_lies_where_cases_are_copied_to_is_never_removed(site: Site) {
    // Refused by the configuration as it stands, so it comes to be so behind its back.
    let world = World::started(Setup::at(site));
    write(&world.intake().join("case/input"), "x");
    world.until_succeeded(&["case"]);
    fs::rename(world.intake(), world.path("data")).unwrap();
    fs::remove_dir_all(world.path("work/new_cases")).unwrap();
    fs::rename(world.path("data"), world.path("work/new_cases")).unwrap();
    std::os::unix::fs::symlink("work/new_cases", world.intake()).unwrap();
    let named = serde_json::json!({ "named": true });
    let id = world.case("case").unwrap().id;
    let answer = world.ask_with("clean", id.as_str(), named.as_object().unwrap().clone());
    assert!(
        answer.contains("lies in its folder") || answer.contains("its folder lies in"),
        "{answer}"
    );
    assert!(is_there(world.path("work/new_cases/case/input")));
    world.is_lawful();
}

fn after_its_time_a_case_goes_by_itself_and_no_other(site: Site) {
    let setup = |retention: &str| Setup {
        more: vec![format!("retention: {retention}")],
        ..Setup::job(site, "[ \"$DAYLILY_CASE\" != stays ] || exit 0; cp input out.txt")
    };
    let mut world = World::started(setup("30d"));
    for name in ["goes", "stays"] {
        write(&world.intake().join(name).join("input"), "x");
    }
    world.until_state("goes", StateName::Succeeded);
    world.until_state("stays", StateName::Succeeded);
    assert_eq!(world.terminate(LIMIT).code(), Some(0));
    world.start();
    world.until("it has gone round", |world| !world.reader().headnodes().unwrap().is_empty());
    assert!(!is_cleaned(&world, "goes"), "its time has not come");
    assert_eq!(world.terminate(LIMIT).code(), Some(0));
    let (soon, dir) = (setup("1ms"), world.path(""));
    let yaml = soon.yaml(&dir, &world.ground.lines(&soon, &dir));
    fs::write(world.path("config.yaml"), yaml).unwrap();
    world.start();
    world.until("its time is over", |world| is_cleaned(world, "goes"));
    assert!(is_there(world.copy_of("stays")), "nothing of it was fetched");
    assert!(!world.case("stays").unwrap().attempts().any(|attempt| attempt.cleaned_at.is_some()));
    assert!(is_there(world.results_of("goes").join("out.txt")));
    world.is_settled();
}

fn a_clean_that_was_killed_goes_on_at_the_next_start(site: Site) {
    let mut world = World::started(Setup::at(site));
    let names: Vec<String> = (0..4).map(|n| format!("case {n}")).collect();
    for name in &names {
        write(&world.intake().join(name).join("input"), "x");
        for file in 0..200 {
            write(&world.intake().join(name).join(format!("d{}/f{file}", file % 7)), "y");
        }
    }
    world.until_succeeded(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let ids: Vec<_> = names
        .iter()
        .map(|name| {
            let case = world.case(name).unwrap();
            world.file("clean", case.id.as_str(), serde_json::Map::new())
        })
        .collect();
    let begun = |world: &World| !is_there(world.copy_of(&names[0]));
    world.until("the first is being removed", begun);
    world.kill();
    world.start();
    world.until("all are answered", |world| {
        let done = |id| world.reader().request(id).unwrap().and_then(|request| request.done);
        ids.iter().all(|id| done(*id).is_some_and(|done| done.outcome.starts_with("done")))
    });
    for name in &names {
        assert!(is_cleaned(&world, name), "{name}");
    }
    let left = fs::read_dir(world.path("work/.daylily-watch")).unwrap().flatten();
    let trash = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("removed-"));
    assert_eq!(trash.count(), 0);
    world.is_settled();
}

fn a_rerun_asked_for_while_data_goes_waits_and_then_ships_again(site: Site) {
    let world = World::started(Setup::at(site));
    write(&world.intake().join("case/input"), "x");
    for file in 0..500 {
        write(&world.intake().join(format!("case/d{}/f{file}", file % 7)), "y");
    }
    world.until_succeeded(&["case"]);
    let id = world.case("case").unwrap().id;
    let clean = world.file("clean", id.as_str(), serde_json::Map::new());
    let rerun = world.file("rerun", id.as_str(), serde_json::Map::new());
    world.until("both are answered", |world| {
        let done = |id| world.reader().request(id).unwrap().and_then(|request| request.done);
        [clean, rerun]
            .into_iter()
            .all(|id| done(id).is_some_and(|done| done.outcome.starts_with("done")))
    });
    world.until("it runs again", |world| world.runs_of("case").len() == 2);
    world.until_succeeded(&["case"]);
    super::same::assert_same(&world.intake().join("case"), &world.copy_of("case"), &["out.txt"]);
    world.is_settled();
}

fn a_lost_database_learns_of_removed_cases_from_their_tombstones(site: Site) {
    let mut world = World::started(Setup::at(site));
    for name in ["kept here", "new content", "gone"] {
        write(&world.intake().join(name).join("input"), name);
    }
    world.until_succeeded(&["kept here", "new content", "gone"]);
    assert_eq!(world.verb(&["clean"]).code, Some(0));
    world.kill();
    fs::remove_dir_all(world.path("state")).unwrap();
    fs::remove_dir_all(world.intake().join("gone")).unwrap();
    write(&world.intake().join("new content/input"), "another content");
    world.start();
    for name in ["kept here", "new content"] {
        world.until_state(name, StateName::Ready);
    }
    let said = world.verb(&["adopt", "hpc", "--reason", "lost"]);
    assert!(said.out.contains("3 whose data was removed"), "{said:?}");
    // The very same folder has been run; a name that is not there any more as well.
    for name in ["kept here", "gone"] {
        assert_eq!(world.state(name), Some(StateName::Succeeded), "{name}");
    }
    let case = world.case("new content").unwrap();
    assert_eq!(case.hold.map(|hold| hold.why), Some(HoldWhy::Adopted));
    world.until_because("new content", "was run before and its data was removed there");
    // The same content under a name that was there before is not run again.
    write(&world.intake().join("gone/input"), "gone");
    world.is_looked_at_again();
    assert_eq!(world.verb(&["resume", "new content"]).code, Some(0));
    world.until_succeeded(&["new content"]);
    world.until("the one that came back is dropped", |world| {
        world.case("gone").is_some_and(|case| case.state.name() == StateName::Succeeded)
    });
    assert_eq!(world.runs_of("gone").len(), 1);
    assert_eq!(world.runs_of("kept here").len(), 1);
    assert_eq!(world.runs_of("new content").len(), 2);
    world.is_settled();
}

fn a_job_of_another_case_is_no_obstacle_and_is_not_met(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("first/input"), "x");
    world.until_running("first");
    world.let_go();
    world.until_succeeded(&["first"]);
    fs::remove_file(world.path("elsewhere/go")).unwrap();
    write(&world.intake().join("second/input"), "x");
    world.until_running("second");
    assert_eq!(world.verb(&["clean", "first"]).code, Some(0));
    assert!(is_cleaned(&world, "first"));
    assert!(is_there(world.copy_of("second").join("input")));
    world.let_go();
    world.until_succeeded(&["second"]);
    world.is_settled();
}
