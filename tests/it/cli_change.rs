//! The verbs that change: what they file, what they wait for, what they say.

use std::path::Path;

use daylily_lifecycle::diagram::scan;
use daylily_watch::app;
use daylily_watch::cli::args::{
    Abandonable, Cancel, Change, Drain, Note, Pause, Paused, Priority, Rank, Resume, Selection,
};
use daylily_watch::cli::desk::Desk;
use daylily_watch::cli::printer::Printer;
use daylily_watch::cli::{
    Exit, Outcome, accept, cancel, confirm_dead, drain, hold, note, pause, priority,
};
use daylily_watch::cli::{rerun, resume, retry};
use daylily_watch::clock::SystemClock;
use daylily_watch::config;
use daylily_watch::reconcile::driver::{Driver, Until};
use daylily_watch::reconcile::read_alive;
use daylily_watch::store::requests::NewRequest;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::scene::{Said, Scene, id_of, say};
use crate::wait::{LIMIT, until_seen};

fn named(cases: &[&str]) -> Selection {
    let cases = cases.iter().map(|case| (*case).to_owned()).collect();
    Selection { cases, state: None, intake: None, held: false }
}

fn change(cases: &[&str]) -> Change {
    Change { selection: named(cases), reason: Some("because".to_owned()) }
}

fn cancelled(cases: &[&str]) -> Cancel {
    Cancel {
        cases: named(cases).cases,
        state: None,
        intake: None,
        held: false,
        all: false,
        abandon: false,
        reason: None,
    }
}

fn resumed(cases: &[&str], paused: Paused) -> Resume {
    Resume { cases: named(cases).cases, state: None, held: false, paused, reason: None }
}

fn nothing() -> Paused {
    Paused { intake: None, headnode: None, all: false }
}

fn paused(paused: Paused) -> Pause {
    Pause { paused, reason: Some("dust".to_owned()) }
}

/// What was filed and not done yet.
fn filed(scene: &Scene) -> Vec<NewRequest> {
    let reader = scene.store.reader().expect("it opens");
    let open = reader.take_requests().expect("it can be read");
    open.into_iter().map(|stored| stored.request).collect()
}

fn told(request: &NewRequest) -> String {
    let args = serde_json::to_string(&request.args).expect("it can be written");
    let reason = request.reason.as_deref().unwrap_or("-");
    format!("{} {} {args} {reason}", request.verb, request.target)
}

async fn with_cases(names: &[&str]) -> Scene {
    let scene = Scene::new().await;
    for name in names {
        scene.case(name, vec![scan("f1", true, &[])]).await;
    }
    scene.plan().await;
    scene
}

#[tokio::test]
async fn every_verb_files_what_the_daemon_understands() {
    let scene = with_cases(&["HG002"]).await;
    let one = || change(&["HG002"]);
    let abandonable = Abandonable { change: one(), abandon: true };
    let urgent = Priority { priority: Rank::Urgent, change: one() };
    let remark = Note { text: "remark".to_owned(), selection: named(&["HG002"]) };
    let intake = Paused { intake: Some("new".to_owned()), ..nothing() };
    let headnode = Paused { headnode: Some("hpc".to_owned()), ..nothing() };
    let all = || Paused { all: true, ..nothing() };
    let said = [
        scene.say(|desk, printer| retry::run(desk, &one(), printer)),
        scene.say(|desk, printer| rerun::run(desk, &abandonable, printer)),
        scene.say(|desk, printer| cancel::run(desk, &cancelled(&["HG002"]), printer)),
        scene.say(|desk, printer| hold::run(desk, &one(), printer)),
        scene.say(|desk, printer| resume::run(desk, &resumed(&["HG002"], nothing()), printer)),
        scene.say(|desk, printer| accept::run(desk, &one(), printer)),
        scene.say(|desk, printer| priority::run(desk, &urgent, printer)),
        scene.say(|desk, printer| note::run(desk, &remark, printer)),
        scene.say(|desk, printer| confirm_dead::run(desk, &one(), printer)),
        scene.say(|desk, printer| pause::run(desk, &paused(intake), printer)),
        scene.say(|desk, printer| resume::run(desk, &resumed(&[], headnode), printer)),
        scene.say(|desk, printer| pause::run(desk, &paused(all()), printer)),
        scene.say(|desk, printer| resume::run(desk, &resumed(&[], all()), printer)),
    ];
    for said in said {
        assert_eq!(said.exit, Exit::Unreachable, "{said:?}");
        assert_eq!(
            said.talk,
            "no daemon is running: 1 request is recorded, and done when it starts again\n"
        );
    }
    let requests = filed(&scene);
    let uid = nix::unistd::getuid();
    for request in &requests {
        let actor = request.actor.as_str();
        assert!(actor.ends_with(&format!(" (uid {uid})")), "{actor}");
    }
    let requests: Vec<_> = requests.iter().map(told).collect();
    insta::assert_snapshot!(requests.join("\n"));
}

#[tokio::test]
async fn of_several_cases_one_that_is_not_there_means_that_nothing_is_done() {
    let scene = with_cases(&["HG002", "HG003", "it's $x"]).await;
    let say = |cases: &[&str]| {
        let change = change(cases);
        scene.say(|desk, printer| hold::run(desk, &change, printer))
    };
    let said = say(&["it's $x", "nobody", "HG00"]);
    assert_eq!(said.exit, Exit::Usage);
    assert!(said.talk.contains("there is no case nobody\n"), "{}", said.talk);
    assert!(said.talk.contains("HG00 may be any of these:\n  HG002"), "{}", said.talk);
    assert!(said.talk.ends_with("nothing was done\n"), "{}", said.talk);
    assert_eq!(filed(&scene), []);

    // The same case twice is one case.
    let id = id_of("it's $x");
    assert_eq!(say(&["it's $x", id.as_str()]).exit, Exit::Unreachable);
    assert_eq!(filed(&scene).len(), 1);
}

#[tokio::test]
async fn cases_are_meant_by_what_they_have_in_common() {
    let scene = with_cases(&["HG002", "HG003"]).await;
    scene.case("HG004", vec![scan("f1", false, &[])]).await;
    let say = |selection: Selection| {
        let change = Change { selection, reason: None };
        scene.say(|desk, printer| hold::run(desk, &change, printer))
    };
    let state = |state: &str| Selection { state: Some(state.to_owned()), ..named(&[]) };
    let intake = |name: &str| Selection { intake: Some(name.to_owned()), ..named(&[]) };
    assert_eq!(say(state("raedy")).exit, Exit::Usage);
    assert_eq!(say(intake("nwe")).talk, "there is no intake nwe\nhint: did you mean new?\n");
    assert_eq!(filed(&scene), []);
    let none = say(Selection { held: true, ..named(&[]) });
    assert_eq!(none.exit, Exit::Done);
    assert_eq!(none.talk, "no case is like that: nothing was done\n");
    say(state("ready"));
    assert_eq!(filed(&scene).len(), 2);
    say(intake("new"));
    assert_eq!(filed(&scene).len(), 5);
}

#[tokio::test]
async fn cancel_all_is_only_for_who_types_how_many() {
    let scene = with_cases(&["HG002", "HG003"]).await;
    let all = Cancel { all: true, ..cancelled(&[]) };
    let answer = |typed: &str| {
        let mut typed = typed.as_bytes();
        scene.say(|desk, printer| cancel::answered(desk, &all, printer, &mut typed))
    };
    for wrong in ["", "y\n", "3\n", "all\n"] {
        let said = answer(wrong);
        assert_eq!(said.exit, Exit::No, "{wrong:?}");
        assert!(said.talk.ends_with("nothing was done\n"), "{}", said.talk);
    }
    assert_eq!(filed(&scene), []);
    let said = answer(" 2\n");
    assert!(said.talk.starts_with("2 cases have not ended; type that number"), "{}", said.talk);
    assert_eq!(filed(&scene).len(), 2);
}

#[tokio::test]
async fn a_remark_without_words_is_refused() {
    let scene = Scene::new().await;
    scene.case("A", Vec::new()).await;
    let remark = Note { text: " ".to_owned(), selection: change(&["A"]).selection };
    let said = scene.say(|desk, printer| note::run(desk, &remark, printer));
    assert_eq!((said.exit, filed(&scene).len()), (Exit::Usage, 0), "{said:?}");
}

#[tokio::test]
async fn what_is_not_there_is_not_paused() {
    let scene = Scene::new().await;
    let say = |what: Paused| scene.say(|desk, printer| pause::run(desk, &paused(what), printer));
    let headnode = say(Paused { headnode: Some("hcp".to_owned()), ..nothing() });
    assert_eq!(headnode.talk, "there is no headnode hcp\nhint: did you mean hpc?\n");
    let intake = say(Paused { intake: Some("elsewhere".to_owned()), ..nothing() });
    assert_eq!(intake.talk, "there is no intake elsewhere\nhint: there is new, other\n");
    let neither = say(nothing());
    for said in [headnode, intake, neither] {
        assert_eq!(said.exit, Exit::Usage);
    }
    assert_eq!(filed(&scene), []);
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_not_waited_for_long() {
    let scene = with_cases(&["HG002"]).await;
    scene.alive();
    let said = scene.say(|desk, printer| hold::run(desk, &change(&["HG002"]), printer));
    assert_eq!(said.exit, Exit::Unreachable);
    assert_eq!(
        said.talk,
        "HG002: recorded; the daemon has not answered yet and does it when it gets to it\n"
    );
    assert_eq!(filed(&scene).len(), 1);
}

/// A daemon in this process, over an intake whose cases wait for `accept`.
struct House {
    dir: TempDir,
}

const HOUSE: &str = r#"
timezone: Europe/Berlin
intakes:
  - {name: new, path: ./new_cases, start: manual, settle: {quiet: 50ms, no_writers: false}}
headnodes:
  - {name: here, host: local, work_dir: ./work, groups: [{name: default, slots: 1}]}
pipelines:
  default: {command: "cat going 2>/dev/null; until test -e ../../../go; do sleep 0.05; done"}
"#;

impl House {
    fn new(cases: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("config.yaml"), HOUSE).expect("it can be written");
        for case in cases {
            let folder = dir.path().join("new_cases").join(case);
            std::fs::create_dir_all(&folder).expect("it can be made");
            std::fs::write(folder.join("a.txt"), "a").expect("it can be written");
        }
        Self { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a daemon as long as `visit` lasts.
    async fn open<F: Future<Output = ()>>(&self, visit: F) {
        let settings = config::load(&self.path().join("config.yaml")).expect("it is valid");
        let context = app::assemble(settings).await.expect("it can be put together");
        let driver = Driver::new(context).expect("it can be made");
        let stop = CancellationToken::new();
        let daemon = driver.run(Until::Stopped, stop.clone());
        let visit = async {
            let visited = tokio::time::timeout(LIMIT * 3, visit).await;
            stop.cancel();
            visited.expect("the visit ends");
        };
        let (ended, ()) = tokio::join!(daemon, visit);
        ended.expect("the database works");
    }

    fn desk(&self) -> Desk {
        let settings = config::load(&self.path().join("config.yaml")).expect("it is valid");
        Desk::new(settings, std::sync::Arc::new(SystemClock)).expect("the database is there")
    }

    /// As another process would, on a thread that may wait.
    async fn say(
        &self,
        verb: impl FnOnce(&Desk, &mut Printer) -> Outcome + Send + 'static,
    ) -> Said {
        let (desk, dir) = (self.desk(), self.path().to_owned());
        let said = tokio::task::spawn_blocking(move || say(&desk, &dir, verb)).await;
        said.expect("it does not panic")
    }

    async fn until_alive(&self) {
        let state = self.path().join("state");
        until_seen("the daemon lives", LIMIT, || async { read_alive(&state).is_some() }).await;
    }

    async fn until(&self, case: &str, sentence: &str) {
        let reader = self.desk().reader;
        until_seen(&format!("{case} is {sentence}"), LIMIT, || async {
            let rows = reader.board(10).expect("it can be read");
            rows.iter().any(|row| row.name.as_str() == case && row.because.contains(sentence))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_answers_at_once_and_the_new_sentence_is_told() {
    let house = House::new(&["A", "it's $B"]);
    house
        .open(async {
            house.until_alive().await;
            house.until("A", "starts nothing by itself").await;
            house.until("it's $B", "starts nothing by itself").await;
            let both = change(&["A", "it's $B"]);
            let held = house.say(move |desk, printer| hold::run(desk, &both, printer)).await;
            assert_eq!(held.exit, Exit::Done, "{held:?}");
            assert!(held.out.contains("it's $B: done\n    Waiting for a person: held by "));

            let both = change(&["A", "it's $B"]);
            let again = house.say(move |desk, printer| hold::run(desk, &both, printer)).await;
            assert_eq!(again.exit, Exit::No);
            assert!(again.out.starts_with("A: cannot be held: it is held already\n"));
            assert!(again.talk.contains("hint: `why 'it'\\''s $B'` says where it is\n"));

            let release = Resume { held: true, ..resumed(&[], nothing()) };
            let freed = house.say(move |desk, printer| resume::run(desk, &release, printer)).await;
            assert_eq!(freed.exit, Exit::Done, "{freed:?}");

            let one = change(&["A"]);
            let begun = house.say(move |desk, printer| accept::run(desk, &one, printer)).await;
            assert_eq!(begun.exit, Exit::Done, "{begun:?}");
            house.until("A", "Running on here").await;

            let one = change(&["A"]);
            let late = house.say(move |desk, printer| accept::run(desk, &one, printer)).await;
            assert_eq!(late.exit, Exit::No);
            let refusal = "A: cannot be accepted: only a case that is still arriving can be ";
            assert!(late.out.starts_with(refusal), "{}", late.out);

            let all = Cancel { all: true, ..cancelled(&[]) };
            let ended = house
                .say(move |desk, printer| {
                    cancel::answered(desk, &all, printer, &mut "2\n".as_bytes())
                })
                .await;
            assert_eq!(ended.exit, Exit::Done, "{ended:?}");
            house.until("A", "Cancelled at").await;
            house.until("it's $B", "Cancelled at").await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_red_button_is_told_at_once_and_lifted() {
    let house = House::new(&["A"]);
    let all = || Paused { all: true, ..nothing() };
    house
        .open(async {
            house.until_alive().await;
            house.until("A", "starts nothing by itself").await;
            let press = paused(all());
            let pressed = house.say(move |desk, printer| pause::run(desk, &press, printer)).await;
            assert!(pressed.out.starts_with("STOPPED by "), "{}", pressed.out);
            assert!(pressed.out.ends_with(": dust\neverything: done\n"), "{}", pressed.out);
            let press = paused(all());
            let again = house.say(move |desk, printer| pause::run(desk, &press, printer)).await;
            assert!(again.talk.starts_with("everything is stopped already by "), "{again:?}");
            let one = change(&["A"]);
            let begun = house.say(move |desk, printer| accept::run(desk, &one, printer)).await;
            assert!(begun.out.starts_with("STOPPED by "), "{}", begun.out);
            house.until("A", "Stopped by ").await;
            std::fs::write(house.path().join("state/STOP"), "").expect("it can be written");
            let lift = resumed(&[], all());
            let lifted = house.say(move |desk, printer| resume::run(desk, &lift, printer)).await;
            assert_eq!(lifted.out, "everything: done\n");
            std::fs::write(house.path().join("go"), "").expect("it can be written");
            house.until("A", "Succeeded at").await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_without_a_daemon_is_done_at_its_start() {
    let house = House::new(&["A"]);
    house
        .open(async {
            house.until("A", "starts nothing by itself").await;
        })
        .await;
    let one = change(&["A"]);
    let said = house.say(move |desk, printer| hold::run(desk, &one, printer)).await;
    assert_eq!(said.exit, Exit::Unreachable, "{said:?}");
    house
        .open(async {
            house.until("A", "held by ").await;
        })
        .await;
}

fn drained(headnode: &str, wait: bool) -> Drain {
    Drain { headnode: headnode.to_owned(), wait, reason: Some("a new kernel".to_owned()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_headnode_ends_what_it_has_and_begins_nothing() {
    let house = House::new(&["A", "B"]);
    house
        .open(async {
            house.until_alive().await;
            house.until("A", "starts nothing by itself").await;
            house.until("B", "starts nothing by itself").await;
            let one = change(&["A"]);
            let begun = house.say(move |desk, printer| accept::run(desk, &one, printer)).await;
            assert_eq!(begun.exit, Exit::Done, "{begun:?}");
            house.until("A", "Running on here").await;

            let args = drained("here", false);
            let said = house.say(move |desk, printer| drain::run(desk, &args, printer)).await;
            assert_eq!((said.exit, said.out.as_str()), (Exit::Done, "headnode here: done\n"));
            assert_eq!(said.talk, "headnode here: 1 case is still there: A\n");
            let one = change(&["B"]);
            house.say(move |desk, printer| accept::run(desk, &one, printer)).await;
            house.until("B", "here is being drained and takes nothing new").await;

            let args = drained("here", true);
            let waiting = house.say(move |desk, printer| drain::run(desk, &args, printer));
            let (waited, ()) = tokio::join!(waiting, async {
                house.until("A", "Running on here").await;
                std::fs::write(house.path().join("go"), "").expect("it can be written");
            });
            assert_eq!(waited.exit, Exit::Done, "{waited:?}");
            assert!(waited.out.ends_with("headnode here: nothing is left there\n"), "{waited:?}");
            house.until("A", "Succeeded at").await;
            house.until("B", "being drained").await;

            let here = Paused { headnode: Some("here".to_owned()), ..nothing() };
            let lift = resumed(&[], here);
            let lifted = house.say(move |desk, printer| resume::run(desk, &lift, printer)).await;
            assert_eq!(lifted.exit, Exit::Done, "{lifted:?}");
            house.until("B", "Succeeded at").await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_headnode_ends_when_somebody_lets_it_go_on() {
    let house = House::new(&["A"]);
    house
        .open(async {
            house.until_alive().await;
            house.until("A", "starts nothing by itself").await;
            let one = change(&["A"]);
            house.say(move |desk, printer| accept::run(desk, &one, printer)).await;
            house.until("A", "Running on here").await;
            let args = drained("here", true);
            let waiting = house.say(move |desk, printer| drain::run(desk, &args, printer));
            let reader = house.desk().reader;
            let (waited, ()) = tokio::join!(waiting, async {
                until_seen("it is drained", LIMIT, || async {
                    reader.headnodes().expect("it can be read")[0].draining
                })
                .await;
                let here = Paused { headnode: Some("here".to_owned()), ..nothing() };
                let lift = resumed(&[], here);
                house.say(move |desk, printer| resume::run(desk, &lift, printer)).await;
            });
            assert_eq!(waited.exit, Exit::No, "{waited:?}");
            std::fs::write(house.path().join("go"), "").expect("it can be written");
            house.until("A", "Succeeded at").await;
        })
        .await;
}

#[tokio::test]
async fn a_headnode_that_is_not_known_is_not_drained() {
    let scene = Scene::new().await;
    let said = scene.say(|desk, printer| drain::run(desk, &drained("hcp", false), printer));
    assert_eq!(said.exit, Exit::Usage);
    assert!(said.talk.contains("did you mean hpc?"), "{}", said.talk);
}
