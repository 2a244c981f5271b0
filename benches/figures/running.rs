//! Figure 7: what it costs on this side that fifty cases run, and what is asked of the
//! headnode meanwhile. Both sides have their cases running all the time; the script stands
//! still while we are measured.

use std::time::Duration;

use crate::figure::{Bound, Figure};
use crate::ours::{Ours, asked_for_the_list, note_what_is_asked};
use crate::plain::Plain;
use crate::processor::{masters, spent};
use crate::stage::{Job, Stage, pass};

const CASES: usize = 50;
const WINDOW: Duration = Duration::from_secs(30);

/// Far more often than by default, where a headnode on which nothing happens is asked
/// twice a minute: in a window there is something to measure, and more rather than less.
const POLL: &str = "poll: {min: 2s, max: 2s}\n";

pub(crate) fn measure(rounds: usize) -> Vec<Figure> {
    let (with_1, one) = running(1);
    let (with_50, many) = running(CASES);
    let stage = Stage::with(CASES, Job::ForEver);
    let mut script = Plain::start(&stage, CASES, CASES);
    stage.put(CASES);
    stage.until_told("begun", CASES, || script.is_well());

    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    let (mut asked_with_1, mut asked_with_50) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        script.freeze();
        let of_us = || spent(masters(&with_50.path("run")).into_iter().chain([many.pid()]));
        let asked = || (asked_for_the_list(&with_1), asked_for_the_list(&with_50));
        let (before, (one_before, many_before)) = (of_us(), asked());
        pass(WINDOW);
        let (one_after, many_after) = asked();
        ours.push(of_us() - before);
        asked_with_1.push(a_minute(one_after - one_before));
        asked_with_50.push(a_minute(many_after - many_before));
        script.thaw();

        let before = spent([script.pid()]);
        pass(WINDOW);
        plain.push(spent([script.pid()]) - before);
    }
    #[allow(clippy::cast_precision_loss, reason = "there are few connections")]
    let connections = with_50.sshd.connections() as f64;
    drop((script, one, many));
    vec![
        Figure::ratio("7 CPU with 50 running: plain / ours", &plain, &ours, Bound::AtLeast(10.0)),
        Figure::of("7 connections to sshd: ours", "", &[connections], Bound::AtMost(3.0)),
        Figure::ratio(
            "7 lists asked for a minute: with 50 / with 1",
            &asked_with_50,
            &asked_with_1,
            Bound::AtMost(1.1),
        ),
    ]
}

fn a_minute(times: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "they are few")]
    {
        times as f64 * 60.0 / WINDOW.as_secs_f64()
    }
}

/// So many cases run.
fn running(cases: usize) -> (Stage, Ours) {
    let stage = Stage::with(cases, Job::ForEver);
    note_what_is_asked(&stage);
    let mut daemon = Ours::start(&stage, cases, (POLL, ""));
    stage.put(cases);
    stage.until_told("begun", cases, || daemon.is_well(&stage));
    // What was asked for because they have just begun is behind us.
    pass(Duration::from_secs(10));
    (stage, daemon)
}
