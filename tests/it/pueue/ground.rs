//! Owns a headnode with a real pueued: a work_dir, its host, and the queue over both.
//! Programs may be put in the way of the real client.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use daylily_lifecycle::ids::{AttemptId, GroupName, HeadnodeName, TaskId};
use daylily_lifecycle::outcome::{Conclusion, Evidence, Fault, Look, QueueWord, Seen, conclude};
use daylily_watch::adapters::host::HostLook;
use daylily_watch::adapters::host::local::{LocalHost, LocalHostSettings, LocalShell};
use daylily_watch::adapters::queue::pueue::{Pueue, PueueSettings};
use daylily_watch::adapters::queue::{Entry, Queue, QueueLook};

use crate::servers::pueued::{PROGRAMS, Pueued};
use crate::stage::{Stage, entry, owner, settings_in};
use crate::wait::{LIMIT, until, until_seen};

pub(crate) struct Ground {
    pub(crate) queue: Pueue<LocalShell>,
    pub(crate) pueued: Pueued,
    pub(crate) stage: Stage,
}

/// How a queue is made that differs from the usual one.
pub(crate) struct Way {
    pub(crate) path: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) settings: PueueSettings,
}

pub(crate) const NEVER_SEEN: Seen =
    Seen { claimed_at: None, in_queue: false, queue_wiped: Some(false) };
pub(crate) const SEEN: Seen = Seen { claimed_at: None, in_queue: true, queue_wiped: Some(false) };
pub(crate) const WIPED: Seen = Seen { claimed_at: None, in_queue: true, queue_wiped: Some(true) };

impl Ground {
    pub(crate) async fn new() -> Self {
        Self::with(Pueued::start()).await
    }

    pub(crate) async fn with(pueued: Pueued) -> Self {
        let stage = Stage::new().await;
        let queue = queue_in(&stage, way_of(&stage, &pueued));
        Self { queue, pueued, stage }
    }

    /// What the usual queue is made of.
    pub(crate) fn way(&self) -> Way {
        way_of(&self.stage, &self.pueued)
    }

    pub(crate) fn queue_by(&self, way: Way) -> Pueue<LocalShell> {
        queue_in(&self.stage, way)
    }

    /// A queue whose client is this script. The real one is `$real` in it.
    pub(crate) fn queue_by_script(&self, script: &str) -> Pueue<LocalShell> {
        let mut way = self.way();
        way.path.insert(0, self.stand_in(script));
        self.queue_by(way)
    }

    /// The folder of a program `pueue` that is this script.
    pub(crate) fn stand_in(&self, script: &str) -> String {
        let folder = self.pueued.path("stand-in");
        fs::create_dir_all(&folder).unwrap();
        let text = format!("#!/bin/sh\nreal={PROGRAMS}/pueue\n{script}\n");
        fs::write(folder.join("pueue"), text).unwrap();
        fs::set_permissions(folder.join("pueue"), fs::Permissions::from_mode(0o755)).unwrap();
        folder.display().to_string()
    }

    /// Where a list is kept that was not understood.
    pub(crate) fn kept(&self) -> PathBuf {
        self.pueued.path("state/hpc-status.json")
    }

    pub(crate) async fn look(&self) -> QueueLook {
        self.queue.look().await.expect("the queue answers")
    }

    pub(crate) async fn says(&self, attempt: &AttemptId) -> QueueWord {
        self.look().await.words.get(attempt).map_or(QueueWord::Absent, |word| word.says)
    }

    pub(crate) async fn until_says(&self, attempt: &AttemptId, word: QueueWord) {
        let what = format!("{attempt} is {word:?}");
        until_seen(&what, LIMIT, || async { self.says(attempt).await == word }).await;
    }

    pub(crate) async fn add(&self, attempt: &AttemptId) -> Result<Option<TaskId>, Fault> {
        self.queue.add(&[entry(attempt)]).await.remove(0)
    }

    /// An attempt whose command runs.
    pub(crate) async fn running(&self, command: &str) -> AttemptId {
        let attempt = self.stage.prepared(command).await;
        self.add(&attempt).await.expect("it is added");
        until("it claims", LIMIT, || self.stage.has(&attempt, "claim"));
        self.until_says(&attempt, QueueWord::Running).await;
        attempt
    }

    /// An attempt that waits in a group that is paused.
    pub(crate) async fn waiting(&self, command: &str) -> AttemptId {
        self.pueued.must(&["pause", "--wait", "--group", "default"]);
        let attempt = self.stage.prepared(command).await;
        self.add(&attempt).await.expect("it is added");
        attempt
    }

    /// One reading of queue and directory, concluded.
    pub(crate) async fn concluded(&self, attempt: &AttemptId, seen: Seen) -> Conclusion {
        let queue = self.says(attempt).await;
        let look = match self.stage.look(attempt).await {
            HostLook::Saw { exit, claim, alive } => {
                Look::Saw(Evidence { exit, claim, alive, queue })
            }
            HostLook::CouldNot { why } => Look::CouldNot { why },
        };
        conclude(&look, seen)
    }

    pub(crate) fn executed(&self, attempt: &AttemptId) -> usize {
        let dir = self.stage.job(attempt, "true").dir;
        let lines = fs::read_to_string(format!("{dir}/executed"));
        lines.unwrap_or_default().lines().count()
    }
}

/// What a job of a test does first, to be counted.
pub(crate) const COUNTED: &str = "echo executed >>executed; ";

pub(crate) fn in_group(attempt: &AttemptId, group: &str) -> Entry {
    Entry { attempt: attempt.clone(), group: GroupName::new(group) }
}

fn way_of(stage: &Stage, pueued: &Pueued) -> Way {
    let _ = stage;
    let headnode = HeadnodeName::new("hpc");
    let settings = PueueSettings::new(headnode, "pueue".to_owned(), pueued.path("state"));
    // A machine with six of us is slow at times, and a test that waits in vain is told soon.
    let settings = PueueSettings { patience: Duration::from_secs(10), ..settings };
    Way { path: vec![PROGRAMS.to_owned()], env: pueued.env(), settings }
}

fn queue_in(stage: &Stage, way: Way) -> Pueue<LocalShell> {
    let Way { path, env, settings } = way;
    let usual = settings_in(stage.path(), owner("ours", 1));
    let host = LocalHost::new(LocalHostSettings { path, env, ..usual });
    Pueue::new(host.work_dir().clone(), settings)
}
