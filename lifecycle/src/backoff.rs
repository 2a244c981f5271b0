//! Owns how long to wait before a step, or a headnode, is tried again. No randomness:
//! the seed of the jitter is an argument.

use jiff::{SignedDuration, Timestamp};

use crate::case::Trouble;
use crate::outcome::FaultClass;
use crate::policy::Retry;

/// `first`, doubled with every further try, at most `most`. The first try is 1.
pub fn delay(tries: u32, first: SignedDuration, most: SignedDuration) -> SignedDuration {
    let doublings = tries.saturating_sub(1).min(40);
    let factor = 1_i32.checked_shl(doublings).filter(|factor| *factor > 0).unwrap_or(i32::MAX);
    first.saturating_mul(factor).min(most).max(SignedDuration::ZERO)
}

/// As [`delay`], shortened by up to a quarter, so that many do not try at one instant.
pub fn delay_with_jitter(
    tries: u32,
    first: SignedDuration,
    most: SignedDuration,
    seed: u64,
) -> SignedDuration {
    shortened(delay(tries, first, most), 250, seed)
}

/// Cuts off at most so many thousandths.
fn shortened(whole: SignedDuration, most: u64, seed: u64) -> SignedDuration {
    // SplitMix64's last step: neighbouring seeds give unrelated delays.
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let thousandths = i64::try_from((mixed >> 33) % most.max(1)).unwrap_or(0);
    let cut = whole.as_millis().saturating_mul(i128::from(thousandths)) / 1000;
    whole.saturating_sub(SignedDuration::from_millis(i64::try_from(cut).unwrap_or(0)))
}

/// Between two tries to reach what does not answer.
const SHORTEST: SignedDuration = SignedDuration::from_secs(2);
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// The first wait where every try is one that the other side may count against us.
const FOR_A_PERSON: SignedDuration = SignedDuration::from_mins(1);

/// How long to wait until a headnode that has not answered for `lasted` is tried again:
/// a sixteenth of that, at least 2 s, at most 5 min, shortened by up to a tenth. It is
/// seen again soon after a short outage, and a long one costs few tries.
pub fn until_probe(lasted: SignedDuration, seed: u64) -> SignedDuration {
    let part = (lasted / 16).clamp(SHORTEST, LONGEST);
    shortened(part, 100, seed)
}

/// The same for one that refuses us: 1 min doubling to 5 min, since refused logins get
/// an address banned. The first try is 1.
pub fn until_probe_of_refusal(tries: u32, seed: u64) -> SignedDuration {
    shortened(delay(tries, FOR_A_PERSON, LONGEST), 100, seed)
}

/// Whether the time of the next probe has come, also where it was stored by a clock that
/// was ahead.
pub fn is_due(next_try: Timestamp, now: Timestamp) -> bool {
    next_try <= now || next_try.duration_since(now) > LONGEST
}

/// What a step's trouble means for trying it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    Open,
    Wait {
        until: Timestamp,
    },
    /// For good, or for longer than `retry.for`: a person must look.
    GiveUp,
}

/// Whether a step may be tried now, by its own trouble.
pub fn gate(trouble: Option<&Trouble>, retry: Retry, now: Timestamp) -> Gate {
    let Some(trouble) = trouble else { return Gate::Open };
    let until = trouble
        .last_at
        .checked_add(delay(trouble.tries, retry.first, retry.most))
        .unwrap_or(Timestamp::MAX);
    let lasted = trouble.last_at.duration_since(trouble.first_at);
    let spent = trouble.class == FaultClass::FatalCase
        || (trouble.class.burns_budget() && lasted >= retry.give_up_after);
    // A clock that was set back must not make it wait for longer than it ever would.
    let by_another_clock = until.duration_since(now) > retry.most;
    if spent {
        Gate::GiveUp
    } else if now >= until || by_another_clock {
        Gate::Open
    } else {
        Gate::Wait { until }
    }
}
