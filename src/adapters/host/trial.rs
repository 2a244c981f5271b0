//! Owns running one job the way jobs run on a headnode without owning its work_dir: in
//! a work_dir of its own beside the cases, by the same scripts, through the same queue.
//! It leaves nothing behind: the folder is removed, the entry taken out of the queue, and
//! every process ended, however it went.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::ids::{Arrival, AttemptId, CaseName, GroupName, HeadnodeName, IntakeName};
use daylily_lifecycle::outcome::{Claim, ExitRecord, Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::attempts::ShellHost;
use super::job::JobGround;
use super::proof::ask;
use super::remains::{Listed, Remains};
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
    remains: Remains<S>,
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
    pub fn new(shell: S, headnode: HeadnodeName, folder: &str, id: &str) -> Self {
        let dir = format!("{}/.daylily-watch-trial.{id}", folder.trim_end_matches('/'));
        let owner = Owner::of_start(format!("trial-{id}"), 1, "trial");
        let work_dir = Arc::new(WorkDir::new(shell.clone(), headnode, dir.clone(), owner));
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
        Self { place, umask, remains: Remains { host, queue, listed, clock } }
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
        self.remains.host.own(false).await?;
        self.remains.host.prepare(&self.job(order)).await?;
        let entry = Entry { attempt: self.place.attempt.clone(), group: order.group.clone() };
        match self.remains.queue.add(&[entry]).await.pop() {
            Some(Ok(_)) => {}
            // It may be there: what follows shows.
            Some(Err(Fault { class: FaultClass::Ambiguous, .. })) | None => {}
            Some(Err(fault)) => return Err(fault),
        }
        let came_to = self.watched(order, stop).await?;
        let said = self.remains.host.tail(&self.place.attempt, SAID_MAX).await.unwrap_or_default();
        Ok((came_to, said))
    }

    async fn watched(&self, order: &TrialOrder, stop: &CancellationToken) -> Result<CameTo, Fault> {
        let added = self.remains.clock.monotonic();
        let mut began = None;
        loop {
            let now = self.remains.clock.monotonic();
            if let Some(HostLook::Saw { exit, claim, .. }) =
                self.remains.look(&self.place.attempt).await?
            {
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
                _ = self.remains.host.bell(LOOK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Ends what runs, takes the entry out of the queue and removes the folder.
    async fn clear(&self) -> Result<(), Fault> {
        let ended = self.remains.ended(&self.place.attempt).await;
        let taken_out = self.remains.taken_out(&self.place.attempt).await;
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
