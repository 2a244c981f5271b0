//! The stories that are told again with a crash at every point: what mostly happens, and
//! what field-lessons and ATTEMPT.md warn of.

use crate::schedule::{
    Ask, CasePlan, Class, Fate, Happening, Lie, Mishap, Planned, Schedule, Strike,
};
use crate::world::live;

const PLAIN: CasePlan = CasePlan::PLAIN;

/// A story, and how its case stands at its end if nobody kills the daemon.
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) schedule: Schedule,
    pub(crate) ends: &'static str,
}

fn story(name: &'static str, ends: &'static str, plan: CasePlan) -> Story {
    Story { name, ends, schedule: Schedule::of(vec![plan]) }
}

fn happens(at: u32, what: Happening) -> Planned {
    Planned { at, what }
}

impl Story {
    fn with(mut self, events: &[(u32, Happening)]) -> Self {
        self.schedule.events = events.iter().map(|(at, what)| happens(*at, *what)).collect();
        self
    }

    /// Each hits the next call of its name.
    fn going_wrong(mut self, strikes: &[(&str, Mishap)]) -> Self {
        let strike = |(what, mishap): &(&str, Mishap)| Strike {
            what: (*what).to_owned(),
            after: None,
            mishap: *mishap,
        };
        self.schedule.strikes = strikes.iter().map(strike).collect();
        self
    }

    /// It hits the first call of its name after one of another.
    fn going_wrong_after(mut self, after: &str, what: &str, mishap: Mishap) -> Self {
        let (what, after) = (what.to_owned(), Some(after.to_owned()));
        self.schedule.strikes.push(Strike { what, after, mishap });
        self
    }
}

/// When a plain case with these plans is in each state, in tenths of a second.
fn when(state: &str, plan: CasePlan) -> u32 {
    let lived = live(&Schedule::of(vec![plan]), true);
    let line = lived.story.iter().find(|line| line.ends_with(&format!("is {state}")));
    let line = line.unwrap_or_else(|| panic!("it never is {state}:\n{}", lived.story.join("\n")));
    let seconds = line.trim_start().split(' ').next().unwrap_or_default();
    let tenths: u32 = seconds.replace('.', "").parse().expect("a line begins with its time");
    tenths + 1
}

pub(crate) fn all() -> Vec<Story> {
    let failing = CasePlan { fate: Fate::Exits(3), ..PLAIN };
    let long = CasePlan { runs: 600, lingers: 30, ..PLAIN };
    let deaf = CasePlan { fate: Fate::IsDeaf, ..PLAIN };
    let cancelled = |name, state| {
        let at = when(state, long);
        story(name, "cancelled", long).with(&[(at, Happening::Asked(0, Ask::Cancel))])
    };
    let mut stories = vec![
        story("a case that succeeds", "succeeded", PLAIN),
        story("a job that fails", "failed", failing),
        story("a job that vanishes", "running, held", CasePlan { fate: Fate::Vanishes, ..PLAIN }),
        story(
            "a job that leaves processes behind",
            "succeeded",
            CasePlan { fate: Fate::LeavesProcesses(40), ..PLAIN },
        ),
        cancelled("cancelled while it arrives", "arriving"),
        cancelled("cancelled while it ships", "shipping"),
        cancelled("cancelled while it is handed over", "submitting"),
        cancelled("cancelled in the queue", "queued"),
        cancelled("cancelled while it runs", "running"),
        cancelled("cancelled while its results come home", "returning")
            .going_wrong(&[("fetch", Mishap::Slow(50))]),
        story("cancelled, and deaf to it", "cancelled", deaf)
            .with(&[(when("running", deaf), Happening::Asked(0, Ask::Cancel))]),
        story("failed and run again", "failed", failing)
            .with(&[(when("failed", failing) + 20, Happening::Asked(0, Ask::Rerun))]),
        story("succeeded and run again", "succeeded", PLAIN)
            .with(&[(when("succeeded", PLAIN) + 20, Happening::Asked(0, Ask::Rerun))]),
        story("the answer of the adding is lost", "succeeded", PLAIN)
            .going_wrong(&[("add", Mishap::Lost)]),
        story("the adding arrives a minute late", "succeeded", long)
            .going_wrong(&[("add", Mishap::KilledAndLate(600))]),
        story("the queue says nothing of what it was just given", "succeeded", long)
            .going_wrong_after("add", "look at the queue", Mishap::Lie(Lie::Empty)),
        story("the queue says nothing of what waits in it", "ready, held", long)
            .going_wrong_after("add", "look at the queue", Mishap::Slow(1))
            .going_wrong_after("add", "look at the queue", Mishap::Lie(Lie::Empty)),
        story("what was added is there twice", "succeeded", long)
            .going_wrong(&[("add", Mishap::Lie(Lie::Twice))]),
        story("its entry alone is gone from the queue", "ready, held", long)
            .with(&[(when("queued", long), Happening::QueueWiped)]),
        story("the queue is wiped while it runs", "succeeded", long)
            .with(&[(when("running", long), Happening::QueueWiped)]),
        story("the queue is reset while it runs", "running, held", long)
            .with(&[(when("running", long), Happening::QueueReset)]),
        story("the headnode reboots while it runs", "succeeded", long)
            .with(&[(when("running", long), Happening::Reboot)]),
        story("the copying is interrupted", "succeeded", PLAIN)
            .going_wrong(&[("ship", Mishap::Refused(Class::Step)), ("ship", Mishap::Lost)]),
        story("the daemon dies copying, and the copying goes on", "succeeded", PLAIN)
            .going_wrong(&[("ship", Mishap::KilledAndLate(50))]),
        story("the way home is interrupted", "succeeded", PLAIN)
            .going_wrong(&[("fetch", Mishap::Lost), ("fetch", Mishap::Refused(Class::Step))]),
        story("the folder changes while it is copied", "succeeded", PLAIN)
            .with(&[(when("shipping", PLAIN), Happening::Written(0))]),
        story("the folder goes and comes back", "dropped", PLAIN).with(&[
            (when("running", PLAIN), Happening::Taken(0)),
            (when("succeeded", PLAIN) + 50, Happening::PutBack(0)),
        ]),
        story("work_dir goes away while it runs", "succeeded", long).with(&[
            (when("running", long), Happening::Unmounted(true)),
            (when("running", long) + 300, Happening::Unmounted(false)),
        ]),
    ];
    let (away, back) = (when("queued", long), when("queued", long) + 900);
    stories.push(
        story("the headnode is away for a while", "succeeded", long)
            .with(&[(away, Happening::HostAway(true)), (back, Happening::HostAway(false))]),
    );
    stories.push(
        story("the queue does not answer for a while", "succeeded", long)
            .with(&[(away, Happening::QueueAway(true)), (back, Happening::QueueAway(false))]),
    );
    stories.push(
        // What it made looks older than its beginning, so it does not count as made by it.
        story("the clocks are set an hour back while it runs", "failed", long)
            .with(&[(when("running", long), Happening::ClockStep(-3600))]),
    );
    stories
}

/// How the case of a life stands at its end.
fn state_at_the_end(story: &[String]) -> &str {
    let told = story.iter().rev().filter_map(|line| line.split_once(" s  "));
    let mut states = told.filter_map(|(_, told)| told.strip_prefix("HG002 is "));
    states.next().unwrap_or_default()
}

#[test]
fn every_story_ends_as_it_should_when_nobody_kills_the_daemon() {
    let mut others = String::new();
    for Story { name, schedule, ends } in all() {
        let lived = live(&schedule, true);
        let story = lived.story.join("\n");
        assert_eq!(lived.verdict, Ok(()), "{name}\n{story}");
        for Strike { what, mishap, .. } in &schedule.strikes {
            let told = format!("{what}: {mishap:?}");
            assert!(story.contains(&told), "{name}: it never met {told}\n{story}");
        }
        let end = state_at_the_end(&lived.story);
        if !ends.starts_with(end) {
            others.push_str(&format!("{name}: {end}, not {ends}\n{story}\n"));
        }
    }
    assert!(others.is_empty(), "{others}");
}

#[test]
fn a_schedule_has_one_life_and_no_other() {
    for Story { name, schedule, .. } in all().into_iter().step_by(5) {
        let (once, again) = (live(&schedule, true), live(&schedule, true));
        assert_eq!(once.story, again.story, "{name}");
        assert_eq!(once.names, again.names, "{name}");
    }
}
