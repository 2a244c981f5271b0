//! Owns what people do in a world: what they ask for, and how they put right in the end
//! what only they can.

use std::time::Duration;

use daylily_lifecycle::attempt::Attempt;
use daylily_lifecycle::case::{Case, HoldWhy, StateName, StepName};
use daylily_lifecycle::ids::Actor;
use daylily_watch::app::VERSION;
use daylily_watch::clock::Clock as _;
use daylily_watch::store::requests::{self, NewRequest};

use super::{Due, World};
use crate::schedule::{Ask, Fate, Happening, name};

impl World {
    /// Asks for something of the case of this name, if there is one.
    pub(crate) fn ask_of(&mut self, verb: &str, name: &str) {
        let case = self.seats[0].laws.find(name).map(|case| case.id.to_string());
        let mut args = serde_json::Map::new();
        if verb == Ask::Urgent.verb() {
            args.insert("priority".to_owned(), "urgent".into());
        }
        if let Some(case) = case {
            self.ask(verb, &case, args);
        }
    }

    pub(crate) fn ask(
        &mut self,
        verb: &str,
        target: &str,
        args: serde_json::Map<String, serde_json::Value>,
    ) {
        let request = NewRequest {
            at: self.ground.clock.now(),
            actor: Actor::new("anna (uid 1000)"),
            verb: verb.to_owned(),
            target: target.to_owned(),
            args,
            reason: Some("because".to_owned()),
        };
        if self.seats[0].reader.is_some() {
            let filed = requests::file(self.seats[0].seat.state_dir(), VERSION, &request);
            filed.expect("anybody may ask");
        }
    }

    pub(super) async fn calm_down(&mut self) {
        self.calm = true;
        self.tell("nothing goes wrong any more, and anna puts right what she can");
        for chair in &self.seats {
            chair.seat.points.calm();
        }
        for happening in [
            Happening::HostAway(false),
            Happening::QueueAway(false),
            Happening::QueuePaused(false),
            Happening::Unmounted(false),
            Happening::IntakeAway(false),
            Happening::DiskFull(false),
            Happening::PauseAll(false),
        ] {
            self.happens(happening).await;
        }
        self.ask("resume", "", of("headnode", "hpc".into()));
        self.cancel_what_never_ends();
        self.put_back_what_is_missed();
        self.at(Duration::from_secs(600), Due::LookedAt(20));
    }

    /// Also what came late and was not there to be cancelled before.
    fn cancel_what_never_ends(&mut self) {
        for case in 0..self.schedule.cases.len() {
            let plan = self.schedule.cases[case];
            let found = self.seats[0].laws.find(&name(case));
            let lives = found.is_some_and(|case| {
                !case.state.name().is_terminal() && case.state.name() != StateName::Cancelling
            });
            if lives && matches!(plan.fate, Fate::RunsForEver | Fate::IsDeaf) {
                self.tell(&Happening::Asked(case, Ask::Cancel).to_string());
                self.ask_of(Ask::Cancel.verb(), &name(case));
            }
        }
    }

    /// Cases say that they wait for their folder.
    fn put_back_what_is_missed(&mut self) {
        let now = self.ground.clock.now();
        for case in 0..self.schedule.cases.len() {
            let found = self.seats[0].laws.find(&name(case));
            if found.is_some_and(|case| case.vanished_at.is_some()) {
                self.tell(&Happening::PutBack(case).to_string());
                self.ground.home.is_put_back(&name(case), now);
                self.ground.home.tell(&name(case), now);
            }
        }
    }

    /// Slots that nobody uses go back to those who wait for them.
    pub(super) fn look_at_what_is_held(&mut self, times: u32) {
        self.cancel_what_never_ends();
        self.put_back_what_is_missed();
        let state = self.ground.machine.state();
        let is_dead = |attempt: &Attempt| {
            let there = state.attempts.get(&attempt.id);
            there.is_none_or(|there| !there.running && there.processes == 0)
        };
        let asked: Vec<(&str, String)> = self.seats[0]
            .laws
            .cases()
            .filter(|case| {
                let mut holding = case.attempts().filter(|a| !a.tenure.slots().is_empty());
                holding.any(is_dead)
            })
            .filter_map(|case| Some((way_on(case)?, case.id.to_string())))
            .collect();
        drop(state);
        for (verb, case) in asked {
            self.tell(&format!("anna asks: {verb} {case}"));
            self.ask(verb, &case, serde_json::Map::new());
        }
        if times > 0 {
            self.at(Duration::from_secs(3_600), Due::LookedAt(times - 1));
        }
    }
}

/// What the sentence of a held case names.
fn way_on(case: &Case) -> Option<&'static str> {
    let stops = case.troubles.of(StepName::Stop).is_some();
    let verb = match case.hold.as_ref()?.why {
        HoldWhy::Trouble if !stops => "retry",
        _ => "confirm-dead",
    };
    Some(verb)
}

/// One option of a request.
pub(crate) fn of(
    key: &str,
    value: serde_json::Value,
) -> serde_json::Map<String, serde_json::Value> {
    serde_json::Map::from_iter([(key.to_owned(), value)])
}
