//! Owns which faults a round has, in which order, and when each is due: all of it from a
//! seed. What they meet is chance, for the machine runs on as it likes: a seed brings
//! back the schedule, not the interleaving.

use daylily_lifecycle::case::StateName;
use std::time::Duration;

use crate::dice::Dice;
use crate::system::site::Site;

/// Something that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    DaemonKilled,
    DaemonFrozen,
    /// An ssh master on this side.
    MasterKilled,
    MasterFrozen,
    /// One of either side.
    RsyncKilled,
    /// A script that runs on the headnode.
    SessionKilled,
    /// Every connection is dropped; the sshd listens on.
    LinesCut,
    /// The sshd is switched off, with what runs in its sessions, and comes back.
    SshdStopped,
    SshdFrozen,
    PueuedKilled,
    PueuedFrozen,
    /// Killed, and its state is gone when it comes back.
    PueuedEmptied,
    /// All processes of a job, `job.sh` with them: nobody writes an end.
    JobKilled,
    JobFrozen,
    /// What a job's command runs, and not `job.sh`: the end is written.
    CommandKilled,
    /// All that runs on the headnode is gone, and it comes back with another boot id.
    Rebooted,
    /// Where the database is.
    StateFull,
    ResultsFull,
    /// The work_dir's disk.
    WorkFull,
}

impl Fault {
    pub(crate) const ALL: [Self; 19] = [
        Self::DaemonKilled,
        Self::DaemonFrozen,
        Self::MasterKilled,
        Self::MasterFrozen,
        Self::RsyncKilled,
        Self::SessionKilled,
        Self::LinesCut,
        Self::SshdStopped,
        Self::SshdFrozen,
        Self::PueuedKilled,
        Self::PueuedFrozen,
        Self::PueuedEmptied,
        Self::JobKilled,
        Self::JobFrozen,
        Self::CommandKilled,
        Self::Rebooted,
        Self::StateFull,
        Self::ResultsFull,
        Self::WorkFull,
    ];

    pub(crate) const FROZEN: [Self; 5] = [
        Self::DaemonFrozen,
        Self::MasterFrozen,
        Self::SshdFrozen,
        Self::PueuedFrozen,
        Self::JobFrozen,
    ];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::DaemonKilled => "daemon killed",
            Self::DaemonFrozen => "daemon frozen",
            Self::MasterKilled => "ssh master killed",
            Self::MasterFrozen => "ssh master frozen",
            Self::RsyncKilled => "rsync killed",
            Self::SessionKilled => "session killed",
            Self::LinesCut => "connections cut",
            Self::SshdStopped => "sshd stopped",
            Self::SshdFrozen => "sshd frozen",
            Self::PueuedKilled => "pueued killed",
            Self::PueuedFrozen => "pueued frozen",
            Self::PueuedEmptied => "pueued emptied",
            Self::JobKilled => "job tree killed",
            Self::JobFrozen => "job tree frozen",
            Self::CommandKilled => "command killed",
            Self::Rebooted => "headnode rebooted",
            Self::StateFull => "database's disk full",
            Self::ResultsFull => "results' disk full",
            Self::WorkFull => "headnode's disk full",
        }
    }

    fn needs_pueue(self) -> bool {
        matches!(self, Self::PueuedKilled | Self::PueuedFrozen | Self::PueuedEmptied)
    }

    /// Whether it needs mounts of its own, for which one has to be root.
    fn needs_mounts(self) -> bool {
        matches!(self, Self::Rebooted | Self::StateFull | Self::ResultsFull | Self::WorkFull)
    }

    /// For how long what is away stays away, in ms.
    fn lasts(self, dice: &mut Dice) -> u64 {
        match self {
            // Most are started again at once, as a service is.
            Self::DaemonKilled => [0, 0, 0, 200, 1000][below(dice, 5)],
            Self::DaemonFrozen | Self::PueuedFrozen | Self::JobFrozen => 300 + dice.roll(3000),
            Self::SshdFrozen | Self::SshdStopped | Self::MasterFrozen => 300 + dice.roll(4000),
            Self::PueuedKilled | Self::PueuedEmptied | Self::Rebooted => dice.roll(1500),
            Self::StateFull => 200 + dice.roll(1000),
            Self::ResultsFull | Self::WorkFull => 300 + dice.roll(2000),
            Self::MasterKilled
            | Self::RsyncKilled
            | Self::SessionKilled
            | Self::LinesCut
            | Self::JobKilled
            | Self::CommandKilled => 0,
        }
    }
}

/// One fault and what goes before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// So many cases arrive first.
    pub(crate) cases: usize,
    /// It is due when some case is in this state,
    pub(crate) state: StateName,
    /// and so much later.
    pub(crate) delay: Duration,
    pub(crate) fault: Fault,
    pub(crate) lasts: Duration,
    /// Chooses among those that it can meet.
    pub(crate) victim: u64,
}

/// How a round is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) site: Site,
    pub(crate) cases: usize,
    pub(crate) steps: Vec<Step>,
    /// From then on no step waits for its moment, where somebody waits for the round.
    pub(crate) hurries_after: Option<Duration>,
}

/// What one round shows in CI: 200 cases, 20 kills of the daemon, 5 of pueued, 5 cuts of
/// sshd, 5 freezes, and some of everything else.
const SHOWN: [(Fault, usize); 19] = [
    (Fault::DaemonKilled, 20),
    (Fault::DaemonFrozen, 1),
    (Fault::MasterKilled, 2),
    (Fault::MasterFrozen, 1),
    (Fault::RsyncKilled, 2),
    (Fault::SessionKilled, 2),
    (Fault::LinesCut, 5),
    (Fault::SshdStopped, 1),
    (Fault::SshdFrozen, 1),
    (Fault::PueuedKilled, 5),
    (Fault::PueuedFrozen, 1),
    (Fault::PueuedEmptied, 1),
    (Fault::JobKilled, 2),
    (Fault::JobFrozen, 1),
    (Fault::CommandKilled, 2),
    (Fault::Rebooted, 1),
    (Fault::StateFull, 1),
    (Fault::ResultsFull, 1),
    (Fault::WorkFull, 1),
];

impl Schedule {
    pub(crate) fn shown(seed: u64, may_mount: bool) -> Self {
        let faults = SHOWN.iter().flat_map(|&(fault, times)| vec![fault; times]);
        let faults = faults.collect();
        let made = Self::make(Dice::of(seed), seed, Site::SshPueue, 200, faults, may_mount);
        Self { hurries_after: Some(Duration::from_secs(80)), ..made }
    }

    /// A round of a soak: other numbers each time, with a queue and without.
    pub(crate) fn soaked(seed: u64, may_mount: bool) -> Self {
        let mut dice = Dice::of(seed);
        let site = *dice.pick(&[Site::SshPueue, Site::SshPueue, Site::SshDirect]);
        let cases = 60 + below(&mut dice, 140);
        let faults = (0..20 + dice.roll(60)).map(|_| *dice.pick(&Fault::ALL)).collect();
        let mut made = Self::make(dice.clone(), seed, site, cases, faults, may_mount);
        // Some last longer than anybody waits for an answer.
        for step in made.steps.iter_mut().filter(|_| dice.roll(12) == 0) {
            step.lasts *= 10;
        }
        made
    }

    /// One case and no faults.
    pub(crate) fn quiet(seed: u64) -> Self {
        Self { seed, site: Site::SshPueue, cases: 1, steps: Vec::new(), hurries_after: None }
    }

    /// The same with its first steps alone.
    pub(crate) fn shorten(&mut self, steps: usize) {
        self.steps.truncate(steps);
        self.cases = self.steps.iter().map(|step| step.cases).sum();
    }

    fn make(
        mut dice: Dice,
        seed: u64,
        site: Site,
        cases: usize,
        mut faults: Vec<Fault>,
        may_mount: bool,
    ) -> Self {
        faults.retain(|fault| may_mount || !fault.needs_mounts());
        faults.retain(|fault| site.has_pueue() || !fault.needs_pueue());
        dice.shuffle(&mut faults);
        let mut left = cases;
        let count = faults.len();
        let step = |(at, fault): (usize, Fault)| {
            let share = left / (count - at);
            let cases = if at + 1 == count { left } else { share };
            left -= cases;
            Step {
                cases,
                state: state(fault, &mut dice),
                delay: Duration::from_millis(dice.roll(40)),
                fault,
                lasts: Duration::from_millis(fault.lasts(&mut dice)),
                victim: dice.roll(u64::MAX),
            }
        };
        let steps = faults.into_iter().enumerate().map(step).collect();
        Self { seed, site, cases, steps, hurries_after: None }
    }
}

/// In which state somebody is when it happens.
fn state(fault: Fault, dice: &mut Dice) -> StateName {
    const ANY: [StateName; 7] = [
        StateName::Arriving,
        StateName::Ready,
        StateName::Shipping,
        StateName::Staged,
        StateName::Submitting,
        StateName::Running,
        StateName::Returning,
    ];
    match fault {
        Fault::RsyncKilled => *dice.pick(&[StateName::Shipping, StateName::Returning]),
        Fault::JobKilled | Fault::JobFrozen | Fault::CommandKilled | Fault::Rebooted => {
            StateName::Running
        }
        Fault::PueuedKilled | Fault::PueuedFrozen | Fault::PueuedEmptied => {
            *dice.pick(&[StateName::Submitting, StateName::Queued, StateName::Running])
        }
        Fault::DaemonKilled
        | Fault::DaemonFrozen
        | Fault::MasterKilled
        | Fault::MasterFrozen
        | Fault::SessionKilled
        | Fault::LinesCut
        | Fault::SshdStopped
        | Fault::SshdFrozen
        | Fault::StateFull
        | Fault::ResultsFull
        | Fault::WorkFull => *dice.pick(&ANY),
    }
}

fn below(dice: &mut Dice, sides: u64) -> usize {
    usize::try_from(dice.roll(sides)).expect("it is small")
}

#[test]
fn a_seed_brings_the_same_schedule_back_and_another_one_another() {
    for of in [Schedule::shown, Schedule::soaked] {
        assert_eq!(of(7, true), of(7, true));
        assert_ne!(of(7, true).steps, of(8, true).steps);
    }
}

#[test]
fn a_round_has_the_faults_that_were_promised() {
    let round = Schedule::shown(1, false);
    let times = |of: &[Fault]| round.steps.iter().filter(|step| of.contains(&step.fault)).count();
    assert_eq!(round.steps.iter().map(|step| step.cases).sum::<usize>(), 200);
    assert_eq!(times(&[Fault::DaemonKilled]), 20);
    assert_eq!(times(&[Fault::PueuedKilled]), 5);
    assert_eq!(times(&[Fault::LinesCut]), 5);
    assert_eq!(times(&Fault::FROZEN), 5);
    assert_eq!(times(&[Fault::Rebooted, Fault::WorkFull]), 0, "nobody may mount");
    let all = Schedule::shown(1, true).steps;
    assert!(Fault::ALL.iter().all(|fault| all.iter().any(|step| step.fault == *fault)));
}
