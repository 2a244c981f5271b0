//! Owns what a figure is: a value of each round, a bound, and a line for people.

use std::fmt;

/// What is wanted of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Told only.
    None,
}

pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    bound: Bound,
    /// What it comes from.
    rounds: String,
}

impl Figure {
    pub(crate) fn of(name: &'static str, unit: &'static str, values: &[f64], bound: Bound) -> Self {
        Self { name, value: median(values), unit, bound, rounds: listed(values) }
    }

    /// The median of one over the median of the other.
    pub(crate) fn ratio(name: &'static str, of: &[f64], over: &[f64], bound: Bound) -> Self {
        let rounds = format!("{} over {}", listed(of), listed(over));
        Self { name, value: median(of) / median(over), unit: "x", bound, rounds }
    }

    pub(crate) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.value >= least,
            Bound::AtMost(most) => self.value <= most,
            Bound::None => true,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = format!("{:.2} {}", self.value, self.unit);
        let bound = match self.bound {
            Bound::AtLeast(least) => format!(">= {least:.2}"),
            Bound::AtMost(most) => format!("<= {most:.2}"),
            Bound::None => String::new(),
        };
        let verdict = match (self.bound, self.is_met()) {
            (Bound::None, _) => "",
            (Bound::AtLeast(_) | Bound::AtMost(_), true) => "met",
            (Bound::AtLeast(_) | Bound::AtMost(_), false) => "MISSED",
        };
        write!(f, "{:<50} {value:>12} {bound:>8} {verdict:<6}  {}", self.name, self.rounds)
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (middle, odd) = (sorted.len() / 2, sorted.len() % 2 == 1);
    if odd { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

fn listed(values: &[f64]) -> String {
    values.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(" ")
}
