//! Owns one round: a world in which cases arrive while things break by a schedule, until
//! all is whole again and nothing is under way. Then the observer looks.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::policy::SlotState;
use daylily_watch::store::read::Reader;
use daylily_watch::store::read::board::BoardRow;

use super::cases::{self, JOB};
use super::machine::{BootId, Disk, has_own_mounts, may_mount};
use super::observer::{Attempt, Claimed, Evidence, Told, Violation, Word, violations};
use super::schedule::{Fault, Schedule, Step};
use super::victims;
use crate::dice::Dice;
use crate::system::setup::Setup;
use crate::system::world::{World, now};
use crate::wait;

/// For all to come to rest once nothing breaks any more.
const REST: Duration = Duration::from_secs(180);
/// For somebody to be in the state in which a fault is due, or to be met by it.
const MOMENT: Duration = Duration::from_secs(3);

/// The places: two with a GPU each, and others.
const GPUS: usize = 2;
const PLACES: usize = 6;

pub(super) struct Round {
    /// Unmounted before their folders go.
    disks: Option<Disks>,
    pub(super) world: World,
    dice: Dice,
    schedule: Schedule,
    begun: Instant,
    /// What is broken, until when.
    broken: Vec<(Fault, Duration)>,
    names: Vec<String>,
    next: usize,
    pub(super) hits: BTreeMap<Fault, usize>,
    pub(super) missed: BTreeMap<Fault, usize>,
    evidence: Evidence,
    ends_of_its_own: usize,
}

struct Disks {
    boot: BootId,
    state: Disk,
    results: Disk,
    work: Disk,
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
    /// While things broke; until all was at rest; and all of it.
    pub(super) broke: Duration,
    pub(super) rested: Duration,
    pub(super) took: Duration,
    pub(super) violations: Vec<Violation>,
}

/// Plays a round in a thread of its own, whose mounts are its own too.
pub(super) fn play(schedule: Schedule) -> Outcome {
    let round = std::thread::spawn(move || {
        if may_mount() {
            has_own_mounts();
        }
        Round::make(schedule).run()
    });
    match round.join() {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl Round {
    fn make(schedule: Schedule) -> Self {
        let world = World::new(Setup {
            groups: format!("[{{name: gpu_a, gpus: [0, 1]}}, {{name: default, slots: {PLACES}}}]"),
            headnode: vec![
                "bandwidth: 8MiB/s".to_owned(),
                "pueue: {unpause_after_restart: true}".to_owned(),
            ],
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
            names,
            next: 0,
            hits: BTreeMap::new(),
            missed: BTreeMap::new(),
            evidence,
            ends_of_its_own: 0,
        }
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
            broke,
            rested,
            took: self.begun.elapsed(),
            violations: found,
        }
    }

    /// Cases arrive, a moment comes, something breaks.
    fn step(&mut self, step: &Step) {
        for name in &self.names[self.next..self.next + step.cases] {
            let new = self.world.path("elsewhere/new").join(name);
            fs::rename(new, self.world.intake().join(name)).unwrap();
        }
        self.next += step.cases;
        wait::holds(MOMENT, || {
            self.tend();
            self.counts().iter().any(|(state, _)| *state == step.state)
        });
        wait::holds(step.delay, || false);
        while let Some(at) = self.broken.iter().position(|(other, _)| clash(*other, step.fault)) {
            let (other, until) = self.broken[at];
            wait::holds(until.saturating_sub(self.begun.elapsed()), || false);
            self.broken.remove(at);
            self.mend(other);
        }
        let mut met = false;
        wait::holds(MOMENT, || {
            self.tend();
            met = self.strike(step);
            met
        });
        let count = if met { &mut self.hits } else { &mut self.missed };
        *count.entry(step.fault).or_default() += 1;
    }

    /// Mends what is due, and starts a daemon that has ended as a service manager does.
    fn tend(&mut self) {
        let now = self.begun.elapsed();
        while let Some(at) = self.broken.iter().position(|(_, until)| *until <= now) {
            let (fault, _) = self.broken.remove(at);
            self.mend(fault);
        }
        let Some(status) = self.world.has_ended() else { return };
        self.ends_of_its_own += 1;
        let full = self.hits.contains_key(&Fault::StateFull)
            || self.broken.iter().any(|(fault, _)| *fault == Fault::StateFull);
        if !full {
            self.evidence.misbehaved.push(format!("the daemon ended by itself: {status}"));
        }
        self.world.spawn();
    }

    /// False: there is nobody whom it could meet.
    fn strike(&mut self, step: &Step) -> bool {
        let pick = |sides: usize| {
            let sides = u64::try_from(sides).expect("it is small");
            usize::try_from(step.victim % sides).expect("it is small")
        };
        match step.fault {
            Fault::DaemonKilled => self.world.kill(),
            Fault::DaemonFrozen => self.world.signal(nix::sys::signal::Signal::SIGSTOP),
            Fault::MasterKilled | Fault::RsyncKilled | Fault::SessionKilled => {
                let found = match step.fault {
                    Fault::MasterKilled => victims::masters(&self.world),
                    Fault::RsyncKilled => victims::rsyncs(&self.world),
                    _ => victims::sessions(&self.world),
                };
                if found.is_empty() {
                    return false;
                }
                victims::kill_9(found[pick(found.len())].try_into().expect("a process id"));
            }
            Fault::LinesCut => self.world.ground.sshd().cut(),
            Fault::SshdStopped => self.world.ground.sshd_mut().stop(),
            Fault::SshdFrozen => self.world.ground.sshd().freeze(),
            Fault::PueuedKilled => self.world.ground.pueued_mut().kill_9(),
            Fault::PueuedFrozen => self.world.ground.pueued().freeze(),
            Fault::PueuedEmptied => {
                self.world.ground.pueued_mut().kill_9();
                self.world.ground.pueued().empty_state();
            }
            Fault::JobKilled | Fault::CommandKilled => return self.kill_job(step, pick),
            Fault::Rebooted => self.power_fails(),
            Fault::StateFull => self.disks().state.fill(),
            Fault::ResultsFull => self.disks().results.fill(),
            Fault::WorkFull => self.disks().work.fill(),
        }
        self.broken.push((step.fault, self.begun.elapsed() + step.lasts));
        true
    }

    fn kill_job(&mut self, step: &Step, pick: impl Fn(usize) -> usize) -> bool {
        let mut jobs = victims::jobs(&self.world);
        let all = step.fault == Fault::JobKilled;
        let met = |pids: &[i32]| if all { pids.to_vec() } else { victims::command_of(pids) };
        jobs.retain(|(_, pids)| !met(pids).is_empty());
        if jobs.is_empty() {
            return false;
        }
        let (attempt, pids) = jobs.swap_remove(pick(jobs.len()));
        if all {
            victims::kill_all("the job is gone", || {
                let jobs = victims::jobs(&self.world).into_iter();
                jobs.filter(|(id, _)| *id == attempt).flat_map(|(_, pids)| pids).collect()
            });
        } else {
            met(&pids).into_iter().for_each(victims::kill_9);
        }
        self.evidence.killed.insert(attempt, now_ns());
        true
    }

    /// All that runs on the headnode is gone at once.
    fn power_fails(&mut self) {
        self.world.ground.sshd().freeze();
        let mut attempts: Vec<String> =
            victims::jobs(&self.world).into_iter().map(|(attempt, _)| attempt).collect();
        if self.world.ground.site().has_pueue() {
            self.world.ground.pueued_mut().kill_9();
        }
        self.world.ground.sshd_mut().stop();
        victims::kill_all("nothing runs on the headnode", || {
            attempts.extend(victims::jobs(&self.world).into_iter().map(|(attempt, _)| attempt));
            let pids = victims::on_the_headnode(&self.world);
            pids.into_iter().filter_map(|pid| i32::try_from(pid).ok()).collect()
        });
        let at = now_ns();
        self.evidence.killed.extend(attempts.into_iter().map(|attempt| (attempt, at)));
        let mut dice = self.dice.clone();
        self.disks().boot.change(&mut dice);
        self.dice = dice;
    }

    /// What was broken is whole again.
    fn mend(&mut self, fault: Fault) {
        use nix::sys::signal::Signal::SIGCONT;
        match fault {
            Fault::DaemonKilled => {
                if !self.world.is_started() {
                    self.world.spawn();
                }
            }
            Fault::DaemonFrozen => self.world.signal(SIGCONT),
            Fault::SshdStopped => self.world.ground.sshd_mut().start_again(),
            Fault::SshdFrozen => self.world.ground.sshd().thaw(),
            Fault::PueuedKilled | Fault::PueuedEmptied => self.pueued_starts(),
            Fault::PueuedFrozen => self.world.ground.pueued().thaw(),
            Fault::Rebooted => {
                self.world.ground.sshd_mut().start_again();
                if self.world.ground.site().has_pueue() {
                    self.pueued_starts();
                }
            }
            Fault::StateFull => self.disks().state.empty(),
            Fault::ResultsFull => self.disks().results.empty(),
            Fault::WorkFull => self.disks().work.empty(),
            Fault::MasterKilled
            | Fault::RsyncKilled
            | Fault::SessionKilled
            | Fault::LinesCut
            | Fault::JobKilled
            | Fault::CommandKilled => {}
        }
    }

    /// It may have lost its groups and their places, which a person makes anew.
    fn pueued_starts(&mut self) {
        self.world.ground.pueued_mut().start_again();
        let pueued = self.world.ground.pueued();
        let gpus = GPUS.to_string();
        pueued.cli(&["group", "add", "--parallel", &gpus, "gpu_a"]);
        pueued.must(&["parallel", "--group", "gpu_a", &gpus]);
        pueued.must(&["parallel", "--group", "default", &PLACES.to_string()]);
    }

    fn disks(&self) -> &Disks {
        self.disks.as_ref().expect("nothing of it is in the schedule without mounts")
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
        if self.evidence.misbehaved.is_empty() && self.evidence.taken.is_empty() {
            world.is_lawful();
        }
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
        let at = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let at = at.join(format!("chaos-{}", self.schedule.seed));
        let _ = fs::remove_dir_all(&at);
        fs::create_dir_all(&at).unwrap();
        for file in ["daemon.log", "config.yaml", "elsewhere/runs", "elsewhere/made"] {
            let name = std::path::Path::new(file).file_name().unwrap();
            let _ = fs::copy(self.world.path(file), at.join(name));
        }
        if let Ok(reader) = Reader::open(&self.world.path("state"), env!("CARGO_PKG_VERSION")) {
            let _ = reader.back_up(&at.join("daylily.db"));
        }
        let text: String = found.iter().map(|found| format!("{found}\n")).collect();
        fs::write(at.join("violations"), text).unwrap();
        fs::write(at.join("evidence"), format!("{:#?}", self.evidence)).unwrap();
    }
}

/// None: it is under way.
fn word(row: &BoardRow) -> Option<Word> {
    match row.state {
        StateName::Succeeded => Some(Word::Succeeded),
        StateName::Failed => Some(Word::Failed),
        _ if row.hold.is_some() => Some(Word::Held),
        _ => None,
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
    let case = fs::read_to_string(at.join("case.json")).unwrap_or_default();
    let case: serde_json::Value = serde_json::from_str(&case).unwrap_or_default();
    Attempt {
        case: case["name"].as_str().unwrap_or_default().to_owned(),
        number: case["number"].as_u64().unwrap_or_default(),
        claimed,
    }
}

/// Whether one cannot begin before the other is mended.
fn clash(one: Fault, other: Fault) -> bool {
    let part = |fault: Fault| match fault {
        Fault::DaemonKilled | Fault::DaemonFrozen => 1_u8,
        Fault::LinesCut | Fault::SshdStopped | Fault::SshdFrozen | Fault::SessionKilled => 2,
        Fault::PueuedKilled | Fault::PueuedFrozen | Fault::PueuedEmptied => 4,
        Fault::Rebooted => 2 + 4,
        Fault::StateFull => 8,
        Fault::ResultsFull => 16,
        Fault::WorkFull => 32,
        Fault::MasterKilled | Fault::RsyncKilled | Fault::JobKilled | Fault::CommandKilled => 0,
    };
    part(one) & part(other) != 0
}

fn now_ns() -> u128 {
    u128::try_from(now().as_nanosecond()).expect("it is after 1970")
}
