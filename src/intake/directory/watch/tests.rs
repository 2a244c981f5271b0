//! How events become news. That events come at all is tested with a real kernel in
//! `tests/it`.

use notify::event::{CreateKind, DataChange, Flag, ModifyKind, RemoveKind};
use notify::{Error, Event};

use super::*;
use crate::clock::FakeClock;

fn sorter() -> Sorter {
    let now = "2026-11-20T06:00:00Z".parse().unwrap();
    let ignore = Names::new(&["Thumbs.db".to_owned(), "@eaDir".to_owned()]).unwrap();
    Sorter { root: PathBuf::from("/in"), ignore, clock: Arc::new(FakeClock::new(now)) }
}

#[allow(clippy::disallowed_methods, reason = "an event carries an instant")]
fn sort(events: Vec<Event>) -> WatchNews {
    let now = std::time::Instant::now();
    sorter().sort(Ok(events.into_iter().map(|event| DebouncedEvent::new(event, now)).collect()))
}

fn event(kind: EventKind, path: &str) -> Event {
    Event::new(kind).add_path(PathBuf::from(path))
}

const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));

fn dirty(events: Vec<Event>) -> Vec<(String, String)> {
    sort(events).dirty.into_iter().map(|(name, change)| (name, change.path)).collect()
}

#[test]
fn an_event_marks_its_top_level_name() {
    let dirty = dirty(vec![
        event(WRITE, "/in/HG002/run/R1"),
        event(EventKind::Create(CreateKind::Folder), "/in/HG003"),
        event(EventKind::Remove(RemoveKind::File), "/in/HG004/x"),
        event(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/in/HG005/x"),
    ]);
    let expected = [("HG002", "run/R1"), ("HG003", ""), ("HG004", "x"), ("HG005", "x")];
    assert_eq!(dirty, expected.map(|(name, path)| (name.to_owned(), path.to_owned())));
}

#[test]
fn our_own_reads_and_ignored_names_are_no_news() {
    let news = sort(vec![
        event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/in/HG002/R1"),
        event(EventKind::Access(AccessKind::Close(AccessMode::Read)), "/in/HG002/R1"),
        event(WRITE, "/in/HG002/Thumbs.db"),
        event(WRITE, "/in/HG002/@eaDir/x"),
        event(WRITE, "/elsewhere/x"),
    ]);
    assert_eq!(news, WatchNews::default());
}

#[test]
fn lost_events_and_a_root_that_went_ask_for_a_look_at_everything() {
    assert!(sort(vec![Event::new(EventKind::Other).set_flag(Flag::Rescan)]).rescan);
    assert!(sort(vec![event(EventKind::Remove(RemoveKind::Folder), "/in")]).rescan);
    let news = sorter().sort(Err(vec![Error::new(ErrorKind::MaxFilesWatch)]));
    assert!(news.rescan);
    let trouble = "the kernel allows no more watches; see fs.inotify.max_user_watches";
    assert_eq!(news.trouble.as_deref(), Some(trouble));
}

#[test]
fn polling_asks_the_kernel_for_nothing_and_is_no_trouble() {
    let clock = Arc::new(FakeClock::new(Timestamp::UNIX_EPOCH));
    let names = Names::new(&[]).unwrap();
    let mut watcher = Watcher::start(Path::new("/nowhere"), WatchMode::Poll, names, clock, |_| ());
    watcher.follow(Path::new("/nowhere/HG002"));
    watcher.rewatch();
    assert!(watcher.live.is_none());
    assert_eq!(watcher.trouble(), None);
}

#[test]
fn a_root_that_cannot_be_watched_is_told() {
    let clock = Arc::new(FakeClock::new(Timestamp::UNIX_EPOCH));
    let names = Names::new(&[]).unwrap();
    let watcher = Watcher::start(Path::new("/nowhere"), WatchMode::Auto, names, clock, |_| ());
    let trouble = watcher.trouble().unwrap();
    assert!(trouble.starts_with("/nowhere is not watched: "), "{trouble}");
}
