//! Owns running one job the way jobs run on a headnode without owning its work_dir: in
//! a work_dir of its own beside the cases, by the same scripts, through the same queue.
//! It leaves nothing behind: the folder is removed, the entry taken out of the queue, and
//! every process ended, however it went.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::ids::{Arrival, AttemptId, CaseName, GroupName, HeadnodeName, IntakeName};
use daylily_lifecycle::outcome::{Alive, Claim, ExitRecord, Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::attempts::ShellHost;
use super::job::JobGround;
use super::proof::ask;
use super::shell::{Owner, Shell, WorkDir};
use super::{HostLook, Job};
use crate::adapters::queue::{Entry, Queue};
use crate::clock::Clock;

const BEGIN: &str = include_str!("scripts/trial_begin.sh");
const END: &str = include_str!("scripts/trial_end.sh");

/// The name of a case's folder in a trial's own.
const CASE: &str = "case";

/// So much of the output is kept.
const SAID_MAX: u64 = 4096;

/// How long the bell is waited for before the attempt is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How long what was ended may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// The folder of one trial, which is a work_dir of its own.
pub struct TrialPlace<S> {
    shell: S,
    dir: String,
    attempt: AttemptId,
    work_dir: Arc<WorkDir<S>>,
}

/// One trial on one headnode.
pub struct Trial<S> {
    place: TrialPlace<S>,
    umask: u32,
    host: ShellHost<S>,
    queue: Arc<dyn Queue>,
    /// None where the queue keeps no list.
    listed: Option<Box<dyn Listed>>,
    clock: Arc<dyn Clock>,
}

/// Whether a queue has entries of a label that is no attempt's.
#[async_trait::async_trait]
pub trait Listed: Send + Sync {
    async fn entries(&self, label: &AttemptId) -> Result<usize, Fault>;
}

/// What is run.
#[derive(Debug, Clone)]
pub struct TrialOrder {
    pub group: GroupName,
    pub shell: Vec<String>,
    pub setup: Option<String>,
    pub command: String,
    pub env: BTreeMap<String, String>,
    /// How long the queue may take to begin it.
    pub begin: Duration,
    /// How long it may run.
    pub run: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub came_to: CameTo,
    /// The end of what it printed.
    pub said: String,
    /// What could not be cleared away, and why.
    pub left: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameTo {
    Ended {
        code: Option<i32>,
    },
    /// The queue did not begin it in time, and it was taken out again.
    NotBegun,
    /// It was ended.
    TookTooLong,
    /// We were told to stop, and it was ended.
    Stopped,
}

/// What differs from headnode to headnode.
#[derive(Debug, Clone)]
pub struct TrialGround {
    pub headnode: HeadnodeName,
    pub path: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub umask: u32,
}

impl<S: Shell + Clone> TrialPlace<S> {
    /// In `folder`, which is there and ours to write to; `id` is told from all others.
    pub fn new(shell: S, folder: &str, id: &str) -> Self {
        let dir = format!("{}/.daylily-watch-trial.{id}", folder.trim_end_matches('/'));
        let owner = Owner::of_start(format!("trial-{id}"), 1, "trial");
        let work_dir = Arc::new(WorkDir::new(shell.clone(), dir.clone(), owner));
        // The daemon takes what begins with `dw-` for its own.
        let attempt = AttemptId::new(format!("daylily-check-{id}"));
        Self { shell, dir, attempt, work_dir }
    }

    /// For the queue.
    pub fn work_dir(&self) -> &Arc<WorkDir<S>> {
        &self.work_dir
    }
}

impl<S: Shell> Trial<S> {
    /// `queue` starts what is in the work_dir of `place`.
    pub fn new(
        place: TrialPlace<S>,
        ground: TrialGround,
        queue: Arc<dyn Queue>,
        listed: Option<Box<dyn Listed>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let TrialGround { headnode, path, env, umask } = ground;
        let mut ground = JobGround::new(place.work_dir.root(), path, env, umask);
        // Nobody waits for room on a full disk here.
        (ground.retry_every, ground.retries) = (Duration::from_secs(1), 5);
        let host = ShellHost::new(headnode, place.work_dir.clone(), ground);
        Self { place, umask, host, queue, listed, clock }
    }

    /// What its entry in the queue is called, and its processes carry.
    pub fn label(&self) -> &AttemptId {
        &self.place.attempt
    }

    /// Runs it to an end and clears everything away. A fault says that it could not be
    /// begun; then, too, all was cleared away.
    pub async fn run(self, order: &TrialOrder, stop: &CancellationToken) -> Result<Tried, Fault> {
        let tried = self.begun(order, stop).await;
        let left = self.clear().await.err().map(|fault| fault.text);
        match tried {
            Ok((came_to, said)) => Ok(Tried { came_to, said, left }),
            Err(fault) => Err(match left {
                Some(left) => {
                    Fault::new(fault.class, format!("{}; left there: {left}", fault.text))
                }
                None => fault,
            }),
        }
    }

    async fn begun(
        &self,
        order: &TrialOrder,
        stop: &CancellationToken,
    ) -> Result<(CameTo, String), Fault> {
        let umask = format!("{:04o}", self.umask & 0o777);
        let made = ask(&self.place.shell, BEGIN, &[&self.place.dir, &umask]).await?;
        if made.code != Some(0) {
            let said = made.stderr.lines().next().unwrap_or("the folder cannot be made");
            return Err(Fault::new(
                FaultClass::TransientStep,
                format!("{}: {said}", self.place.dir),
            ));
        }
        self.host.own(false).await?;
        self.host.prepare(&self.job(order)).await?;
        let entry = Entry { attempt: self.place.attempt.clone(), group: order.group.clone() };
        match self.queue.add(&[entry]).await.pop() {
            Some(Ok(_)) => {}
            // It may be there: what follows shows.
            Some(Err(Fault { class: FaultClass::Ambiguous, .. })) | None => {}
            Some(Err(fault)) => return Err(fault),
        }
        let came_to = self.watched(order, stop).await?;
        let said = self.host.tail(&self.place.attempt, SAID_MAX).await.unwrap_or_default();
        Ok((came_to, said))
    }

    async fn watched(&self, order: &TrialOrder, stop: &CancellationToken) -> Result<CameTo, Fault> {
        let added = self.clock.monotonic();
        let mut began = None;
        loop {
            let now = self.clock.monotonic();
            if let Some(HostLook::Saw { exit, claim, .. }) = self.look().await? {
                if let ExitRecord::Present { code, .. } = exit {
                    return Ok(CameTo::Ended { code });
                }
                if matches!(claim, Claim::Job { .. }) {
                    began.get_or_insert(now);
                }
            }
            let late = match began {
                Some(began) => now.saturating_sub(began) >= order.run,
                None => now.saturating_sub(added) >= order.begin,
            };
            if stop.is_cancelled() {
                return Ok(CameTo::Stopped);
            }
            if late {
                return Ok(if began.is_some() { CameTo::TookTooLong } else { CameTo::NotBegun });
            }
            tokio::select! {
                // A hint: whether it rang or not, what it is about is looked at.
                _ = self.host.bell(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn look(&self) -> Result<Option<HostLook>, Fault> {
        Ok(self.host.read(std::slice::from_ref(&self.place.attempt)).await?.pop())
    }

    /// Ends what runs, takes the entry out of the queue and removes the folder.
    async fn clear(&self) -> Result<(), Fault> {
        let ended = self.ended().await;
        let taken_out = self.taken_out().await;
        // What still runs would lose the ground under its feet, and nobody could tell any
        // more what it is.
        ended?;
        let removed = ask(&self.place.shell, END, &[&self.place.dir]).await?;
        taken_out?;
        match removed.code {
            Some(0) => Ok(()),
            Some(_) | None => {
                let said = removed.stderr.lines().next().unwrap_or_default();
                let text = format!("{} cannot be removed: {said}", self.place.dir);
                Err(Fault::new(FaultClass::TransientStep, text))
            }
        }
    }

    /// Sees to it that nothing of it runs or ever will.
    async fn ended(&self) -> Result<(), Fault> {
        let Some(HostLook::Saw { exit, .. }) = self.look().await.unwrap_or_default() else {
            // It was never made.
            return Ok(());
        };
        if exit == ExitRecord::Absent
            && self.host.take_claim(&self.place.attempt).await? == ClaimedBy::Daemon
        {
            return Ok(());
        }
        let begun = self.clock.monotonic();
        let mut force = Force::Terminate;
        loop {
            match self.look().await? {
                Some(HostLook::Saw { alive: Alive::Yes, .. }) => {}
                Some(HostLook::Saw { alive: Alive::No { .. } | Alive::Unknowable, .. })
                | Some(HostLook::CouldNot { .. })
                | None => return Ok(()),
            }
            if self.clock.monotonic().saturating_sub(begun) >= GONE_WITHIN {
                let text = format!("processes with DAYLILY_ATTEMPT={}", self.place.attempt);
                return Err(Fault::new(FaultClass::TransientStep, text));
            }
            self.host.end(&self.place.attempt, force).await?;
            force = Force::KillAll;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// pueue sees the end of a task only after a while, and lets go of it only then.
    async fn taken_out(&self) -> Result<(), Fault> {
        let label = std::slice::from_ref(&self.place.attempt);
        let Some(listed) = &self.listed else { return self.queue.remove(label).await };
        let begun = self.clock.monotonic();
        loop {
            if listed.entries(&self.place.attempt).await? == 0 {
                return Ok(());
            }
            self.queue.remove(label).await?;
            if self.clock.monotonic().saturating_sub(begun) >= GONE_WITHIN {
                let text = format!("the entry {} in the queue", self.place.attempt);
                return Err(Fault::new(FaultClass::TransientStep, text));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn job(&self, order: &TrialOrder) -> Job {
        Job {
            attempt: self.place.attempt.clone(),
            intake: IntakeName::new("check"),
            name: CaseName::new(CASE),
            arrival: Arrival::FIRST,
            digest: None,
            number: 1,
            remote_name: CASE.to_owned(),
            dir: format!("{}/{CASE}", self.place.dir),
            shell: order.shell.clone(),
            setup: order.setup.clone(),
            command: order.command.clone(),
            env: order.env.clone(),
            record: None,
        }
    }
}
