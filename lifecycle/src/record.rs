//! Owns every change of a case: the only place where a state becomes another.

use crate::case::Case;
use crate::observation::Observed;

/// What became of an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Store the case and add the observation to the journal.
    Changed(Box<Case>),
    /// Nothing new: neither is written.
    Same,
    /// It is of an attempt or step that is over: journalled, changes nothing.
    Stale { why: String },
    /// The case is no more; its journal stays.
    Dropped { why: String },
    /// A person asked for what cannot be done now; told to them, not journalled.
    Refused { why: String },
}

/// Records an observation. `case` is None only for `Appeared`.
pub fn record(case: Option<&Case>, observed: &Observed) -> Recorded {
    let _ = observed;
    match case {
        Some(_) => Recorded::Same,
        None => Recorded::Refused { why: "there is no such case".to_owned() },
    }
}
