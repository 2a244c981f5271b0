//! Owns a life: the ground, the daemons on it, and all that happens to them in the order
//! of a schedule. Nothing runs beside anything else, and time is that of the runtime, so
//! a schedule has one life and no other.

mod chair;
pub(crate) mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::{AttemptId, ByteCount};
use daylily_lifecycle::outcome::{Fault, FaultClass, QueueWord};
use daylily_watch::adapters::host::fake::{Call, Started};
use daylily_watch::adapters::host::shell::Owner;
use daylily_watch::clock::Clock as _;
use daylily_watch::config::{self, Settings};
use tempfile::TempDir;
use tokio::time::Instant;

use chair::Chair;
use people::of;

use crate::daemon::{Daemon, temporary_folder};
use crate::ground::{CONFIG, Ground};
use crate::laws::{Verdict, executed_once, is_set_aside};
use crate::passage::Points;
use crate::schedule::{CasePlan, Fate, Happening, Schedule, name};
use crate::time::{instant, tenths};

/// A life that has not ended by itself so long after the last thing that went wrong
/// never will.
const FOR_EVER: Duration = Duration::from_secs(26 * 3600);

/// How long a daemon that was killed stays away.
const DOWN: Duration = Duration::from_secs(3);

/// What came of a life.
#[derive(Debug, Clone)]
pub(crate) struct Lived {
    pub(crate) verdict: Verdict,
    pub(crate) cases: usize,
    /// Times that a daemon was killed.
    pub(crate) deaths: u64,
    /// What went wrong besides.
    pub(crate) faults: u64,
    /// Crash points that were passed.
    pub(crate) points: u64,
    pub(crate) names: Vec<String>,
    pub(crate) story: Vec<String>,
}

/// Lives a schedule to its end. With `told`, the story is kept.
pub(crate) fn live(schedule: &Schedule, told: bool) -> Lived {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread needs nothing");
    runtime.block_on(async {
        let mut world = World::new(schedule, told);
        let verdict = world.live().await;
        world.lived(verdict)
    })
}

/// Something that is due.
#[derive(Debug, Clone)]
enum Due {
    Arrives(usize),
    Happens(Happening),
    Starts(AttemptId),
    Ends(AttemptId, Fate),
    ChildrenEnd(AttemptId),
    DaemonStarts(usize),
    /// A daemon on a copy of the database is started.
    Copied,
    /// Nothing goes wrong any more, and a person puts right what needs one.
    Calm,
    /// A person has looked at what is held, and says what is dead.
    LookedAt(u32),
}

pub(crate) struct World {
    pub(crate) ground: Ground,
    dir: TempDir,
    pub(crate) seats: Vec<Chair>,
    schedule: Schedule,
    due: BTreeMap<(Instant, u64), Due>,
    count: u64,
    begun: Instant,
    /// Entries of the queue that are about to be started.
    starting: BTreeSet<AttemptId>,
    /// What the owner file said before work_dir was away.
    owner: Option<Owner>,
    pub(crate) calm: bool,
    deaths: u64,
    faults: u64,
    told: bool,
    story: Vec<String>,
}

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let dir = temporary_folder();
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, CONFIG).expect("it can be written");
        config::load(&file).expect("it is valid")
    })
}

fn is_over(state: StateName) -> bool {
    state.is_terminal() || state == StateName::Rejected
}

impl World {
    pub(crate) fn new(schedule: &Schedule, told: bool) -> Self {
        let dir = temporary_folder();
        let points = Points::new(schedule, told);
        let begun = instant();
        let mut world = Self {
            ground: Ground::new(schedule.without),
            seats: vec![Chair::new(&dir, 0, schedule.seed, points, told)],
            dir,
            schedule: schedule.clone(),
            due: BTreeMap::new(),
            count: 0,
            begun,
            starting: BTreeSet::new(),
            owner: None,
            calm: false,
            deaths: 0,
            faults: 0,
            told,
            story: Vec::new(),
        };
        world.at(Duration::ZERO, Due::DaemonStarts(0));
        let mut last = 0;
        for (case, plan) in schedule.cases.iter().enumerate() {
            world.at(tenths(plan.arrives), Due::Arrives(case));
            last = last.max(plan.arrives);
        }
        for event in &schedule.events {
            world.at(tenths(event.at), Due::Happens(event.what));
            last = last.max(event.at);
        }
        if schedule.copies {
            world.at(tenths(5), Due::Copied);
        }
        world.at(tenths(last + 1200), Due::Calm);
        world
    }

    /// A world in which nothing is decided before.
    pub(crate) fn on_stage() -> Self {
        let mut world = Self::new(&Schedule::default(), false);
        world.due.retain(|_, due| !matches!(due, Due::Calm));
        world
    }

    /// What becomes of jobs from now on.
    pub(crate) fn plan(&mut self, cases: Vec<CasePlan>) {
        self.schedule.cases = cases;
    }

    fn at(&mut self, after: Duration, what: Due) {
        self.count += 1;
        self.due.insert((instant() + after, self.count), what);
    }

    /// Goes on until all is over.
    async fn live(&mut self) -> Verdict {
        loop {
            if self.is_over() {
                // What was recorded in the last wait is only known when it is looked at.
                self.check()?;
                if self.is_over() {
                    break;
                }
            }
            if self.calm && instant().duration_since(self.begun) > FOR_EVER + self.length() {
                break;
            }
            self.step(None).await?;
        }
        let one_of_several = self.seats.len() > 1;
        for chair in &self.seats {
            if let Some(reader) = &chair.reader {
                chair.laws.check_the_end(reader, one_of_several)?;
            }
        }
        self.seats[0].laws.lost_no_folder(&self.ground)?;
        let mut wanted = BTreeMap::new();
        for chair in &self.seats {
            chair.laws.wanted(&mut wanted);
        }
        executed_once(&self.ground, &wanted)
    }

    fn length(&self) -> Duration {
        let events = self.schedule.events.iter().map(|event| event.at);
        tenths(events.chain(self.schedule.cases.iter().map(|case| case.arrives)).max().unwrap_or(0))
    }

    /// Whether nothing is left that could happen.
    fn is_over(&self) -> bool {
        let ended = |chair: &Chair| {
            let mut cases = chair.laws.cases();
            let set_aside = |reader| is_set_aside(reader) == Ok(true);
            cases.all(|case| is_over(case.state.name()) || case.hold.is_some())
                || self.seats.len() > 1 && chair.reader.as_ref().is_some_and(set_aside)
        };
        let arrived = || self.seats[0].laws.lost_no_folder(&self.ground).is_ok();
        let due = self.due.values().any(|due| !matches!(due, Due::LookedAt(_)));
        self.calm && !due && arrived() && self.seats.iter().all(ended)
    }

    /// Lets happen what is due, then each daemon do what it has to, checks the laws, and
    /// lets time pass till something is due again, at most until `limit`.
    pub(crate) async fn step(&mut self, limit: Option<Instant>) -> Verdict {
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > instant() {
                break;
            }
            let what = entry.remove();
            self.happen(what).await;
        }
        for chair in &mut self.seats {
            if let Some(daemon) = &mut chair.daemon {
                let life = daemon.life.clone();
                tokio::select! {
                    biased;
                    () = life.ended() => {}
                    pause = daemon.driver.turn(&daemon.stop) => {
                        let pause = pause.map_err(|error| format!("the daemon broke: {error}"))?;
                        chair.next = instant() + pause;
                    }
                }
            }
        }
        self.bury().await;
        self.start_what_waits();
        self.check()?;
        self.wait(limit).await;
        self.bury().await;
        Ok(())
    }

    fn check(&mut self) -> Verdict {
        let mut told = Vec::new();
        let mut verdict = Ok(());
        for chair in &mut self.seats {
            if let Some(reader) = &chair.reader {
                verdict = verdict.and(chair.laws.check(reader, &self.ground));
            }
            told.append(&mut chair.seat.points.take_story());
            if let Some(story) = &mut chair.laws.story {
                told.append(story);
            }
        }
        for line in told {
            self.tell(&line);
        }
        verdict
    }

    pub(crate) fn tell(&mut self, line: &str) {
        if self.told {
            let at = instant().duration_since(self.begun).as_millis();
            self.story.push(format!("{:>9}.{} s  {line}", at / 1000, at % 1000 / 100));
        }
    }

    async fn wait(&mut self, limit: Option<Instant>) {
        let mut next = self.due.keys().next().map(|(at, _)| *at);
        let mut wakings = Vec::new();
        for chair in &mut self.seats {
            if let Some(daemon) = &mut chair.daemon {
                next = Some(next.map_or(chair.next, |next| next.min(chair.next)));
                let life = daemon.life.clone();
                wakings.push(Box::pin(async move {
                    tokio::select! {
                        biased;
                        () = life.ended() => {}
                        woken = daemon.driver.woken() => drop(woken),
                    }
                }));
            }
        }
        let next = match (next, limit) {
            (Some(next), Some(limit)) => next.min(limit),
            (Some(next), None) => next,
            (None, Some(limit)) => limit,
            (None, None) => instant() + Duration::from_secs(1),
        };
        if wakings.is_empty() {
            tokio::time::sleep_until(next).await;
            return;
        }
        tokio::select! {
            biased;
            _ = futures_util::future::select_all(wakings) => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }

    /// Takes away daemons that were killed, and has them started again.
    async fn bury(&mut self) {
        for at in 0..self.seats.len() {
            let is_dead = |daemon: &Daemon| daemon.life.is_over();
            if !self.seats[at].daemon.as_ref().is_some_and(is_dead) {
                continue;
            }
            self.deaths += 1;
            self.seats[at].leave(&self.ground).await;
            self.at(DOWN, Due::DaemonStarts(at));
        }
    }

    async fn happen(&mut self, what: Due) {
        let now = self.ground.clock.now();
        self.ground.machine.state().now = now;
        match what {
            Due::Arrives(case) => {
                let plan = self.schedule.cases[case];
                self.arrives(&name(case), plan.gpus, plan.unheard);
            }
            Due::Happens(happening) => {
                self.tell(&happening.to_string());
                self.faults += 1;
                self.happens(happening).await;
            }
            Due::Starts(attempt) => self.start(&attempt),
            Due::Ends(attempt, fate) => self.end(&attempt, fate),
            Due::ChildrenEnd(attempt) => {
                if let Some(there) = self.ground.machine.state().attempts.get_mut(&attempt) {
                    there.processes = 0;
                }
            }
            Due::DaemonStarts(at) => {
                if self.seats[at].daemon.is_none() {
                    self.tell("the daemon is started");
                    if !self.seats[at].start(&self.ground).await {
                        self.deaths += 1;
                        self.at(DOWN, Due::DaemonStarts(at));
                    }
                }
            }
            Due::Copied => self.copy(),
            Due::Calm => self.calm_down().await,
            Due::LookedAt(times) => self.look_at_what_is_held(times),
        }
    }

    pub(crate) fn arrives(&mut self, name: &str, gpus: u32, unheard: bool) {
        let now = self.ground.clock.now();
        self.tell(&format!("folder {name} arrives"));
        self.ground.home.arrives(name, gpus, now);
        if !unheard {
            self.ground.home.tell(name, now);
        }
    }

    pub(crate) async fn happens(&mut self, happening: Happening) {
        let now = self.ground.clock.now();
        let home = self.ground.home.clone();
        match happening {
            Happening::Kill => self.kill(),
            Happening::Restart => {
                if let Some(daemon) = self.seats[0].daemon.take() {
                    daemon.stop.cancel();
                    self.seats[0].end(daemon, &self.ground).await;
                    self.at(DOWN, Due::DaemonStarts(0));
                }
            }
            Happening::HostAway(away) => {
                let fault = Fault::new(FaultClass::TransientHost, "connection timed out");
                self.ground.machine.state().away = away.then_some(fault);
            }
            Happening::QueueAway(away) => {
                let fault =
                    Fault::new(FaultClass::TransientHost, "the queue's daemon does not run");
                let mut state = self.ground.machine.state();
                for call in [Call::Words, Call::Add, Call::Remove, Call::Version] {
                    match away {
                        true => state.refused.insert(call, fault.clone()),
                        false => state.refused.remove(&call),
                    };
                }
            }
            Happening::QueueWiped => self.ground.queue.list().clear(),
            Happening::QueueReset => {
                let list = std::mem::take(&mut *self.ground.queue.list());
                for listed in list.iter().filter(|listed| listed.says == QueueWord::Running) {
                    self.ground.machine.vanish(&listed.entry.attempt);
                }
                self.ground.queue.is_run(&self.count.to_string());
            }
            Happening::QueuePaused(paused) => {
                for group in self.ground.queue.groups().iter_mut().flat_map(BTreeMap::values_mut) {
                    group.paused = paused;
                }
            }
            Happening::Reboot => {
                self.ground.machine.reboot();
                for listed in self.ground.queue.list().iter_mut() {
                    if listed.says == QueueWord::Running {
                        listed.says = QueueWord::Killed;
                    }
                }
                self.ground.queue.is_run(&self.count.to_string());
            }
            Happening::Unmounted(away) => {
                let mut state = self.ground.machine.state();
                match away {
                    true => self.owner = state.owner.take().or(self.owner.take()),
                    false => state.owner = self.owner.take().or(state.owner.take()),
                }
            }
            Happening::IntakeAway(away) => home.is_away(away),
            Happening::DiskFull(full) => {
                self.ground.machine.state().free = ByteCount(if full { 0 } else { 1 << 40 });
            }
            Happening::ClockStep(seconds) => self.ground.clock.step(seconds),
            Happening::Written(case) => {
                home.is_written(&name(case), now);
                home.tell(&name(case), now);
            }
            Happening::Taken(case) => {
                home.is_taken(&name(case));
                home.tell(&name(case), now);
            }
            Happening::PutBack(case) => {
                home.is_put_back(&name(case), now);
                home.tell(&name(case), now);
            }
            Happening::Asked(case, ask) => self.ask_of(ask.verb(), &name(case)),
            Happening::PauseAll(paused) => {
                self.ask(if paused { "pause" } else { "resume" }, "", of("all", true.into()));
            }
        }
    }

    /// The daemon is dead from here on.
    pub(crate) fn kill(&mut self) {
        if let Some(daemon) = &self.seats[0].daemon {
            daemon.life.end();
        }
    }

    fn plan_of(&self, attempt: &AttemptId) -> Option<CasePlan> {
        let state = self.ground.machine.state();
        let named = state.attempts.get(attempt)?.job.name.as_str().to_owned();
        let at = (0..self.schedule.cases.len()).find(|case| name(*case) == named)?;
        Some(self.schedule.cases[at])
    }

    /// The queue starts what waits, as far as its groups have room.
    pub(crate) fn start_what_waits(&mut self) {
        self.ground.queue.notice_ends();
        let mut begin = Vec::new();
        {
            let groups = self.ground.queue.groups().clone().unwrap_or_default();
            let list = self.ground.queue.list();
            for (name, group) in groups {
                let of_group = || list.iter().filter(|listed| listed.entry.group == name);
                let begun = |says: QueueWord, attempt: &AttemptId| {
                    says == QueueWord::Running || self.starting.contains(attempt)
                };
                let mut taken = of_group().filter(|l| begun(l.says, &l.entry.attempt)).count();
                for listed in of_group().filter(|listed| listed.says == QueueWord::Waiting) {
                    let attempt = &listed.entry.attempt;
                    let places = usize::try_from(group.places).unwrap_or(usize::MAX);
                    if group.paused || taken >= places || self.starting.contains(attempt) {
                        continue;
                    }
                    taken += 1;
                    begin.push(attempt.clone());
                }
            }
        }
        for attempt in begin {
            let lingers = self.plan_of(&attempt).map_or(0, |plan| plan.lingers);
            if self.starting.insert(attempt.clone()) {
                self.at(tenths(lingers), Due::Starts(attempt));
            }
        }
    }

    fn start(&mut self, attempt: &AttemptId) {
        self.starting.remove(attempt);
        let started = self.ground.queue.start(attempt);
        if let Some(started) = started {
            self.tell(&format!("the queue starts {attempt}: {started:?}"));
        }
        if started != Some(Started::Claimed) {
            return;
        }
        let plan = self.plan_of(attempt).unwrap_or(CasePlan::PLAIN);
        if plan.fate == Fate::IsDeaf
            && let Some(there) = self.ground.machine.state().attempts.get_mut(attempt)
        {
            there.deaf = true;
        }
        match plan.fate {
            Fate::RunsForEver | Fate::IsDeaf => {}
            fate @ (Fate::Exits(_) | Fate::Vanishes | Fate::LeavesProcesses(_)) => {
                self.at(tenths(plan.runs), Due::Ends(attempt.clone(), fate));
            }
        }
    }

    fn end(&mut self, attempt: &AttemptId, fate: Fate) {
        let (machine, now) = (self.ground.machine.clone(), self.ground.clock.now());
        let dir = {
            let mut state = machine.state();
            let there = state.attempts.get_mut(attempt).filter(|there| there.running);
            let Some(there) = there else { return };
            if let Fate::LeavesProcesses(_) = fate {
                there.processes = 1;
            }
            there.job.dir.clone()
        };
        self.tell(&format!("{attempt} ends: {fate:?}"));
        let results = |machine: &daylily_watch::adapters::host::fake::FakeMachine| {
            let file = (b"reads".to_vec(), now);
            machine.state().files.insert(format!("{dir}/out.bam"), file);
        };
        match fate {
            Fate::Exits(code) => {
                if code == 0 {
                    results(&machine);
                }
                machine.finish(attempt, Some(code), None);
            }
            Fate::LeavesProcesses(seconds) => {
                results(&machine);
                machine.finish(attempt, Some(0), None);
                self.at(Duration::from_secs(seconds.into()), Due::ChildrenEnd(attempt.clone()));
            }
            Fate::Vanishes => machine.vanish(attempt),
            Fate::RunsForEver | Fate::IsDeaf => {}
        }
        self.ground.queue.notice_ends();
    }

    /// A copy of the database is put beside, and a daemon started on it.
    fn copy(&mut self) {
        let Some(reader) = &self.seats[0].reader else { return };
        let points = Points::new(&Schedule::default(), self.told);
        let at = self.seats.len();
        let chair = Chair::new(&self.dir, at, self.schedule.seed ^ 1, points, self.told);
        reader.back_up(&chair.seat.state_dir().join("daylily.db")).expect("it can be copied");
        self.seats.push(chair);
        self.tell("a daemon is started on a copy of the database");
        self.at(Duration::ZERO, Due::DaemonStarts(at));
    }

    fn lived(mut self, verdict: Verdict) -> Lived {
        let points = &self.seats[0].seat.points;
        Lived {
            cases: self.seats[0].laws.cases().count(),
            deaths: self.deaths,
            faults: self.faults + points.met(),
            points: points.passed(),
            names: points.names(),
            story: std::mem::take(&mut self.story),
            verdict,
        }
    }
}
