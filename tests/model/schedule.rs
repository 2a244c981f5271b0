//! Owns what is decided before a life begins: which folders arrive, what their jobs do,
//! what people ask, and everything that goes wrong and when. Two lives of one schedule
//! are the same.

use std::collections::BTreeMap;
use std::fmt;

use daylily_watch::adapters::host::fake::Without;

#[derive(Debug, Clone, Default)]
pub(crate) struct Schedule {
    /// Of the ids that are drawn.
    pub(crate) seed: u64,
    pub(crate) cases: Vec<CasePlan>,
    pub(crate) events: Vec<Planned>,
    /// By the number of the call out of the daemon, counted over all its lives.
    pub(crate) mishaps: BTreeMap<u32, Mishap>,
    /// By the name of the call, in the order in which calls of one name are to be hit.
    pub(crate) strikes: Vec<Strike>,
    /// The crash points at which the daemon is killed, counted over all its lives.
    pub(crate) kills: Vec<u64>,
    pub(crate) without: Without,
    /// How often a daemon on a copy of the database is started beside the first.
    pub(crate) copies: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CasePlan {
    /// In tenths of a second.
    pub(crate) arrives: u32,
    pub(crate) gpus: u32,
    pub(crate) fate: Fate,
    /// How long its job runs, in tenths of a second.
    pub(crate) runs: u32,
    /// How long it waits in the queue although there is room.
    pub(crate) lingers: u32,
    /// Nobody tells of its arrival; it is found by looking.
    pub(crate) unheard: bool,
}

/// What becomes of a job whose command is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Exits(i32),
    /// It leaves neither a record nor a process.
    Vanishes,
    /// It leaves processes behind for so many seconds.
    LeavesProcesses(u32),
    /// Until somebody ends it.
    RunsForEver,
    /// And SIGTERM does not end it.
    IsDeaf,
}

/// What happens at a time, in tenths of a second from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) at: u32,
    pub(crate) what: Happening,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    Kill,
    /// The daemon is told to stop, and is started again.
    Restart,
    HostAway(bool),
    QueueAway(bool),
    QueueWiped,
    /// As `pueue reset`: all of it is gone, and its jobs are ended.
    QueueReset,
    QueuePaused(bool),
    Reboot,
    /// work_dir is not mounted.
    Unmounted(bool),
    IntakeAway(bool),
    DiskFull(bool),
    ClockStep(i32),
    Written(usize),
    Taken(usize),
    PutBack(usize),
    Asked(usize, Ask),
    PauseAll(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Cancel,
    Rerun,
    Hold,
    Resume,
    Retry,
    Urgent,
}

/// What goes wrong with the next call of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) what: String,
    /// Not before a call of this name.
    pub(crate) after: Option<String>,
    pub(crate) mishap: Mishap,
}

/// What goes wrong with one call out of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// Nothing is done.
    Refused(Class),
    /// It is done, and the answer is lost.
    Lost,
    /// It is done so much later, in tenths of a second, even if nobody waits any more.
    Late(u32),
    /// It is done at once, and the answer comes so much later.
    Slow(u32),
    /// The daemon is killed before it.
    KilledBefore,
    /// The daemon is killed after it, before the answer.
    KilledAfter,
    /// The daemon is killed, and it is done so much later.
    KilledAndLate(u32),
    /// What is answered is not so.
    Lie(Lie),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Host,
    Step,
    Space,
    Unclear,
    Person,
    Broken,
    Throttled,
    Case,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// The queue has nothing of ours.
    Empty,
    /// What runs is over; what waits cannot be started.
    Over,
    /// What waits runs.
    Runs,
    /// No directory can be read.
    Blind,
    /// It was not done once but twice, and the answer is that of the first time.
    Twice,
}

impl CasePlan {
    pub(crate) const PLAIN: Self =
        Self { arrives: 10, gpus: 0, fate: Fate::Exits(0), runs: 50, lingers: 0, unheard: false };
}

impl Schedule {
    pub(crate) fn of(cases: Vec<CasePlan>) -> Self {
        Self { cases, ..Self::default() }
    }

    pub(crate) fn faults(&self) -> usize {
        self.mishaps.len() + self.strikes.len() + self.events.len()
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = |case: &usize| name(*case);
        match self {
            Self::Kill => f.write_str("the daemon is killed"),
            Self::Restart => f.write_str("the daemon is stopped and started"),
            Self::HostAway(true) => f.write_str("the headnode is away"),
            Self::HostAway(false) => f.write_str("the headnode is back"),
            Self::QueueAway(true) => f.write_str("the queue does not answer"),
            Self::QueueAway(false) => f.write_str("the queue answers again"),
            Self::QueueWiped => f.write_str("the queue forgets all it had"),
            Self::QueueReset => f.write_str("the queue is reset and ends its jobs"),
            Self::QueuePaused(true) => f.write_str("somebody pauses the queue"),
            Self::QueuePaused(false) => f.write_str("somebody starts the queue again"),
            Self::Reboot => f.write_str("the headnode is rebooted"),
            Self::Unmounted(true) => f.write_str("work_dir is not mounted any more"),
            Self::Unmounted(false) => f.write_str("work_dir is mounted again"),
            Self::IntakeAway(true) => f.write_str("the intake cannot be read"),
            Self::IntakeAway(false) => f.write_str("the intake can be read again"),
            Self::DiskFull(true) => f.write_str("the headnode's disk is full"),
            Self::DiskFull(false) => f.write_str("there is room on the headnode's disk again"),
            Self::ClockStep(by) => write!(f, "the wall clock is set {by} s on"),
            Self::Written(case) => write!(f, "somebody writes into {}", folder(case)),
            Self::Taken(case) => write!(f, "folder {} is taken away", folder(case)),
            Self::PutBack(case) => write!(f, "folder {} is put back", folder(case)),
            Self::Asked(case, ask) => write!(f, "anna asks: {} {}", ask.verb(), folder(case)),
            Self::PauseAll(true) => f.write_str("anna asks: pause --all"),
            Self::PauseAll(false) => f.write_str("anna asks: resume --all"),
        }
    }
}

impl Ask {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Rerun => "rerun",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Urgent => "priority",
        }
    }
}

/// What the folder of a case is called.
pub(crate) fn name(case: usize) -> String {
    format!("HG{:03}", case + 2)
}
