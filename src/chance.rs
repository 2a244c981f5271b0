//! Owns randomness: nothing else in the program draws a number. Ids are made of the time
//! and of what is drawn here, so a test that decides both decides all of a life.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use ulid::Ulid;

pub trait Chance: Send + Sync {
    /// At least 80 bits that nobody can foretell.
    fn draw(&self) -> u128;

    /// An id that is younger than those made in an earlier millisecond.
    fn id(&self, now: Timestamp) -> Ulid {
        Ulid::from_parts(u64::try_from(now.as_millisecond()).unwrap_or_default(), self.draw())
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemChance;

impl Chance for SystemChance {
    fn draw(&self) -> u128 {
        Ulid::generate().random()
    }
}

/// Draws the same from the same seed.
#[derive(Debug)]
pub struct SeededChance(Mutex<u64>);

impl SeededChance {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// One step of SplitMix64.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Chance for SeededChance {
    fn draw(&self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }
}
