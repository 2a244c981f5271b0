//! Random lives: schedules drawn from a seed, each life checked at every step. A life in
//! which a law does not hold is told with as little in it as still breaks the law.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use daylily_watch::chance::SeededChance;

use crate::schedule::{Ask, CasePlan, Class, Fate, Happening, Lie, Mishap, Planned, Schedule};
use crate::world::{Lived, live};

/// How many cases share a world.
const CASES: u64 = 20;

/// A number that whoever runs the tests may give.
#[allow(clippy::disallowed_methods, reason = "the Makefile says how long a test is to take")]
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Does each piece of work, as many at a time as there are processors.
pub(crate) fn in_parallel<W: Send, T: Send>(work: Vec<W>, each: impl Fn(W) -> T + Sync) -> Vec<T> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let count = work.len();
    let work: Vec<Mutex<Option<W>>> = work.into_iter().map(|w| Mutex::new(Some(w))).collect();
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(this) = work.get(at) else { break };
                    let this = this.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let result = this.map(&each);
                    *done[at].lock().unwrap_or_else(PoisonError::into_inner) = result;
                }
            });
        }
    });
    done.into_iter()
        .filter_map(|done| done.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

struct Dice(SeededChance);

impl Dice {
    fn below(&self, many: u64) -> u64 {
        self.0.next() % many.max(1)
    }

    fn tenths(&self, most: u32) -> u32 {
        u32::try_from(self.below(most.into())).unwrap_or_default()
    }

    fn case(&self, cases: u64) -> usize {
        usize::try_from(self.below(cases)).unwrap_or_default()
    }

    fn delay(&self) -> u32 {
        match self.below(4) {
            0 => 1 + self.tenths(5),
            1 => 1 + self.tenths(50),
            2 => 1 + self.tenths(600),
            _ => 1 + self.tenths(3_000),
        }
    }

    fn case_plan(&self, span: u32) -> CasePlan {
        let fate = match self.below(20) {
            0..12 => Fate::Exits(0),
            12..15 => Fate::Exits(1 + i32::try_from(self.below(3)).unwrap_or_default()),
            15 => Fate::Vanishes,
            16 | 17 => Fate::LeavesProcesses(1 + self.tenths(100)),
            18 => Fate::RunsForEver,
            _ => Fate::IsDeaf,
        };
        CasePlan {
            arrives: self.tenths(span),
            gpus: u32::try_from(self.below(8)).map_or(0, |n| n.saturating_sub(5)),
            fate,
            runs: 10 * (1 + self.tenths(30)),
            lingers: if self.below(4) == 0 { 10 * self.tenths(20) } else { 0 },
            unheard: self.below(10) == 0,
        }
    }

    fn mishap(&self) -> Mishap {
        let class = match self.below(18) {
            0..6 => Class::Host,
            6..10 => Class::Step,
            10 | 11 => Class::Space,
            12 | 13 => Class::Unclear,
            14 => Class::Person,
            15 => Class::Throttled,
            16 => Class::Case,
            _ => Class::Broken,
        };
        match self.below(16) {
            0..3 => Mishap::Refused(class),
            3..6 => Mishap::Lost,
            6 | 7 => Mishap::Late(self.delay()),
            8 | 9 => Mishap::Slow(self.delay()),
            10 => Mishap::KilledBefore,
            11 => Mishap::KilledAfter,
            12 | 13 => Mishap::KilledAndLate(self.delay()),
            _ => Mishap::Lie(match self.below(5) {
                0 => Lie::Empty,
                1 => Lie::Over,
                2 => Lie::Runs,
                3 => Lie::Blind,
                _ => Lie::Twice,
            }),
        }
    }

    /// Something that happens, and how it ends again where it does.
    fn happening(&self, cases: u64) -> (Happening, Option<Happening>) {
        let case = self.case(cases);
        match self.below(26) {
            0 | 1 => (Happening::Kill, None),
            2 => (Happening::Restart, None),
            3 | 4 => (Happening::HostAway(true), Some(Happening::HostAway(false))),
            5 | 6 => (Happening::QueueAway(true), Some(Happening::QueueAway(false))),
            7 => (Happening::QueueWiped, None),
            8 => (Happening::QueueReset, None),
            9 => (Happening::QueuePaused(true), Some(Happening::QueuePaused(false))),
            10 => (Happening::Reboot, None),
            11 => (Happening::Unmounted(true), Some(Happening::Unmounted(false))),
            12 => (Happening::IntakeAway(true), Some(Happening::IntakeAway(false))),
            13 => (Happening::DiskFull(true), Some(Happening::DiskFull(false))),
            14 => {
                let by = i32::try_from(self.below(7_200)).unwrap_or_default();
                (Happening::ClockStep(by - 3_600), None)
            }
            15 => (Happening::Written(case), None),
            16 => (Happening::Taken(case), Some(Happening::PutBack(case))),
            17 | 18 => (Happening::Asked(case, Ask::Cancel), None),
            19 | 20 => (Happening::Asked(case, Ask::Rerun), None),
            21 => (Happening::Asked(case, Ask::Hold), Some(Happening::Asked(case, Ask::Resume))),
            22 => (Happening::Asked(case, Ask::Resume), None),
            23 => (Happening::Asked(case, Ask::Retry), None),
            24 => (Happening::Asked(case, Ask::Urgent), None),
            _ => (Happening::PauseAll(true), Some(Happening::PauseAll(false))),
        }
    }
}

/// The schedule of a seed: so many cases, and on average one thing that goes wrong for
/// every two of them.
pub(crate) fn drawn(seed: u64, cases: u64) -> Schedule {
    let dice = Dice(SeededChance::new(seed));
    // Some come all at once, some over ten minutes.
    let span = [10, 600, 6_000][dice.case(3)];
    let plans: Vec<CasePlan> = (0..cases).map(|_| dice.case_plan(span)).collect();
    let mut events = Vec::new();
    for _ in 0..dice.below(1 + cases / 4) {
        let (what, then) = dice.happening(cases);
        let at = dice.tenths(span + 1_200);
        events.push(Planned { at, what });
        if let Some(what) = then {
            events.push(Planned { at: at + dice.delay(), what });
        }
    }
    let calls = 30 * cases;
    let mishaps: BTreeMap<u32, Mishap> = (0..dice.below(1 + cases / 2))
        .map(|_| (u32::try_from(dice.below(calls)).unwrap_or_default(), dice.mishap()))
        .collect();
    let kills = (0..dice.below(3)).map(|_| dice.below(120 * cases)).collect();
    Schedule { seed, cases: plans, events, mishaps, kills, ..Schedule::default() }
}

/// Takes out of a schedule what is not needed for its life to break a law.
fn shrunk(schedule: Schedule) -> Schedule {
    let breaks = |schedule: &Schedule| live(schedule, false).verdict.is_err();
    let mut least = schedule;
    loop {
        let before = (least.faults(), least.kills.len(), least.cases.len());
        for at in (0..least.events.len()).rev() {
            let mut less = least.clone();
            less.events.remove(at);
            if breaks(&less) {
                least = less;
            }
        }
        for call in least.mishaps.keys().copied().collect::<Vec<_>>() {
            let mut less = least.clone();
            less.mishaps.remove(&call);
            if breaks(&less) {
                least = less;
            }
        }
        for at in (0..least.kills.len()).rev() {
            let mut less = least.clone();
            less.kills.remove(at);
            if breaks(&less) {
                least = less;
            }
        }
        // The last ones, so that the others keep their numbers.
        while least.cases.len() > 1 {
            let mut less = least.clone();
            less.cases.pop();
            if !breaks(&less) {
                break;
            }
            least = less;
        }
        if before == (least.faults(), least.kills.len(), least.cases.len()) {
            return least;
        }
    }
}

/// What to read when a law does not hold.
pub(crate) fn told(schedule: Schedule) -> String {
    let seed = schedule.seed;
    let least = shrunk(schedule);
    let Lived { verdict, story, .. } = live(&least, true);
    let mut text = format!("seed {seed}: {verdict:?}\n{least:?}\n");
    for line in story {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[test]
#[allow(clippy::print_stderr, reason = "the count is what this shows")]
#[allow(clippy::disallowed_methods, reason = "how long it takes is printed")]
fn many_lives_break_no_law() {
    let wanted = setting("MODEL_LIVES", 100);
    let first = setting("MODEL_SEED", 1);
    let worlds: Vec<u64> = (first..first + wanted.div_ceil(CASES)).collect();
    let begun = std::time::Instant::now();
    let sums = Mutex::new((0, 0, 0, 0));
    let failed = in_parallel(worlds, |seed| {
        let lived = live(&drawn(seed, CASES), false);
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.0 += lived.cases;
        sums.1 += lived.faults;
        sums.2 += lived.deaths;
        sums.3 += lived.points;
        lived.verdict.err().map(|broken| (seed, broken))
    });
    let failed: Vec<(u64, String)> = failed.into_iter().flatten().collect();
    let (cases, faults, deaths, points) = *sums.lock().unwrap_or_else(PoisonError::into_inner);
    let took = begun.elapsed();
    eprintln!(
        "{cases} lives, {faults} faults, {deaths} crashes, {points} crash points passed, \
         {} violations, {:.1} s, {:.2} ms a life",
        failed.len(),
        took.as_secs_f64(),
        took.as_secs_f64() * 1_000.0 / f64::from(u32::try_from(cases).unwrap_or(u32::MAX)),
    );
    for (seed, broken) in failed.iter().take(20) {
        eprintln!("seed {seed}: {broken:.300}");
    }
    if let Some((seed, broken)) = failed.first() {
        panic!("{broken}\n{}", told(drawn(*seed, CASES)));
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "it is for whoever looks into one life")]
fn one_life_is_told() {
    let lived = live(&drawn(setting("MODEL_SEED", 1), setting("MODEL_CASES", 3)), true);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for name in &lived.names {
        *counts.entry(name).or_default() += 1;
    }
    eprintln!("{}\n{counts:#?}\n{:?}", lived.story.join("\n"), lived.verdict);
}
