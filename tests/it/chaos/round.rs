//! Owns one round: a world in which cases arrive while things break by a schedule, until
//! all is whole again and nothing is under way. Then the observer looks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::policy::SlotState;
use daylily_watch::store::read::Reader;
use daylily_watch::store::read::board::BoardRow;
use jiff::Timestamp;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::cases::{self, JOB};
use super::machine::{BootId, Disk, has_own_mounts, may_mount};
use super::observer::{Attempt, Claimed, Evidence, Told, Violation, Word, violations};
use super::schedule::{Fault, Schedule, Step};
use super::strike::clash;
use super::victims;
use crate::dice::Dice;
use crate::system::setup::Setup;
use crate::system::world::{World, now};
use crate::wait;

/// For all to come to rest once nothing breaks any more.
const REST: Duration = Duration::from_secs(180);
/// For somebody to be in the state in which a fault is due.
const MOMENT: Duration = Duration::from_secs(1);
/// For somebody to be there whom a fault can meet, or for old cases to make room for new.
const PATIENCE: Duration = Duration::from_secs(15);
/// So many cases are under way at most when more arrive, so that things break from the
/// first case to the last.
const BACKLOG: u64 = 50;
/// A daemon may end by itself while its database cannot be written, and be seen later.
pub(super) const SEEN_LATER: Duration = Duration::from_secs(10);

/// The places: two with a GPU each, and others.
pub(super) const GPUS: usize = 2;
pub(super) const PLACES: usize = 6;

pub(super) struct Round {
    /// Unmounted before their folders go.
    pub(super) disks: Option<Disks>,
    pub(super) world: World,
    pub(super) dice: Dice,
    schedule: Schedule,
    pub(super) begun: Instant,
    /// What is broken, until when.
    pub(super) broken: Vec<(Fault, Duration)>,
    /// What stands still, by process.
    pub(super) frozen: Vec<i32>,
    /// Until when the database's disk may have been full.
    pub(super) full_until: Duration,
    names: Vec<String>,
    next: usize,
    pub(super) hits: BTreeMap<Fault, usize>,
    pub(super) missed: BTreeMap<Fault, usize>,
    pub(super) evidence: Evidence,
    /// What was done, and when, for whoever looks into a violation.
    story: String,
    ends_of_its_own: usize,
}

pub(super) struct Disks {
    pub(super) boot: BootId,
    pub(super) state: Disk,
    pub(super) results: Disk,
    pub(super) work: Disk,
}

/// What a round came to.
pub(super) struct Outcome {
    pub(super) hits: BTreeMap<Fault, usize>,
    pub(super) missed: BTreeMap<Fault, usize>,
    pub(super) cases: usize,
    pub(super) executions: usize,
    /// Cases that waited for a person when all was at rest, and those that had failed.
    pub(super) held: usize,
    pub(super) failed: usize,
    /// How often the daemon ended by itself, its database's disk being full.
    pub(super) gave_up: usize,
    /// While things broke; until all was at rest; and all of it.
    pub(super) broke: Duration,
    pub(super) rested: Duration,
    pub(super) took: Duration,
    pub(super) violations: Vec<Violation>,
}

pub(super) fn play(schedule: Schedule) -> Outcome {
    in_a_thread(move || Round::make(schedule).run())
}

/// A thread has mounts of its own, and nobody else sees them.
pub(super) fn in_a_thread<T: Send + 'static>(play: impl FnOnce() -> T + Send + 'static) -> T {
    let round = std::thread::spawn(move || {
        if may_mount() {
            has_own_mounts();
        }
        play()
    });
    match round.join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl Round {
    fn make(schedule: Schedule) -> Self {
        let mut headnode = vec![
            "max_transfers: 6".to_owned(),
            "ship_ahead: 4".to_owned(),
            "pueue: {unpause_after_restart: true}".to_owned(),
        ];
        // In every second round all cases go by rsync, slowly enough to be met; in the
        // others small ones go in one question.
        if schedule.seed.is_multiple_of(2) {
            headnode.push("bandwidth: 6MiB/s".to_owned());
        }
        let world = World::new(Setup {
            groups: format!("[{{name: gpu_a, gpus: [0, 1]}}, {{name: default, slots: {PLACES}}}]"),
            headnode,
            lost_after: "3s",
            ..Setup::job(schedule.site, JOB)
        });
        let disks = may_mount().then(|| {
            let disks = Disks {
                boot: BootId::lay(world.path("boot_id")),
                state: Disk::below(&world.path("state"), "64m"),
                results: Disk::below(&world.path("results"), "64m"),
                work: Disk::below(&world.path("work"), "256m"),
            };
            world.ground.give(&world.path("work"));
            disks
        });
        let mut dice = Dice::of(schedule.seed);
        let mut evidence = Evidence::default();
        let names: Vec<String> = (0..schedule.cases).map(|n| format!("case {n:03}")).collect();
        for (number, name) in names.iter().enumerate() {
            let folder = world.path("elsewhere/new").join(name);
            let sum = cases::furnish(&folder, name, number, &mut dice);
            evidence.arrived.insert(name.clone(), sum);
        }
        #[allow(clippy::disallowed_methods, reason = "a schedule needs a clock")]
        let begun = Instant::now();
        Self {
            disks,
            world,
            dice,
            schedule,
            begun,
            broken: Vec::new(),
            frozen: Vec::new(),
            full_until: Duration::ZERO,
            names,
            next: 0,
            hits: BTreeMap::new(),
            missed: BTreeMap::new(),
            evidence,
            story: String::new(),
            ends_of_its_own: 0,
        }
    }

    /// Without anything broken: what the observer says of one case when `tamper` has been
    /// at it.
    pub(super) fn of_one(schedule: Schedule, tamper: impl FnOnce(&World, &str)) -> Vec<Violation> {
        let mut round = Self::make(schedule);
        round.world.start();
        round.arrive(1);
        round.rests();
        round.look();
        assert_eq!(violations(&round.evidence), [], "nothing was done to it yet");
        let attempt = round.world.attempts().remove(0);
        tamper(&round.world, &attempt);
        round.look();
        violations(&round.evidence)
    }

    fn run(mut self) -> Outcome {
        self.world.start();
        for step in self.schedule.steps.clone() {
            self.step(&step);
        }
        for (fault, _) in std::mem::take(&mut self.broken) {
            self.mend(fault);
        }
        let broke = self.begun.elapsed();
        self.rests();
        let rested = self.begun.elapsed() - broke;
        self.look();
        let mut found = violations(&self.evidence);
        let is = |told: &Told, word| told.word == word;
        let count =
            |word: Word| self.evidence.told.values().filter(|t| is(t, word.clone())).count();
        let (held, failed) = (count(Word::Held), count(Word::Failed));
        if found.is_empty() {
            self.a_person_helps();
            self.look();
            self.world.is_lawful();
            self.daemon_goes();
            found.extend(violations(&self.evidence));
        }
        if !found.is_empty() {
            self.keep(&found);
        }
        Outcome {
            hits: self.hits.clone(),
            missed: self.missed.clone(),
            cases: self.schedule.cases,
            executions: self.evidence.runs.len(),
            held,
            failed,
            gave_up: self.ends_of_its_own,
            broke,
            rested,
            took: self.begun.elapsed(),
            violations: found,
        }
    }

    /// Cases arrive, a moment comes, something breaks.
    fn step(&mut self, step: &Step) {
        let hurries = self.schedule.hurries_after.is_some_and(|at| self.begun.elapsed() >= at);
        let unless_late = |limit: Duration| if hurries { Duration::ZERO } else { limit };
        wait::holds(unless_late(PATIENCE), || {
            self.tend();
            self.counts().iter().map(|(_, cases)| cases).sum::<u64>() < BACKLOG
        });
        self.arrive(step.cases);
        wait::holds(unless_late(MOMENT), || {
            self.tend();
            self.counts().iter().any(|(state, _)| *state == step.state)
        });
        wait::holds(step.delay, || false);
        while let Some(at) = self.broken.iter().position(|(other, _)| clash(*other, step.fault)) {
            let (other, until) = self.broken[at];
            wait::holds(until.saturating_sub(self.begun.elapsed()), || false);
            self.broken.remove(at);
            self.tell(other, "is mended");
            self.mend(other);
        }
        let mut met = false;
        wait::holds(PATIENCE, || {
            self.tend();
            met = self.strike(step);
            met
        });
        self.tell(step.fault, if met { "strikes" } else { "meets nobody" });
        let count = if met { &mut self.hits } else { &mut self.missed };
        *count.entry(step.fault).or_default() += 1;
    }

    pub(super) fn tell(&mut self, fault: Fault, what: &str) {
        self.story.push_str(&format!("{} {fault:?} {what}\n", now()));
    }

    fn arrive(&mut self, cases: usize) {
        for name in &self.names[self.next..self.next + cases] {
            let new = self.world.path("elsewhere/new").join(name);
            fs::rename(new, self.world.intake().join(name)).unwrap();
        }
        self.next += cases;
    }

    /// Mends what is due, and starts a daemon that has ended as a service manager does.
    fn tend(&mut self) {
        let now = self.begun.elapsed();
        while let Some(at) = self.broken.iter().position(|(_, until)| *until <= now) {
            let (fault, _) = self.broken.remove(at);
            self.tell(fault, "is mended");
            self.mend(fault);
        }
        let Some(status) = self.world.has_ended() else { return };
        self.ends_of_its_own += 1;
        let full = self.broken.iter().any(|(fault, _)| *fault == Fault::StateFull)
            || self.begun.elapsed() < self.full_until;
        if !full {
            self.evidence.misbehaved.push(format!("the daemon ended by itself: {status}"));
        }
        self.world.spawn();
    }

    /// A database whose disk is full may not be read for a moment.
    fn board(&self) -> Vec<BoardRow> {
        let reader = Reader::open(&self.world.path("state"), env!("CARGO_PKG_VERSION"));
        reader.and_then(|reader| reader.board(100_000)).unwrap_or_default()
    }

    fn counts(&self) -> Vec<(StateName, u64)> {
        let reader = Reader::open(&self.world.path("state"), env!("CARGO_PKG_VERSION"));
        let counts = reader.and_then(|reader| reader.counts()).unwrap_or_default();
        counts.into_iter().map(|count| (count.state, count.cases)).collect()
    }

    /// Waits until every case has come to an end or waits for a person.
    fn rests(&mut self) {
        let all = self.names.len();
        wait::holds(REST, || {
            self.tend();
            let rows = self.board();
            rows.len() == all && rows.iter().all(|row| word(row).is_some())
        });
        wait::holds(REST, || {
            self.tend();
            self.taken().is_empty() && self.left().is_empty()
        });
    }

    fn taken(&self) -> Vec<String> {
        let slots = self.world.reader().slots().unwrap_or_default();
        let taken = slots.into_iter().filter(|slot| slot.view.state != SlotState::Free);
        taken.map(|slot| format!("{slot:?}")).collect()
    }

    /// What is left of jobs: processes and entries of the queue.
    fn left(&self) -> Vec<String> {
        let jobs = victims::jobs(&self.world).into_iter();
        let mut left: Vec<String> =
            jobs.map(|(attempt, pids)| format!("{attempt}: {pids:?}")).collect();
        if self.world.ground.site().has_pueue() {
            let list = self.world.ground.pueued().list();
            let tasks = list["tasks"].as_object().into_iter().flatten();
            left.extend(tasks.map(|(id, task)| format!("entry {id}: {}", task["label"])));
        }
        left
    }

    /// Gathers what is to be seen now.
    fn look(&mut self) {
        let world = &self.world;
        self.evidence.runs = world.runs();
        self.evidence.made = cases::made(&world.path("elsewhere/made"));
        self.evidence.attempts =
            world.attempts().into_iter().map(|id| (id.clone(), attempt(world, &id))).collect();
        let home = |name: &String| Some((name.clone(), cases::home(&world.results_of(name))?));
        self.evidence.home = self.names.iter().filter_map(home).collect();
        let told = |row: BoardRow| {
            let word = word(&row).unwrap_or_else(|| Word::Other(row.state.to_string()));
            (row.name.to_string(), Told { word, because: row.because })
        };
        self.evidence.told = self.board().into_iter().map(told).collect();
        self.evidence.taken = self.taken();
        self.evidence.left = self.left();
        let log = fs::read_to_string(world.path("daemon.log")).unwrap_or_default();
        let panics = log.lines().filter(|line| line.contains("panicked"));
        self.evidence.misbehaved.extend(panics.map(str::to_owned));
    }

    /// What failed or waits for a person is started again by one, until all have succeeded.
    fn a_person_helps(&mut self) {
        for row in self.board() {
            if word(&row) != Some(Word::Succeeded) {
                let said = self.world.ask_with("rerun", row.case.as_str(), serde_json::Map::new());
                assert_eq!(said, "done", "rerun {}", row.name);
            }
        }
        let all = self.names.len();
        wait::holds(REST, || {
            self.tend();
            let rows = self.board();
            rows.len() == all && rows.iter().all(|row| row.state == StateName::Succeeded)
        });
        self.rests();
        let late = self.board().into_iter().filter(|row| row.state != StateName::Succeeded);
        let late =
            late.map(|row| format!("{} did not succeed in the end: {}", row.name, row.because));
        self.evidence.misbehaved.extend(late);
    }

    /// Nothing of it is left on either side.
    fn daemon_goes(&mut self) {
        let status = self.world.terminate(Duration::from_secs(20));
        if !status.success() {
            self.evidence.misbehaved.push(format!("asked to end, it ended with {status}"));
        }
        let running = |round: &Self| {
            let mut pids = victims::on_the_headnode(&round.world);
            pids.extend(victims::masters(&round.world));
            pids.extend(victims::rsyncs(&round.world));
            pids
        };
        wait::holds(wait::LIMIT, || running(self).is_empty());
        self.evidence.left.extend(running(self).into_iter().map(victims::described));
    }

    /// Keeps what tells how it came to that, since the world goes.
    fn keep(&self, found: &[Violation]) {
        let at = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let at = at.join(format!("chaos-{}", self.schedule.seed));
        let said: String = found.iter().map(|found| format!("{found}\n")).collect();
        // A failure is told already, and is no less one without these.
        let _ = fs::remove_dir_all(&at);
        let _ = fs::create_dir_all(&at);
        for file in ["daemon.log", "config.yaml", "elsewhere/runs", "elsewhere/made"] {
            let name = file.rsplit('/').next().unwrap_or(file);
            let _ = fs::copy(self.world.path(file), at.join(name));
        }
        if let Ok(reader) = Reader::open(&self.world.path("state"), env!("CARGO_PKG_VERSION")) {
            let _ = reader.back_up(&at.join("daylily.db"));
        }
        let _ = fs::write(at.join("violations"), said);
        let _ = fs::write(at.join("story"), &self.story);
        let _ = fs::write(at.join("evidence"), format!("{:#?}", self.evidence));
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep(&[]);
        }
        // The world finds its jobs by what lies on a disk that goes before it.
        for (_, pids) in victims::jobs(&self.world) {
            pids.into_iter().for_each(|pid| victims::signal(pid, Signal::SIGKILL));
        }
    }
}

/// None: it is under way.
fn word(row: &BoardRow) -> Option<Word> {
    if row.state == StateName::Succeeded {
        Some(Word::Succeeded)
    } else if row.state == StateName::Failed {
        Some(Word::Failed)
    } else {
        row.hold.is_some().then_some(Word::Held)
    }
}

/// What lies in its directory.
fn attempt(world: &World, id: &str) -> Attempt {
    let at = world.path("work/.daylily-watch").join(id);
    let claimed = match fs::read_to_string(at.join("claim")) {
        Ok(text) if text.starts_with("{\"by\":\"job\"") => Claimed::Job,
        Ok(_) => Claimed::Daemon,
        Err(_) => Claimed::Nobody,
    };
    let read = |file: &str| -> Value {
        let text = fs::read_to_string(at.join(file)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    };
    let (case, end) = (read("case.json"), read("exit.json"));
    let ended = end["ended"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    Attempt {
        case: case["name"].as_str().unwrap_or_default().to_owned(),
        number: case["number"].as_u64().unwrap_or_default(),
        claimed,
        ended_ns: ended.and_then(|at| u128::try_from(at.as_nanosecond()).ok()),
    }
}
