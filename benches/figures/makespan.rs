//! Figures 2 and 3: from when the first of several cases could start until the last has
//! ended.

use crate::figure::{Bound, Figure};
use crate::ours::Ours;
use crate::plain::{Plain, add_all};
use crate::stage::{Job, Stage, seconds};

const CASES: usize = 100;
const PLACES: usize = 10;
const FEW: usize = 10;

/// What somebody sets whose jobs are as short as their copying.
const AHEAD: &str = "    ship_ahead: 10\n";

/// Figure 2.
pub(crate) fn of_a_hundred_cases(rounds: usize) -> Vec<Figure> {
    let (mut floor, mut ours, mut ahead) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let stage = Stage::with(PLACES, Job::Seconds(2));
        let begun = add_all(&stage, CASES);
        floor.push(seconds(begun, stage.until_told("ended", CASES, || {})));
        drop(stage);
        ours.push(by_us(CASES, PLACES, Job::Seconds(2), ""));
        ahead.push(by_us(CASES, PLACES, Job::Seconds(2), AHEAD));
    }
    let name = "2 100 cases of 2 s on 10 places: ours / floor";
    let with_more = "2 the same with ship_ahead: 10";
    vec![
        Figure::ratio(name, &ours, &floor, Bound::AtMost(1.3)),
        Figure::ratio(with_more, &ahead, &floor, Bound::None),
    ]
}

/// Figure 3.
pub(crate) fn of_ten_cases_without_work(rounds: usize) -> Vec<Figure> {
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let stage = Stage::with(1, Job::Nothing);
        let mut script = Plain::start(&stage, FEW, 1);
        let could = stage.put(FEW);
        plain.push(seconds(could, stage.until_told("ended", FEW, || script.is_well())));
        drop(script);
        drop(stage);
        ours.push(by_us(FEW, 1, Job::Nothing, ""));
    }
    let name = "3 10 cases without work on 1 place: plain / ours";
    vec![
        Figure::ratio(name, &plain, &ours, Bound::AtLeast(4.0)),
        Figure::of("3 10 cases without work on 1 place: ours", "s", &ours, Bound::None),
    ]
}

/// `headnode` are more lines of the headnode's.
fn by_us(cases: usize, places: usize, job: Job, headnode: &str) -> f64 {
    let stage = Stage::with(places, job);
    let mut daemon = Ours::start(&stage, places, ("", headnode));
    let could = stage.put(cases);
    let took = seconds(could, stage.until_told("ended", cases, || daemon.is_well(&stage)));
    drop(daemon);
    took
}
