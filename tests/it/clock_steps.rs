//! The wall clock is set by an hour, forwards and backwards, under a daemon with real
//! folders, files and processes: nothing fails, nothing is lost, nothing runs twice.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use daylily_lifecycle::case::{Case, StateName};
use daylily_lifecycle::ids::{AttemptId, CaseName, IntakeName};
use daylily_watch::app;
use daylily_watch::clock::{Clock, SystemClock};
use daylily_watch::config;
use daylily_watch::reconcile::Context;
use daylily_watch::reconcile::driver::{Driver, Until};
use daylily_watch::store::Store;
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_util::sync::CancellationToken;

use crate::stage::carriers;
use crate::wait::{LIMIT, until_seen};

/// The machine's clock, set by so many hours.
#[derive(Default)]
struct Wrong(AtomicI64);

impl Wrong {
    fn set(&self, hours: i64) {
        self.0.store(hours, Ordering::Relaxed);
    }
}

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        let wrong = SignedDuration::from_hours(self.0.load(Ordering::Relaxed));
        SystemClock.now().checked_add(wrong).expect("it is not the end of time")
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

const CONFIG: &str = "
intakes: [{name: new, path: ./new, settle: {quiet: 1s}, rescan: 1s, existing: process}]
headnodes: [{name: here, host: local, work_dir: ./work, path: [], groups: [{name: default, slots: 4}]}]
pipelines:
  default:
    env: {HERE: DIR}
    command: |
      echo \"$DAYLILY_ATTEMPT\" >>\"$HERE/runs\"
      case $DAYLILY_CASE in long*) until [ -e \"$HERE/go\" ]; do sleep 0.05; done ;; esac
poll: {min: 100ms, max: 1s}
retry: {first: 500ms, most: 2s, for: 12h}
lost_after: 30m
";

struct Laboratory {
    dir: tempfile::TempDir,
    clock: Arc<Wrong>,
    store: Store,
}

impl Laboratory {
    fn offer(&self, name: &str) {
        let making = self.dir.path().join(name);
        fs::create_dir(&making).expect("it is new");
        fs::write(making.join("input"), name).expect("there is room");
        fs::rename(making, self.dir.path().join("new").join(name)).expect("it is new");
    }

    async fn case(&self, name: &'static str) -> Option<Case> {
        let (intake, name) = (IntakeName::new("new"), CaseName::new(name));
        let found = self.store.read(move |reader| reader.find(&intake, &name)).await;
        found.expect("it can be read")
    }

    async fn until(&self, name: &'static str, state: StateName) {
        let what = format!("{name} is {state}");
        until_seen(&what, LIMIT, || async {
            self.case(name).await.is_some_and(|case| case.state.name() == state)
        })
        .await;
    }

    async fn attempt(&self, name: &'static str) -> AttemptId {
        let case = self.case(name).await.expect("it is there");
        case.attempt().expect("it has one").id.clone()
    }

    fn runs(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("runs")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Runs a daemon whose clock the test sets.
async fn with_a_daemon(test: impl AsyncFnOnce(&Laboratory)) {
    let dir = tempfile::tempdir().expect("a folder");
    let text = CONFIG.replace("DIR", &dir.path().display().to_string());
    fs::write(dir.path().join("config.yaml"), text).expect("there is room");
    fs::create_dir(dir.path().join("new")).expect("there is room");
    let settings = config::load(&dir.path().join("config.yaml")).expect("it is valid");
    let context = app::assemble(settings).await.expect("it can be put together");
    let clock = Arc::new(Wrong::default());
    let context = Context { clock: clock.clone(), ..context };
    let laboratory = Laboratory { dir, clock, store: context.store.clone() };
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let daemon = async move {
        let driver = Driver::new(context).expect("it can be made");
        Box::pin(driver.run(Until::Stopped, stopping)).await.expect("the database is whole")
    };
    let tested = async {
        test(&laboratory).await;
        stop.cancel();
    };
    tokio::join!(daemon, tested);
}

fn end_without_a_trace(attempt: &AttemptId) {
    for pid in carriers(attempt) {
        let pid = Pid::from_raw(i32::try_from(pid).expect("a pid"));
        let _ = kill(pid, Signal::SIGKILL);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_by_an_hour_both_ways_fails_nothing_and_runs_nothing_twice() {
    with_a_daemon(async |laboratory: &Laboratory| {
        laboratory.offer("long");
        laboratory.until("long", StateName::Running).await;
        for (hours, arriving) in [(1, "forwards"), (-1, "backwards"), (0, "right again")] {
            laboratory.offer(arriving);
            laboratory.until(arriving, StateName::Arriving).await;
            laboratory.clock.set(hours);
            laboratory.until(arriving, StateName::Succeeded).await;
            laboratory.until("long", StateName::Running).await;
        }
        fs::write(laboratory.dir.path().join("go"), "").expect("there is room");
        laboratory.until("long", StateName::Succeeded).await;
        let mut runs = laboratory.runs();
        runs.sort();
        let all = runs.len();
        runs.dedup();
        assert_eq!((runs.len(), all), (4, 4));
        let slots = laboratory.store.read(|reader| reader.slots()).await.expect("it can be read");
        assert!(slots.iter().all(|slot| slot.holder.is_none()), "{slots:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_never_passed_makes_no_job_lost() {
    with_a_daemon(async |laboratory: &Laboratory| {
        laboratory.offer("long");
        laboratory.until("long", StateName::Running).await;
        let attempt = laboratory.attempt("long").await;
        end_without_a_trace(&attempt);
        until_seen("the silence is noticed", LIMIT, || async {
            laboratory
                .case("long")
                .await
                .is_some_and(|case| case.attempt().is_some_and(|attempt| attempt.silence.is_some()))
        })
        .await;
        laboratory.clock.set(1);
        // A new case goes all the way: the daemon goes round and round meanwhile.
        laboratory.offer("other");
        laboratory.until("other", StateName::Succeeded).await;
        laboratory.offer("another");
        laboratory.until("another", StateName::Succeeded).await;
        let case = laboratory.case("long").await.expect("it is there");
        assert_eq!(case.state.name(), StateName::Running);
        assert_eq!(case.hold, None, "30 minutes have not passed");
        let tenure = &case.attempt().expect("it has one").tenure;
        assert_eq!(tenure.slots().len(), 1, "it keeps its place");
    })
    .await;
}
