//! Owns what trouble makes of a headnode: one circuit for each, stored. It opens with
//! the first fault, is tried by one probe at a time, and closes by itself; only what
//! cannot be worked with until it is repaired is set aside for a person.

use jiff::Timestamp;

use crate::backoff::{until_probe, until_probe_of_refusal};
use crate::outcome::{Fault, FaultClass};
use crate::policy::{HeadnodeState, Part};

/// Who met the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// The reading that is made to see whether it answers.
    Probing,
    /// A step of a case, perhaps begun while all was well.
    Working,
}

/// What has become of a headnode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    pub state: HeadnodeState,
    /// Probes in vain, in a row.
    pub failures: u32,
    /// It is news: told once, and not with each further probe.
    pub is_news: bool,
}

/// What a fault makes of it.
pub fn open(
    state: &HeadnodeState,
    failures: u32,
    part: Part,
    fault: &Fault,
    met: Met,
    now: Timestamp,
    seed: u64,
) -> Turned {
    let because = fault.text.clone();
    if fault.class == FaultClass::FatalHost {
        return match state {
            HeadnodeState::Broken { part: known, since, .. } if *known == part => {
                let state = HeadnodeState::Broken { part, since: *since, because };
                Turned { state, failures: failures.saturating_add(1), is_news: false }
            }
            // Set aside as a whole, its queue is no further news.
            HeadnodeState::Broken { part: Part::Host, .. } => kept(state, failures),
            HeadnodeState::Ok
            | HeadnodeState::Unreachable { .. }
            | HeadnodeState::Broken { part: Part::Queue, .. } => Turned {
                state: HeadnodeState::Broken { part, since: now, because },
                failures: failures.saturating_add(1),
                is_news: true,
            },
        };
    }
    let needs_person = fault.class == FaultClass::NeedsPerson;
    let (since, tries, is_news) = match state {
        HeadnodeState::Ok => (now, 1, true),
        HeadnodeState::Broken { .. } => return kept(state, failures),
        // What was begun while all was well fails one by one: that is one trouble.
        HeadnodeState::Unreachable { part: known, next_try, .. }
            if met == Met::Working
                && (*known == part || *known == Part::Host)
                && *next_try > now =>
        {
            return kept(state, failures);
        }
        HeadnodeState::Unreachable { part: known, needs_person: needed, since, .. } => {
            let same = *known == part && *needed == needs_person;
            // It answered in part until now, or did not refuse us.
            let worse = (*known == Part::Queue && part == Part::Host) || (needs_person && !needed);
            let since = if worse { now } else { *since };
            (since, if same { failures.saturating_add(1) } else { 1 }, !same)
        }
    };
    let seed = seed.wrapping_add(u64::from(tries));
    let wait = if needs_person {
        until_probe_of_refusal(tries, seed)
    } else {
        until_probe(now.duration_since(since), seed)
    };
    let next_try = now.checked_add(wait).unwrap_or(now);
    let state = HeadnodeState::Unreachable { part, since, because, next_try, needs_person };
    Turned { state, failures: tries, is_news }
}

/// What an answer makes of it: `queue` says whether the queue has answered too. What is
/// set aside stays so.
pub fn close(state: &HeadnodeState, failures: u32, queue: bool) -> Turned {
    match state {
        HeadnodeState::Ok => Turned { state: HeadnodeState::Ok, failures: 0, is_news: false },
        HeadnodeState::Unreachable { part: Part::Queue, .. } if !queue => kept(state, failures),
        HeadnodeState::Unreachable { .. } => {
            Turned { state: HeadnodeState::Ok, failures: 0, is_news: true }
        }
        HeadnodeState::Broken { .. } => kept(state, failures),
    }
}

fn kept(state: &HeadnodeState, failures: u32) -> Turned {
    Turned { state: state.clone(), failures, is_news: false }
}
