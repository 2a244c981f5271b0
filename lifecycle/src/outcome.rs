//! Owns what can be read of an attempt and what that means: the table of
//! ATTEMPT.md as one function. It changes nothing; `record` acts on what is concluded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that did not work, classified where it happened. Only `plan` decides
/// what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    pub class: FaultClass,
    /// Lower case, no full stop; names the thing and, where known, the next step.
    pub text: String,
}

impl Fault {
    /// The text is made one that [can be told](told): what others said stands in it.
    pub fn new(class: FaultClass, text: impl Into<String>) -> Self {
        Self { class, text: told(text.into()) }
    }
}

/// The most lines of what others said that are kept, a hint being one.
const MOST_LINES: usize = 12;

/// The most characters of each.
const LONGEST_LINE: usize = 500;

/// A text as it may stand in a sentence, a log and the database, whoever wrote it: no longer
/// than anybody reads, and with nothing in it that steers a terminal. Lines stay lines.
pub fn told(text: impl Into<String>) -> String {
    let text: String = text.into();
    let is_short = text.len() <= LONGEST_LINE;
    if is_short && !text.chars().any(|c| c.is_control()) {
        return text;
    }
    let line = |line: &str| {
        let mut characters = line.chars();
        let kept = characters.by_ref().take(LONGEST_LINE);
        let mut kept: String = kept
            .map(|c| match c {
                '\t' => ' ',
                c if c.is_control() => char::REPLACEMENT_CHARACTER,
                c => c,
            })
            .collect();
        if characters.next().is_some() {
            kept.push_str("...");
        }
        kept
    };
    let mut lines: Vec<String> = text.lines().take(MOST_LINES).map(line).collect();
    // What to do comes last.
    if let Some(hint) = text.lines().skip(MOST_LINES).find(|line| line.starts_with("hint: ")) {
        lines.push(line(hint));
    }
    lines.join("\n")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// The host does not answer; its circuit opens and no case's budget is used.
    TransientHost,
    /// This step may work when tried again.
    TransientStep,
    /// There is no room; the step waits without using up its budget.
    NoSpace,
    /// Asked to come back later.
    Throttled,
    /// It may have happened: look.
    Ambiguous,
    /// The host cannot be worked with until it is repaired.
    FatalHost,
    /// This case cannot go on as it is.
    FatalCase,
    /// A person must act (host key, authentication, one-time password).
    NeedsPerson,
}

impl FaultClass {
    /// Whether trying in vain with such a fault counts against `retry.for`. Waiting for
    /// room, for a host or for a person does not.
    pub fn burns_budget(self) -> bool {
        match self {
            FaultClass::TransientStep | FaultClass::Ambiguous => true,
            FaultClass::NoSpace
            | FaultClass::Throttled
            | FaultClass::TransientHost
            | FaultClass::FatalHost
            | FaultClass::FatalCase
            | FaultClass::NeedsPerson => false,
        }
    }
}

/// One look at an attempt: queue, claim, alive, exit record, in that order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "look")]
pub enum Look {
    Saw(Evidence),
    /// The owner is wrong, the directory, job.sh or lock is missing, or the host did not answer.
    CouldNot {
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub exit: ExitRecord,
    pub claim: Claim,
    pub alive: Alive,
    pub queue: QueueWord,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "exit")]
pub enum ExitRecord {
    Present {
        code: Option<i32>,
        signal: Option<i32>,
        ended: Timestamp,
    },
    /// It is there and is not whole.
    Partial,
    Absent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "claim")]
pub enum Claim {
    Job { at: Timestamp, host: String },
    Daemon,
    Absent,
}

/// Whether anything of the attempt still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "alive")]
pub enum Alive {
    /// Its lock is held, or processes carry its id.
    Yes,
    No {
        /// The machine of the claim has been started anew since.
        rebooted: bool,
    },
    /// The claim is of another machine: a free lock here says nothing.
    Unknowable,
}

/// What the queue says of an attempt's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueWord {
    /// Begun and not over; one that was paused since is still there.
    Running,
    /// Queued, stashed, locked, or anything not known to be an end.
    Waiting,
    Done,
    Killed,
    FailedToSpawn,
    Absent,
    Unreadable,
}

/// What is remembered of an attempt when it is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its claim was read, and the job began then.
    pub claimed_at: Option<Timestamp>,
    /// Its label was once in the queue's list.
    pub in_queue: bool,
    /// Every entry this program knows of that queue is gone at once. None: only this one
    /// was looked for, so it cannot be told.
    pub queue_wiped: Option<bool>,
}

/// What a reading means. One variant per action of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "conclusion")]
pub enum Conclusion {
    CouldNotLook {
        why: String,
    },
    /// An end record beside a claim of ours.
    Impossible,
    /// Ended, nothing is left of it.
    Ended {
        code: Option<i32>,
        signal: Option<i32>,
        at: Timestamp,
    },
    /// Ended, and processes of it are still there.
    EndedWithLeftOvers {
        code: Option<i32>,
        signal: Option<i32>,
        at: Timestamp,
    },
    /// Ended, and only the queue can tell when its processes are gone.
    EndedUnconfirmed {
        code: Option<i32>,
        signal: Option<i32>,
        at: Timestamp,
    },
    Running {
        since: Timestamp,
        /// The queue says otherwise.
        orphaned: bool,
    },
    /// Neither process nor record: an end, once that has lasted.
    Silent {
        since: Timestamp,
        rebooted: bool,
        partial: bool,
    },
    /// On another machine, and the queue knows nothing of an end.
    EndUnconfirmed,
    /// The claim is ours.
    NeverRan,
    /// Something of it is there, not yet claimed.
    Starting,
    /// Was never handed over: add the same label.
    NotSubmitted,
    /// In the queue, not begun.
    Waiting,
    /// Was in the queue, not begun, and is not. The next look at the queue as a whole tells
    /// whether it went alone.
    Gone,
    /// The queue is done with it (or lost it) and it never claimed: take the claim.
    TakeClaim {
        then: AfterClaim,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterClaim {
    /// A new attempt: the whole queue was wiped.
    NewAttempt,
    /// Hold: this entry alone was removed by hand.
    Hold,
    /// It never ran: count it against the step's budget and try again.
    Retry,
}

/// Reads the table of ATTEMPT.md from the top; the first row that matches wins.
pub fn conclude(look: &Look, seen: Seen) -> Conclusion {
    let evidence = match look {
        Look::CouldNot { why } => return Conclusion::CouldNotLook { why: why.clone() },
        Look::Saw(evidence) => evidence,
    };
    match (&evidence.exit, &evidence.claim) {
        (ExitRecord::Present { .. }, Claim::Daemon) => Conclusion::Impossible,
        (&ExitRecord::Present { code, signal, ended: at }, Claim::Job { .. } | Claim::Absent) => {
            ended(code, signal, at, evidence)
        }
        (ExitRecord::Partial, Claim::Job { at, .. }) => claimed(*at, true, evidence, seen),
        (ExitRecord::Absent, Claim::Job { at, .. }) => claimed(*at, false, evidence, seen),
        (ExitRecord::Partial | ExitRecord::Absent, Claim::Daemon) => Conclusion::NeverRan,
        (ExitRecord::Partial | ExitRecord::Absent, Claim::Absent) => match seen.claimed_at {
            // What was claimed has begun, whoever took the claim away: never added again.
            Some(at) => claimed(at, evidence.exit == ExitRecord::Partial, evidence, seen),
            None => unclaimed(evidence, seen),
        },
    }
}

fn ended(code: Option<i32>, signal: Option<i32>, at: Timestamp, evidence: &Evidence) -> Conclusion {
    match (evidence.alive, evidence.queue) {
        (Alive::No { .. }, _) => Conclusion::Ended { code, signal, at },
        (Alive::Yes, _) => Conclusion::EndedWithLeftOvers { code, signal, at },
        (Alive::Unknowable, QueueWord::Running | QueueWord::Unreadable) => {
            Conclusion::EndedUnconfirmed { code, signal, at }
        }
        (
            Alive::Unknowable,
            QueueWord::Waiting
            | QueueWord::Done
            | QueueWord::Killed
            | QueueWord::FailedToSpawn
            | QueueWord::Absent,
        ) => Conclusion::Ended { code, signal, at },
    }
}

fn claimed(since: Timestamp, partial: bool, evidence: &Evidence, seen: Seen) -> Conclusion {
    match (evidence.alive, evidence.queue) {
        (Alive::Yes, queue) => Conclusion::Running { since, orphaned: disagrees(queue, seen) },
        (Alive::No { rebooted }, _) => Conclusion::Silent { since, rebooted, partial },
        (Alive::Unknowable, QueueWord::Running) => Conclusion::Running { since, orphaned: false },
        (Alive::Unknowable, QueueWord::Unreadable) => Conclusion::CouldNotLook {
            why: "the job runs on another machine and the queue cannot be read".to_owned(),
        },
        (
            Alive::Unknowable,
            QueueWord::Waiting
            | QueueWord::Done
            | QueueWord::Killed
            | QueueWord::FailedToSpawn
            | QueueWord::Absent,
        ) => Conclusion::EndUnconfirmed,
    }
}

fn unclaimed(evidence: &Evidence, seen: Seen) -> Conclusion {
    match (evidence.alive, evidence.queue) {
        (Alive::Yes, _) | (_, QueueWord::Running) => Conclusion::Starting,
        (_, QueueWord::Absent) if !seen.in_queue => Conclusion::NotSubmitted,
        (_, QueueWord::Absent) => match seen.queue_wiped {
            Some(true) => Conclusion::TakeClaim { then: AfterClaim::NewAttempt },
            Some(false) => Conclusion::TakeClaim { then: AfterClaim::Hold },
            None => Conclusion::Gone,
        },
        (_, QueueWord::Waiting) => Conclusion::Waiting,
        (_, QueueWord::Done | QueueWord::Killed | QueueWord::FailedToSpawn) => {
            Conclusion::TakeClaim { then: AfterClaim::Retry }
        }
        (_, QueueWord::Unreadable) => {
            Conclusion::CouldNotLook { why: "the queue cannot be read".to_owned() }
        }
    }
}

/// Whether the queue denies that a job with living processes runs. `Absent` denies it
/// where the entry was once in the list; the direct queue keeps none.
fn disagrees(queue: QueueWord, seen: Seen) -> bool {
    match queue {
        QueueWord::Running | QueueWord::Unreadable => false,
        QueueWord::Absent => seen.in_queue,
        QueueWord::Waiting | QueueWord::Done | QueueWord::Killed | QueueWord::FailedToSpawn => true,
    }
}
