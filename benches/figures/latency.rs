//! Figure 1: from the end of a case's quiet period until pueue has started its task.

use std::time::Duration;

use crate::figure::{Bound, Figure};
use crate::ours::Ours;
use crate::plain::Plain;
use crate::stage::{Job, Stage, pass, seconds};

pub(crate) fn measure(rounds: usize) -> Vec<Figure> {
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // A folder comes at any moment of the second in which the script looks once.
        let moment = Duration::from_millis(u64::try_from(round % 5).unwrap() * 200 + 100);
        plain.push({
            let stage = stage();
            let mut script = Plain::start(&stage, 1, 1);
            pass(moment);
            of(&stage, || script.is_well())
        });
        ours.push({
            let stage = stage();
            let mut daemon = Ours::start(&stage, 1, ("", ""));
            pass(moment);
            of(&stage, || daemon.is_well(&stage))
        });
    }
    vec![
        Figure::ratio("1 start of one case: plain / ours", &plain, &ours, Bound::AtLeast(4.0)),
        Figure::of("1 start of one case: ours", "s", &ours, Bound::AtMost(1.0)),
    ]
}

/// The task is looked up while it runs.
fn stage() -> Stage {
    Stage::with(1, Job::Seconds(3))
}

fn of(stage: &Stage, still: impl FnMut()) -> f64 {
    let could = stage.put(1);
    stage.until_told("begun", 1, still);
    seconds(could, stage.started())
}
