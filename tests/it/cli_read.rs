//! The verbs that read: what people see, and what programs see.

use std::time::Duration;

use daylily_lifecycle::case::StepName;
use daylily_lifecycle::diagram::{at, looks, scan, seen, slot, stored};
use daylily_lifecycle::ids::{Actor, ByteCount, GroupName, IntakeName};
use daylily_lifecycle::observation::{Observation, Observed, Request, Verb};
use daylily_lifecycle::outcome::{Fault, FaultClass, Look};
use daylily_lifecycle::policy::{HeadnodeState, Part, Pause, Unreadable};
use daylily_watch::cli::args::{History, Log, OneCase, Reading, Status};
use daylily_watch::cli::{Exit, history, log, show, slots, status, why};
use daylily_watch::store::StepProgress;
use daylily_watch::store::places::Paused;
use daylily_watch::store::steps::Progress;
use insta::assert_snapshot;

use crate::scene::{Said, Scene, attempt_of, hpc, seed};

fn complete() -> Observation {
    scan("f1", true, &[])
}

fn granted(scene: &Scene, name: &str, place: u32) -> Observation {
    Observation::Granted { attempt: seed(name, &scene.path("work")), slots: vec![slot(place)] }
}

fn shipped(name: &str) -> Observation {
    let attempt = attempt_of(name);
    Observation::Shipped { attempt, files: 5, bytes: ByteCount(50 * 1024), digest: None }
}

fn look(name: &str, what: &str) -> Observation {
    let found = looks().into_iter().find(|(known, _)| *known == what);
    let look = found.map_or(Look::CouldNot { why: what.to_owned() }, |(_, look)| look);
    Observation::Looked { attempt: attempt_of(name), look, queue_wiped: Some(false), begun: None }
}

fn returned(name: &str) -> Observation {
    Observation::Returned { attempt: attempt_of(name), stored: stored(&[]) }
}

fn running(scene: &Scene, name: &str, place: u32) -> Vec<Observation> {
    vec![complete(), granted(scene, name, place), shipped(name), look(name, "running")]
}

fn ended(scene: &Scene, name: &str, place: u32, how: &str) -> Vec<Observation> {
    let mut road = running(scene, name, place);
    road.extend([look(name, how), returned(name)]);
    road
}

/// A case in most states, three of which need a person.
async fn busy() -> Scene {
    let scene = Scene::new().await;
    scene.case("HG001", vec![scan("f1", false, &[])]).await;
    scene.case("HG008", ended(&scene, "HG008", 0, "ended 3")).await;
    scene.case("HG009", ended(&scene, "HG009", 0, "ended 0")).await;
    scene.case("HG002", running(&scene, "HG002", 0)).await;
    let shipping = scene.case("HG003", vec![complete(), granted(&scene, "HG003", 1)]).await;
    scene.case("HG004", vec![complete()]).await;
    scene.case("HG005", vec![scan("f1", false, &[]), complete()]).await;
    let held = scene.case("it's HG006", vec![complete()]).await;
    let hold = Request { verb: Verb::Hold, reason: Some("wrong tissue".to_owned()) };
    let what = Observation::Asked(hold);
    scene.record(&held, Observed { at: at(20), actor: Actor::new("anna (uid 1000)"), what }).await;
    scene.case("HG007", vec![scan("f1", true, &["x is a socket", "y is a pipe"])]).await;
    let progress = Progress {
        step: StepName::Ship,
        files_done: 2,
        bytes_done: ByteCount(20 * 1024),
        bytes_total: ByteCount(50 * 1024),
        rate: ByteCount(1024),
    };
    let told = StepProgress { case: shipping, attempt: Some(attempt_of("HG003")), progress };
    scene.store.progress(vec![told], at(199)).await.expect("it is stored");
    scene.plan().await;
    scene.alive();
    scene
}

fn all() -> Status {
    Status { ended: 10, state: None, intake: None, held: false, json: false }
}

fn one(case: &str) -> OneCase {
    OneCase { case: case.to_owned(), json: false }
}

fn last(case: Option<&str>) -> History {
    History { case: case.map(str::to_owned), follow: false, last: 50, json: false }
}

fn of(case: &str) -> Log {
    Log { case: case.to_owned(), follow: false, attempt: None, lines: 100, json: false }
}

fn pretty(said: &Said) -> String {
    let value: serde_json::Value = serde_json::from_str(&said.out).expect("it is JSON");
    serde_json::to_string_pretty(&value).expect("it can be written")
}

#[tokio::test]
async fn status_begins_with_what_needs_a_person() {
    let scene = busy().await;
    let said = scene.say(|desk, printer| status::run(desk, &all(), printer));
    assert_eq!((said.talk.as_str(), said.exit), ("", Exit::Done));
    assert_snapshot!(said.out);
}

#[tokio::test]
async fn status_is_the_same_for_programs() {
    let scene = busy().await;
    let args = Status { json: true, ..all() };
    assert_snapshot!(pretty(&scene.say(|desk, printer| status::run(desk, &args, printer))));
}

#[tokio::test]
async fn status_shows_only_what_is_asked_for() {
    let scene = busy().await;
    let names = |args: Status| {
        let args = Status { json: true, ..args };
        let said = scene.say(|desk, printer| status::run(desk, &args, printer));
        let value: serde_json::Value = serde_json::from_str(&said.out).expect("it is JSON");
        let cases = value["cases"].as_array().expect("a list").clone();
        let names: Vec<_> = cases.iter().map(|case| case["name"].to_string()).collect();
        names.join(" ")
    };
    let state = |state: &str| Status { state: Some(state.to_owned()), ..all() };
    assert_eq!(names(state("failed")), "\"HG008\"");
    assert_eq!(names(state("ready")), "\"it's HG006\" \"HG004\" \"HG005\"");
    assert_eq!(names(Status { held: true, ..all() }), "\"it's HG006\"");
    assert_eq!(names(Status { intake: Some("other".to_owned()), ..all() }), "");
    let wrong = scene.say(|desk, printer| status::run(desk, &state("runing"), printer));
    assert_eq!(wrong.exit, Exit::Usage);
    let told =
        "there is no state runing\nhint: did you mean running?\nhint: there is arriving (still";
    assert!(wrong.talk.starts_with(told), "{}", wrong.talk);
    assert_eq!(names(state("waiting for a place")), names(state("ready")));
}

#[tokio::test]
async fn a_failed_case_stays_in_sight_however_many_have_succeeded_since() {
    let scene = Scene::new().await;
    scene.case("failed", ended(&scene, "failed", 0, "ended 3")).await;
    for name in ["A", "B", "C"] {
        scene.case(name, ended(&scene, name, 0, "ended 0")).await;
    }
    let args = Status { ended: 1, ..all() };
    let said = scene.say(|desk, printer| status::run(desk, &args, printer));
    assert!(said.out.contains("failed  failed"), "{}", said.out);
}

#[tokio::test]
async fn status_tells_what_is_wrong_with_intakes_and_headnodes() {
    let scene = Scene::new().await;
    let unreadable = Unreadable {
        since: at(0),
        because: "/mnt/scanner has not been mounted".to_owned(),
        next_look: at(260),
    };
    let change = scene.store.change_intake(IntakeName::new("new"), |intake| {
        intake.unreadable = Some(unreadable);
    });
    change.await.expect("it is stored");
    let pause = Pause { by: Some(Actor::new("anna")), since: at(5), reason: Some("dust".into()) };
    let other = Paused::Intake(IntakeName::new("other"));
    scene.store.set_pause(other, Some(pause)).await.expect("it is stored");
    let change = scene.store.change_headnode(hpc(), |node| {
        node.state = HeadnodeState::Unreachable {
            part: Part::Host,
            needs_person: false,
            since: at(10),
            because: "connection timed out".to_owned(),
            next_try: at(210),
        };
        node.draining = true;
        node.drift = Some("the group gpu_a has parallel_tasks 1, not 2".to_owned());
    });
    change.await.expect("it is stored");
    assert_snapshot!(scene.say(|desk, printer| status::run(desk, &all(), printer)).out);
}

#[tokio::test]
async fn every_reading_verb_begins_with_the_red_button() {
    let scene = busy().await;
    let pause = Pause { by: Some(Actor::new("anna")), since: at(60), reason: Some("fire".into()) };
    scene.store.set_pause(Paused::All, Some(pause)).await.expect("it is stored");
    let reading = Reading { json: false };
    let said = [
        scene.say(|desk, printer| status::run(desk, &all(), printer)),
        scene.say(|desk, printer| show::run(desk, &one("HG002"), printer)),
        scene.say(|desk, printer| why::run(desk, &one("HG002"), printer)),
        scene.say(|desk, printer| history::run(desk, &last(None), printer)),
        scene.say(|desk, printer| log::run(desk, &of("HG002"), printer)),
        scene.say(|desk, printer| slots::run(desk, &reading, printer)),
    ];
    for said in said {
        assert_eq!(said.out.lines().next(), Some("STOPPED by anna since 14:01 CET: fire"));
    }
    // Data for programs stays data.
    let args = Status { json: true, ..all() };
    let said = scene.say(|desk, printer| status::run(desk, &args, printer));
    assert_eq!(said.talk, "STOPPED by anna since 14:01 CET: fire\n");
    assert!(said.out.contains(r#""stopped":{"by":"anna","since":"2026-11-20T13:01:00.000Z""#));
}

#[tokio::test]
async fn the_stop_file_is_the_red_button_too() {
    let scene = Scene::new().await;
    std::fs::write(scene.state_dir().join("STOP"), "smoke\u{1b}[2J\n").expect("it can be written");
    let said = scene.say(|desk, printer| status::run(desk, &all(), printer));
    let first = said.out.lines().next().unwrap_or_default();
    assert!(first.starts_with("STOPPED by ") && first.ends_with(": smoke[2J"), "{first}");
}

#[tokio::test]
async fn without_a_daemon_reading_works_and_says_so() {
    let scene = Scene::new().await;
    let say = || scene.say(|desk, printer| status::run(desk, &all(), printer));
    let said = say();
    assert_eq!(said.exit, Exit::Done);
    assert_eq!(said.talk, "no daemon is running: what is shown is what was last known\n");
    assert_eq!(
        said.out,
        "no case is under way; a folder copied into /here/new_cases or /here/other_cases \
         becomes one\n"
    );
    scene.alive();
    assert_eq!(say().talk, "");
    scene.clock.advance(Duration::from_secs(16));
    assert_eq!(
        say().talk,
        "the daemon (process 4711) has not told since 14:03:20 CET that it lives: what is shown \
         is what was last known\nhint: `daylily-watch check` says more\n"
    );
}

#[tokio::test]
async fn show_tells_everything_and_says_no_of_a_failed_case() {
    let scene = busy().await;
    let failed = scene.say(|desk, printer| show::run(desk, &one("HG008"), printer));
    assert_eq!(failed.exit, Exit::No);
    let running = scene.say(|desk, printer| show::run(desk, &one("HG002"), printer));
    assert_eq!(running.exit, Exit::Done);
    let held = scene.say(|desk, printer| show::run(desk, &one("it's HG006"), printer));
    let rejected = scene.say(|desk, printer| show::run(desk, &one("HG007"), printer));
    let all = [failed.out, running.out, held.out, rejected.out];
    assert_snapshot!(all.join("\n----\n\n"));
}

#[tokio::test]
async fn show_is_the_same_for_programs() {
    let scene = busy().await;
    let args = OneCase { json: true, ..one("HG008") };
    let said = scene.say(|desk, printer| show::run(desk, &args, printer));
    assert_eq!(said.exit, Exit::No);
    assert_snapshot!(pretty(&said));
}

#[tokio::test]
async fn show_tells_a_step_that_does_not_work() {
    let scene = Scene::new().await;
    let id = scene.case("HG002", vec![complete(), granted(&scene, "HG002", 0)]).await;
    let fault = Fault::new(FaultClass::TransientStep, "work/new: Permission denied");
    let attempt = Some(attempt_of("HG002"));
    let failed = Observation::StepFailed { attempt, step: StepName::Ship, fault };
    scene.record(&id, seen(190, failed.clone())).await;
    scene.record(&id, seen(198, failed)).await;
    scene.plan().await;
    let said = scene.say(|desk, printer| show::run(desk, &one("HG002"), printer));
    let trouble = said.out.lines().find(|line| line.contains("  trouble"));
    assert_snapshot!(trouble.unwrap_or_default());
}

#[tokio::test]
async fn why_gives_the_sentence_then_the_evidence_then_the_changes() {
    let scene = busy().await;
    let said = ["HG001", "HG005", "HG008"]
        .map(|name| scene.say(|desk, printer| why::run(desk, &one(name), printer)).out);
    assert_snapshot!(said.join("\n----\n\n"));
}

#[tokio::test]
async fn why_is_the_same_for_programs() {
    let scene = busy().await;
    let args = OneCase { json: true, ..one("HG001") };
    assert_snapshot!(pretty(&scene.say(|desk, printer| why::run(desk, &args, printer))));
}

#[tokio::test]
async fn history_is_one_line_for_each_entry() {
    let scene = busy().await;
    let whole = scene.say(|desk, printer| history::run(desk, &last(Some("HG008")), printer));
    let args = History { last: 2, json: true, ..last(None) };
    let end = scene.say(|desk, printer| history::run(desk, &args, printer));
    assert_snapshot!(format!("{}----\n{}", whole.out, end.out));
}

#[tokio::test]
async fn history_knows_the_name_of_a_case_that_was_dropped() {
    let scene = Scene::new().await;
    let id = scene.case("gone", vec![scan("f1", false, &[])]).await;
    let dropped = scene.store.record(id, seen(9, Observation::Vanished)).await;
    dropped.expect("it is stored");
    let said = scene.say(|desk, printer| history::run(desk, &last(None), printer));
    let line = said.out.lines().last().unwrap_or_default().to_owned();
    assert!(line.contains("  gone  ") && line.contains("no case any more"), "{line}");
}

#[tokio::test]
async fn slots_say_who_has_them() {
    let scene = busy().await;
    scene.case("HG010", vec![complete()]).await;
    let id = crate::scene::id_of("HG002");
    scene.record(&id, seen(100, look("HG002", "unconfirmed"))).await;
    let one = vec![(GroupName::new("gpu_a"), vec![Some("7".to_owned())])];
    scene.store.sync_slots(hpc(), one).await.expect("it is stored");
    let reading = |json| Reading { json };
    let said = scene.say(|desk, printer| slots::run(desk, &reading(false), printer));
    let json = scene.say(|desk, printer| slots::run(desk, &reading(true), printer));
    assert_snapshot!(format!("{}----\n{}", said.out, pretty(&json)));
}

#[tokio::test]
async fn a_case_that_is_not_there_is_told_with_what_may_be_meant() {
    let scene = busy().await;
    let unknown = scene.say(|desk, printer| show::run(desk, &one("HG020"), printer));
    let several = scene.say(|desk, printer| show::run(desk, &one("HG00"), printer));
    assert_eq!((unknown.exit, several.exit), (Exit::Usage, Exit::Usage));
    assert_eq!((unknown.out.as_str(), several.out.as_str()), ("", ""));
    assert_snapshot!(format!("{}----\n{}", unknown.talk, several.talk));
}

fn write_output(scene: &Scene, name: &str, text: &[u8]) {
    let dir = scene.path("work/.daylily-watch").join(attempt_of(name).as_str());
    std::fs::create_dir_all(&dir).expect("it can be made");
    std::fs::write(dir.join("output.log"), text).expect("it can be written");
}

#[tokio::test]
async fn log_reads_what_the_job_writes_and_lets_nothing_steer_the_terminal() {
    let scene = busy().await;
    write_output(&scene, "HG002", b"one\n10 %\r20 %\r\n\x1b[31mred \xff\tend\nhalf");
    let said = scene.say(|desk, printer| log::run(desk, &of("HG002"), printer));
    let wanted = "one\n20 %\n\u{fffd}[31mred \u{fffd}\tend\nhalf\n";
    assert_eq!((said.out.as_str(), said.exit), (wanted, Exit::Done));
    let two = Log { lines: 2, ..of("HG002") };
    let said = scene.say(|desk, printer| log::run(desk, &two, printer));
    assert_eq!(said.out.lines().count(), 2);
    let json = Log { lines: 1, json: true, ..of("HG002") };
    assert_snapshot!(pretty(&scene.say(|desk, printer| log::run(desk, &json, printer))));
}

#[tokio::test]
async fn log_falls_back_to_what_was_kept_and_says_so() {
    let scene = busy().await;
    let say = || scene.say(|desk, printer| log::run(desk, &of("HG008"), printer));
    let stored = say();
    assert_eq!(stored.out, "all done\n");
    assert!(stored.talk.contains("output.log cannot be read: No such file"), "{}", stored.talk);
    assert!(stored.talk.contains("the end of it as it was stored"), "{}", stored.talk);

    let kept = scene.state_dir().join("logs");
    std::fs::create_dir_all(&kept).expect("it can be made");
    let kept = kept.join(format!("{}.log", attempt_of("HG008")));
    std::fs::write(kept, "more of it\nall done\n").expect("it can be written");
    let copy = say();
    assert_eq!(copy.out, "more of it\nall done\n");
    assert!(copy.talk.contains("the copy that was kept"), "{}", copy.talk);
}

#[tokio::test]
async fn log_follows_no_link_out_of_the_attempt_directory() {
    let scene = busy().await;
    write_output(&scene, "HG008", b"");
    let dir = scene.path("work/.daylily-watch").join(attempt_of("HG008").as_str());
    std::fs::remove_file(dir.join("output.log")).expect("it is there");
    std::os::unix::fs::symlink("/etc/passwd", dir.join("output.log")).expect("it can be made");
    let said = scene.say(|desk, printer| log::run(desk, &of("HG008"), printer));
    assert_eq!(said.out, "all done\n");
}

#[tokio::test]
async fn log_of_a_case_that_has_not_run_says_so() {
    let scene = busy().await;
    let said = scene.say(|desk, printer| log::run(desk, &of("HG001"), printer));
    assert_eq!(said.exit, Exit::No);
    assert_eq!(said.talk, "HG001 has not run yet; `why HG001` says why\n");
    let fifth = Log { attempt: Some(5), ..of("HG002") };
    let said = scene.say(|desk, printer| log::run(desk, &fifth, printer));
    assert_eq!(said.exit, Exit::Usage);
    assert_eq!(said.talk, "HG002 has no attempt 5; it has had 1 attempt\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_follows_until_the_attempt_has_ended() {
    let scene = busy().await;
    write_output(&scene, "HG002", b"one\nha");
    let follow = Log { follow: true, ..of("HG002") };
    let desk = scene.desk();
    let dir = scene.path("");
    let following = tokio::task::spawn_blocking(move || {
        crate::scene::say(&desk, &dir, |desk, printer| log::run(desk, &follow, printer))
    });
    write_output(&scene, "HG002", b"one\nhalf\nlast");
    scene.record(&crate::scene::id_of("HG002"), seen(150, look("HG002", "ended 0"))).await;
    let said = tokio::time::timeout(crate::wait::LIMIT, following).await;
    let said = said.expect("it ends").expect("it does not panic");
    assert_eq!((said.out.as_str(), said.exit), ("one\nhalf\nlast\n", Exit::Done));
}

#[tokio::test]
async fn no_name_is_no_case_and_no_entries_are_no_talk() {
    let scene = busy().await;
    let said = scene.say(|desk, printer| show::run(desk, &one(""), printer));
    assert_eq!(said.exit, Exit::Usage);
    assert!(said.talk.starts_with("no case was named\n"), "{said:?}");
    let none = History { last: 0, ..last(None) };
    let said = scene.say(|desk, printer| history::run(desk, &none, printer));
    assert_eq!((said.out.as_str(), said.talk.as_str()), ("", ""));
}

#[tokio::test]
async fn a_beginning_of_many_names_says_how_many_more_there_are() {
    let scene = Scene::new().await;
    for number in 0..23 {
        scene.case(&format!("HG{number:03}"), Vec::new()).await;
    }
    scene.alive();
    let said = scene.say(|desk, printer| show::run(desk, &one("HG"), printer));
    assert!(said.talk.contains("\n  and 3 more\n"), "{}", said.talk);
}

#[tokio::test]
async fn why_and_show_name_the_rule_the_params_and_how_far_a_stop_is() {
    let scene = Scene::new().await;
    let mut complete = complete();
    if let Observation::Scanned(scanned) = &mut complete {
        let mut order = order();
        order.rule = Some("rules[0]: series/1.dcm matches *.dcm".to_owned());
        order.params.insert("threads".to_owned(), "08".to_owned());
        order.notify.push("anna@example.org".to_owned());
        scanned.order = Some(Box::new(order));
    }
    let mut stoppable = granted(&scene, "HG001", 0);
    if let Observation::Granted { attempt, .. } = &mut stoppable {
        attempt.place.stop = Some("./stop".to_owned());
    }
    let road = [shipped("HG001"), look("HG001", "running"), look("HG001", "ended by a signal")];
    scene.case("HG001", [complete, stoppable].into_iter().chain(road).collect()).await;
    scene.plan().await;
    let one = || OneCase { case: "HG001".to_owned(), json: false };
    let said = scene.say(|desk, printer| why::run(desk, &one(), printer));
    let asks = "by rules[0]: series/1.dcm matches *.dcm.";
    assert!(said.out.contains(asks), "{}", said.out);
    let said = scene.say(|desk, printer| show::run(desk, &one(), printer));
    for words in [
        "params ",
        "threads=08",
        "to be told",
        "anna@example.org",
        "stop ",
        "due, ",
        asks.trim_end_matches('.').trim_start_matches("by "),
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
}

fn order() -> daylily_lifecycle::case::Order {
    match daylily_lifecycle::diagram::appeared(None) {
        Observation::Appeared(appeared) => appeared.order,
        other => panic!("{other:?}"),
    }
}
