//! Owns the loop: calls the reconcilers in turn, again at once while anything was
//! recorded, else when something happens or the next time comes. It ends by itself
//! only when the database is broken, or when all there was is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::action::Action;
use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::policy::{HeadnodeCondition, HeadnodeState, Part, Pause};
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::advance::{Also, advance};
use super::alive::Pulse;
use super::all_done::all_done;
use super::errands::Errands;
use super::execute::{Contact, Executor};
use super::poll::Poller;
use super::scan::Scanner;
use super::stop_file::stop_file;
use super::surroundings::Surroundings;
use super::{Context, Pass, prune, requests, schedule};
use crate::config::Settings;
use crate::store::error::{StoreError, Why};
use crate::store::journal::JournalId;
use crate::store::read::Reader;

/// Requests are rows that nobody tells of, so they are looked for.
const AT_LEAST: Duration = Duration::from_millis(500);

/// How long the driver would sleep if there were no requests to look for.
const LONGEST: Duration = Duration::from_secs(3600);

/// A commit wakes the driver; many at once wake it once.
const GATHER: Duration = Duration::from_millis(5);

const TELL_ALIVE: Duration = Duration::from_secs(5);

const PRUNE: Duration = Duration::from_secs(3600);

/// A step of the wall clock that is no mere correction.
const STEP: Duration = Duration::from_secs(5);

/// How long the daemon waits for what it has started when it is told to end. Jobs run on.
const SHUT_DOWN: Duration = Duration::from_secs(4);

/// When the driver ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Stopped,
    /// Every case is terminal, or waits for a person.
    AllDone,
}

/// Why it ended.
#[derive(Debug)]
pub enum Ending {
    Stopped,
    /// What is left waits for a person.
    AllDone,
    /// The configuration was read anew: another driver goes on with it.
    Anew(Box<Settings>),
    Broken(Why),
}

pub struct Driver {
    context: Context,
    reader: Reader,
    scanner: Scanner,
    executor: Executor,
    poller: Poller,
    errands: Errands,
    wake: Arc<Notify>,
    journalled: watch::Receiver<JournalId>,
    pulse: Arc<Pulse>,
    also: Also,
    clocks: (Timestamp, Duration),
    /// What the file STOP said in the last round.
    stopped: Option<Pause>,
    anew: Option<Box<Settings>>,
    /// The journal when slots were given last.
    scheduled: Option<JournalId>,
    /// The headnodes as they were in the last round.
    headnodes: BTreeMap<HeadnodeName, HeadnodeCondition>,
    next_alive: Duration,
    next_prune: Duration,
}

/// What may be done on a headnode: while its circuit is open, only what closes it.
fn contact(state: &HeadnodeState) -> Contact {
    match state {
        HeadnodeState::Ok => Contact::Whole,
        HeadnodeState::Unreachable { part: Part::Queue, .. }
        | HeadnodeState::Broken { part: Part::Queue, .. } => Contact::WithoutQueue,
        HeadnodeState::Unreachable { part: Part::Host, .. }
        | HeadnodeState::Broken { part: Part::Host, .. } => Contact::None,
    }
}

impl Driver {
    pub fn new(context: Context) -> Pass<Self> {
        let wake = Arc::new(Notify::new());
        let now = context.clock.now();
        let monotonic = context.clock.monotonic();
        Ok(Self {
            reader: context.store.reader()?,
            scanner: Scanner::new(context.clone(), &wake),
            executor: Executor::new(context.clone(), wake.clone()),
            poller: Poller::new(context.clone(), wake.clone()),
            errands: Errands::new(context.clone(), wake.clone()),
            wake,
            journalled: context.store.journalled(),
            pulse: Arc::new(Pulse::new(context.state_dir(), context.clock.clone())),
            // Nothing of what was under way before is under way now.
            also: Also { all: true, cases: Vec::new() },
            clocks: (now, monotonic),
            stopped: None,
            anew: None,
            scheduled: None,
            headnodes: BTreeMap::new(),
            next_alive: Duration::ZERO,
            next_prune: monotonic,
            context,
        })
    }

    /// What is told of the daemon that this one is part of.
    pub fn pulse(&self) -> Arc<Pulse> {
        self.pulse.clone()
    }

    /// It takes the place of another one in the same daemon.
    pub fn with_pulse(self, pulse: Arc<Pulse>) -> Self {
        Self { pulse, ..self }
    }

    /// Runs until it is stopped or done. Then nothing it started is left but the jobs.
    pub async fn run(mut self, until: Until, stop: CancellationToken) -> Pass<Ending> {
        let watched = self.pulse.watched();
        let ending = self.go_round(until, &stop).await;
        // What goes on now ends by a limit of its own.
        drop(watched);
        let Self { context, scanner, executor, poller, errands, pulse, .. } = self;
        let ended = async {
            tokio::join!(
                executor.shut_down(),
                poller.shut_down(),
                scanner.shut_down(),
                errands.shut_down()
            );
        };
        if tokio::time::timeout(SHUT_DOWN, ended).await.is_err() {
            tracing::warn!("something did not stop in time and is left behind");
        }
        if !matches!(ending, Ok(Ending::Anew(_))) {
            pulse.stops();
        }
        match (ending, context.store.is_broken()) {
            (_, Some(why)) => Ok(Ending::Broken(why)),
            (ending, None) => ending,
        }
    }

    async fn go_round(&mut self, until: Until, stop: &CancellationToken) -> Pass<Ending> {
        let broken = self.context.store.clone();
        let mut broken = std::pin::pin!(async move { broken.broken().await });
        loop {
            let pause = self.turn(stop).await?.min(AT_LEAST);
            if let Some(settings) = self.anew.take() {
                return Ok(Ending::Anew(settings));
            }
            if stop.is_cancelled() {
                return Ok(Ending::Stopped);
            }
            if until == Until::AllDone && self.is_all_done()? {
                return Ok(Ending::AllDone);
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(Ending::Stopped),
                why = &mut broken => return Ok(Ending::Broken(why)),
                woken = self.woken() => woken?,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Goes round until nothing more is recorded, and says how long there is nothing to
    /// do if nothing happens. It is what `run` repeats.
    pub async fn turn(&mut self, stop: &CancellationToken) -> Pass<Duration> {
        while self.round().await? && !stop.is_cancelled() {}
        self.pause()
    }

    /// Waits until something of ours was recorded or has ended.
    pub async fn woken(&mut self) -> Pass<()> {
        tokio::select! {
            biased;
            () = self.wake.notified() => {}
            changed = self.journalled.changed() => {
                if changed.is_err() {
                    return Err(StoreError::Closed);
                }
                // What else is being committed comes with it.
                tokio::time::sleep(GATHER).await;
            }
        }
        self.journalled.mark_unchanged();
        Ok(())
    }

    /// One round of all reconcilers. True: something was recorded, so there is more to do.
    async fn round(&mut self) -> Pass<bool> {
        self.pulse.begins("requests");
        self.watch_the_clock().await?;
        self.watch_the_stop_file();
        let ended = self.errands.collect().await?;
        for headnode in &ended.headnodes {
            self.also.all = true;
            self.poller.hurry(headnode);
        }
        let answered =
            requests::answer(&self.context, &self.reader, &mut self.errands, &self.poller).await?;
        if let Some(settings) = answered.anew {
            self.anew = Some(Box::new(settings));
            return Ok(false);
        }
        if answered.turned {
            self.also.all = true;
            self.poller.hurry_all();
        }
        self.errands.go_on(&self.reader, &self.poller)?;
        self.pulse.done("requests");

        self.pulse.begins("scan");
        let looked = self.scanner.collect()?;
        let hinted = self.scanner.start(&self.reader)?;
        self.also.all |= looked.turned;
        for id in looked.touched.into_iter().chain(hinted.touched) {
            if let Some(case) = self.reader.case(&id)? {
                self.executor.add(case, Action::Scan);
            }
        }
        self.pulse.done("scan");

        self.pulse.begins("advance");
        let ended = self.executor.collect().await?;
        for id in &ended.scan {
            if let Some(case) = self.reader.case(id)? {
                self.executor.add(case, Action::Scan);
            }
        }
        self.also.cases.extend(ended.cases);
        for headnode in &ended.poll {
            self.poller.hurry(headnode);
        }
        self.also.all |= self.poller.collect()?;
        self.watch_the_headnodes()?;
        let all = self.also.all;
        let report = advance(&self.context, &self.reader, std::mem::take(&mut self.also)).await?;
        let planned = !report.planned.is_empty();
        self.executor.want(report.planned);
        let (poller, headnodes) = (&self.poller, &self.headnodes);
        self.executor.start(|name| match headnodes.get(name) {
            Some(headnode) if poller.is_ours(name) => contact(&headnode.state),
            Some(_) | None => Contact::None,
        });
        self.pulse.done("advance");

        self.pulse.begins("schedule");
        let granted = self.schedule(all || planned).await?;
        self.pulse.done("schedule");

        self.pulse.begins("poll");
        let errands = &self.errands;
        self.poller.start(&self.reader, |headnode| errands.is_adopting(headnode))?;
        self.pulse.done("poll");

        let monotonic = self.context.clock.monotonic();
        if monotonic >= self.next_prune {
            self.pulse.begins("prune");
            self.next_prune = monotonic + PRUNE;
            let retained = prune::prune(&self.context, &self.reader).await?;
            self.errands.retain(retained);
            self.pulse.done("prune");
        }
        if monotonic >= self.next_alive {
            self.next_alive = monotonic + TELL_ALIVE;
            if let Err(error) = self.pulse.tell() {
                tracing::warn!(%error, "alive.json cannot be written");
            }
        }
        Ok(report.recorded || granted)
    }

    /// Gives slots where anything has happened since they were given last.
    async fn schedule(&mut self, turned: bool) -> Pass<bool> {
        let journalled = *self.context.store.journalled().borrow();
        if !turned && self.scheduled == Some(journalled) {
            return Ok(false);
        }
        let poller = &self.poller;
        let ours = |headnode: &HeadnodeName| poller.is_ours(headnode);
        let granted = schedule::give_slots(&self.context, &self.reader, ours).await?;
        self.scheduled = Some(journalled);
        Ok(granted)
    }

    /// The red button needs no program to be pressed, so it is looked at.
    fn watch_the_stop_file(&mut self) {
        let stopped = stop_file(self.context.state_dir());
        if stopped != self.stopped {
            self.stopped = stopped;
            self.also.all = true;
        }
    }

    /// Who meets a fault stores it with the headnode; what that means for its cases is
    /// planned here.
    fn watch_the_headnodes(&mut self) -> Pass<()> {
        let headnodes = self.reader.headnodes()?;
        let headnodes = headnodes.into_iter().map(|h| (h.name.clone(), h.condition())).collect();
        if headnodes != self.headnodes {
            self.headnodes = headnodes;
            self.also.all = true;
        }
        Ok(())
    }

    /// A step of the wall clock moves every stored time; a new day changes how instants
    /// are written. Both plan every case anew, and a step times each silence anew.
    async fn watch_the_clock(&mut self) -> Pass<()> {
        let (now, monotonic) = (self.context.clock.now(), self.context.clock.monotonic());
        let (then, since) = self.clocks;
        let passed = monotonic.saturating_sub(since);
        let by_the_wall = now.duration_since(then).as_millis();
        let by_the_heart = i128::try_from(passed.as_millis()).unwrap_or(i128::MAX);
        let step = (by_the_wall - by_the_heart).unsigned_abs();
        if step > STEP.as_millis() {
            tracing::warn!(
                milliseconds = step,
                "the wall clock was set; every case is planned anew"
            );
            self.also.all = true;
            let cases = self.reader.live_cases()?;
            let silent = cases
                .into_iter()
                .filter(|case| case.attempt().is_some_and(|attempt| attempt.silence.is_some()));
            super::all(silent.map(|case| self.context.record(case.id, Observation::ClockStepped)))
                .await?;
        }
        let zone = &self.context.settings.time_zone;
        let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
        if day(now) != day(then) {
            self.also.all = true;
        }
        self.clocks = (now, monotonic);
        Ok(())
    }

    fn pause(&self) -> Pass<Duration> {
        let (now, monotonic) = (self.context.clock.now(), self.context.clock.monotonic());
        let mut pause = LONGEST;
        if let Some(at) = self.reader.next_wake()? {
            pause = pause.min(Duration::try_from(at.duration_since(now)).unwrap_or_default());
        }
        for next in [self.scanner.next(), self.poller.next()].into_iter().flatten() {
            pause = pause.min(next.saturating_sub(monotonic));
        }
        // Never a busy loop, whatever a due time says.
        Ok(pause.max(Duration::from_millis(1)))
    }

    /// For `--run-once`: nothing is being done, and nothing but a person or a change in
    /// a folder can bring any case further.
    fn is_all_done(&self) -> Pass<bool> {
        if !self.scanner.is_settled() || !self.executor.is_idle() || !self.errands.is_idle() {
            return Ok(false);
        }
        let around = Surroundings::read(&self.reader, self.context.state_dir())?;
        let now = self.context.clock.now();
        Ok(all_done(&self.reader.live_cases()?, &around, &self.context.settings, now))
    }
}
