//! What is kept besides the cases: plans, requests, circuits, pauses.

use daylily_lifecycle::ids::{Actor, Arrival, CaseId, CaseName, HeadnodeName, IntakeName};
use daylily_lifecycle::observation::{Observation, Verb};
use daylily_lifecycle::policy::{HeadnodeState, Part, Pause};
use daylily_watch::store::Planned;
use daylily_watch::store::journal::JournalId;
use daylily_watch::store::places::Paused;
use daylily_watch::store::read::Reader;
use daylily_watch::store::read::lookup::Lookup;
use daylily_watch::store::recording::Fact;
use daylily_watch::store::requests::{self, NewRequest};
use jiff::SignedDuration;

use super::world::{VERSION, appeared, asked, now, observed, open, state_dir, three_ready};

#[tokio::test]
async fn a_plan_is_stored_once_and_only_for_the_case_it_was_made_of() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    store.appear(appeared("A", "HG002", Arrival::FIRST)).await.expect("stored");
    let reader = store.reader().expect("it opens");
    assert_eq!(reader.due(now()).expect("it can be read").len(), 1);
    let later = now().checked_add(SignedDuration::from_secs(10)).expect("it is valid");
    let plan = |version| Planned {
        case: CaseId::new("A"),
        version,
        because: "Still arriving.".to_owned(),
        wake_at: Some(later),
    };
    assert_eq!(store.planned(vec![plan(7)]).await.expect("answered"), 0);
    assert_eq!(store.planned(vec![plan(1)]).await.expect("answered"), 1);
    assert_eq!(store.planned(vec![plan(1)]).await.expect("answered"), 0);
    assert_eq!(reader.due(now()).expect("it can be read"), []);
    assert_eq!(reader.next_wake().expect("it can be read"), Some(later));
    assert_eq!(reader.due(later).expect("it can be read").len(), 1);
    let board = reader.board(0).expect("it can be read");
    assert_eq!(board[0].because, "Still arriving.");
}

#[tokio::test]
async fn what_people_type_finds_a_case() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    for (id, name, arrival) in
        [("01AAA", "HG002", 1), ("01AAB", "HG002", 2), ("01ABC", "HG0021", 1), ("01B", "x/y", 1)]
    {
        store.appear(appeared(id, name, Arrival(arrival))).await.expect("stored");
    }
    let reader = store.reader().expect("it opens");
    let find = |text: &str| match reader.lookup(text).expect("it can be read") {
        Lookup::One(found) => found.case.to_string(),
        Lookup::Several(found) => format!("{} cases", found.len()),
        Lookup::None => "none".to_owned(),
    };
    for (text, expected) in [
        ("HG002", "01AAB"),
        ("new_cases/HG002", "01AAB"),
        ("HG002.1", "01AAA"),
        ("HG0021", "01ABC"),
        ("HG", "2 cases"),
        ("01ab", "01ABC"),
        ("01aaa", "01AAA"),
        ("01A", "2 cases"),
        ("x/y", "01B"),
        ("%", "none"),
        ("", "none"),
    ] {
        assert_eq!(find(text), expected, "{text:?}");
    }
    let latest = reader.find(&IntakeName::new("new_cases"), &CaseName::new("HG002"));
    assert_eq!(latest.expect("it can be read").map(|case| case.arrival), Some(Arrival(2)));
}

#[tokio::test]
async fn a_request_of_another_process_is_answered_once() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    let request = NewRequest {
        at: now(),
        actor: Actor::new("anna (uid 1000)"),
        verb: "note".to_owned(),
        target: "A".to_owned(),
        args: serde_json::Map::new(),
        reason: Some("look at the reads".to_owned()),
    };
    let id = requests::file(dir.path(), VERSION, &request).expect("it is filed");
    let open = store.read(Reader::take_requests).await.expect("it can be read");
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].request, request);
    let fact = Fact { case: CaseId::new("A"), observed: asked(Verb::Note) };
    store.record_request(id, vec![fact], now()).await.expect("stored");
    assert_eq!(store.read(Reader::take_requests).await.expect("it can be read"), []);
    let answered = store.read(move |reader| reader.request(id)).await.expect("it can be read");
    let outcome = answered.and_then(|request| request.done).map(|done| done.outcome);
    assert_eq!(outcome.as_deref(), Some("done"));

    let month = now().checked_add(SignedDuration::from_hours(31 * 24)).expect("it is valid");
    assert_eq!(store.prune(month, None).await.expect("stored").requests, 1);
}

#[tokio::test]
async fn circuits_and_pauses_outlive_the_daemon() {
    let dir = state_dir();
    let (store, first) = open(dir.path());
    let hpc = HeadnodeName::new("hpc");
    let down = HeadnodeState::Unreachable {
        part: Part::Host,
        needs_person: false,
        since: now(),
        because: "connection timed out".to_owned(),
        next_try: now(),
    };
    let state = down.clone();
    store.change_headnode(hpc.clone(), move |node| node.state = state).await.expect("stored");
    store.change_headnode(hpc.clone(), |node| node.failures += 1).await.expect("stored");
    let anna = Pause { by: Some(Actor::new("anna")), since: now(), reason: None };
    let bert = Pause { by: Some(Actor::new("bert")), ..anna.clone() };
    for pause in [&anna, &bert] {
        for what in [Paused::All, Paused::Headnode(hpc.clone())] {
            store.set_pause(what, Some(pause.clone())).await.expect("stored");
        }
    }
    store.close().await;

    let (store, second) = open(dir.path());
    assert_eq!(second.database, first.database);
    assert!(second.generation > first.generation && !second.created);
    let reader = store.reader().expect("it opens");
    let node = reader.headnode(&hpc).expect("it can be read").expect("it is there");
    assert_eq!((node.state, node.failures), (down, 1));
    assert_eq!(node.paused, Some(anna.clone()), "who stopped it first stays told");
    assert_eq!(reader.stopped().expect("it can be read"), Some(anna));
    store.set_pause(Paused::All, None).await.expect("stored");
    assert_eq!(reader.stopped().expect("it can be read"), None);
}

#[tokio::test]
async fn journals_of_finished_and_dropped_cases_are_pruned_whole() {
    let dir = state_dir();
    let (store, _) = open(dir.path());
    three_ready(&store).await;
    store.record(CaseId::new("A"), asked(Verb::Cancel { abandon: false })).await.expect("stored");
    store.appear(appeared("D", "D", Arrival::FIRST)).await.expect("stored");
    store.record(CaseId::new("D"), observed(Observation::Vanished)).await.expect("stored");
    let day = SignedDuration::from_hours(24);
    let later = now().checked_add(day * 2).expect("it is valid");
    assert_eq!(store.prune(later, None).await.expect("stored").journal, 0);
    assert_eq!(store.prune(later, Some(day)).await.expect("stored").journal, 5);
    assert_eq!(store.prune(later, Some(day)).await.expect("stored").journal, 0);
    let reader = store.reader().expect("it opens");
    assert_eq!(reader.history(JournalId::START, 100).expect("it can be read").len(), 4);
    assert!(reader.case(&CaseId::new("A")).expect("it can be read").is_some());
}
