//! The contract of a headnode: shipping a case there, the attempt directory of
//! ATTEMPT.md, and bringing results home.
//!
//! Every method may be called again after an answer was lost; what it did the first
//! time is found and not done twice. Every method that reads or acts in
//! `<work_dir>/.daylily-watch` compares `owner` first and answers
//! [`FaultClass::FatalHost`](daylily_lifecycle::outcome::FaultClass) (or
//! [`HostLook::CouldNot`]) when it is not ours. A fault of class `TransientHost`
//! means that nothing is known of what happened.

pub mod headnode;
pub mod attempts;
pub mod copy;
pub mod rsync;
pub mod shared;
pub mod fake;
pub mod job;
pub mod record;
pub mod found;
pub mod local;
pub mod names;
pub mod output;
mod outputs;
pub mod pipeline;
pub mod playground;
pub mod proof;
pub mod quote;
pub mod read;
pub mod remains;
pub mod shell;
pub mod ssh;
pub mod survey;
pub mod trial;

#[cfg(test)]
mod fuzz;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::ids::{
    Arrival, AttemptId, ByteCount, CaseName, Digest, Fingerprint, HeadnodeName, IntakeName,
};
use daylily_lifecycle::outcome::{Alive, Claim, ExitRecord, Fault};
use tokio_util::sync::CancellationToken;

use self::found::FoundAttempt;
use self::record::CaseRecord;
use self::shell::Heard;

#[async_trait::async_trait]
pub trait Host: Send + Sync + 'static {
    fn name(&self) -> &HeadnodeName;

    /// Makes `owner` ours, and the folders around it. `owned_before` says that this
    /// database has owned the work_dir: then a missing `owner` means that work_dir
    /// is not mounted. Another database's id, a newer generation of ours, or a start
    /// that this database knows nothing of, is `FatalHost` and changes nothing.
    async fn own(&self, owned_before: bool) -> Result<(), Fault>;

    /// Makes `owner` ours whoever it was, and says who; a person has asked for it. A
    /// work_dir where nothing of ours ever was is `FatalHost`.
    async fn take_over(&self) -> Result<Option<String>, Fault>;

    /// What unprivileged users may still write below work_dir.
    async fn free_space(&self) -> Result<ByteCount, Fault>;

    /// Copies a case's folder to `order.dest` and verifies the copy. The owner is compared
    /// before anything is written: a work_dir that is not mounted must not be filled. Goes on where an
    /// earlier try stopped. `stop` ends it soon with a `TransientStep` fault. A source
    /// that changed or vanished under way is `TransientStep`; a full disk `NoSpace`;
    /// an unreadable source file `FatalCase` with the file's name.
    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault>;

    /// Opens what the next `ship` goes over, so that it need not wait for that. Only a
    /// hint: what is wrong is told by the `ship`.
    async fn get_ready(&self) {}

    /// Writes `case.json`, `lock` and, last and by rename, `job.sh`. Repeating it
    /// leaves what is there as it is. Where nothing but a tombstone is there it is
    /// `FatalCase`: the attempt has run.
    async fn prepare(&self, job: &Job) -> Result<(), Fault>;

    /// Prepares several in one go where that can be; the answers are in the order asked.
    async fn prepare_all(&self, jobs: &[Job]) -> Vec<Result<Prepared, Fault>> {
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            answers.push(self.prepare(job).await.map(|()| Prepared::There));
        }
        answers
    }

    /// Reads attempts in one go, each in the order claim, alive, exit record. The
    /// answer has one look per attempt, in the order asked.
    async fn read(&self, attempts: &[AttemptId]) -> Result<Vec<HostLook>, Fault>;

    /// The names of the attempt directories, tombstones among them: cheap however many
    /// there are.
    async fn names(&self) -> Result<Vec<AttemptId>, Fault>;

    /// Every attempt directory that is there, tombstones among them, by id.
    async fn list(&self) -> Result<Vec<FoundAttempt>, Fault>;

    /// Removes what an ended case has left, job.sh first, so that no queued copy can
    /// ever start; of each attempt its record stays as a tombstone. Looks itself
    /// whether anything of it lives. Goes on where an earlier try stopped.
    async fn clean(&self, order: &CleanOrder) -> Result<Cleaned, Fault>;

    /// Takes the claim for the daemon if nobody has it, and says whose it is.
    async fn take_claim(&self, attempt: &AttemptId) -> Result<ClaimedBy, Fault>;

    /// Signals every process that carries the attempt's id or holds its lock. To be
    /// gone is seen by `read`, not by this answer.
    async fn end(&self, attempt: &AttemptId, force: Force) -> Result<(), Fault>;

    /// Runs a pipeline's `stop` with what its job has: the folder, the environment, the
    /// setup. Ok says that it has ended with 0. Another end, or none within its limit, is
    /// `TransientStep`. It may be run again at any time, but not beside itself.
    async fn stop(&self, job: &Job, command: &str) -> Result<(), Fault>;

    /// Regular files below `dir` whose path relative to it matches a pattern. Folders
    /// that cannot be read are passed over; where `dir` itself is missing or cannot be
    /// read, or the listing takes too long, that is `TransientStep`.
    async fn outputs(&self, dir: &str, patterns: &[String]) -> Result<Vec<OutputFile>, Fault>;

    /// Copies files from the headnode into `order.to` on this machine and verifies
    /// them. Goes on where an earlier try stopped.
    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault>;

    /// The end of the job's output: at most `bytes`, from a line's start, control
    /// characters but newline and tab replaced. Empty where nothing was printed.
    async fn tail(&self, attempt: &AttemptId, bytes: u64) -> Result<String, Fault>;

    /// Waits for the doorbell, at most `limit`. True: it rang. Only a hint.
    async fn bell(&self, limit: Duration) -> Result<bool, Fault>;

    /// What was heard of the other side besides answers.
    fn heard(&self) -> Heard {
        Heard::default()
    }

    /// Lets go of what was opened to get there, at the end of the daemon. Jobs run on.
    async fn close(&self) {}
}

/// Moves folders to a headnode and files back: what [`Host::ship`] and [`Host::fetch`]
/// are made of. The same promises hold.
#[async_trait::async_trait]
pub trait Transfer: Send + Sync + 'static {
    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault>;

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault>;

    /// As [`Host::get_ready`].
    async fn get_ready(&self);

    /// Whether `ship` itself compares the owner before it writes.
    fn compares_the_owner(&self) -> bool;
}

/// One whose kind the configuration decides.
#[async_trait::async_trait]
impl Transfer for Arc<dyn Transfer> {
    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        (**self).ship(order, progress, stop).await
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        (**self).fetch(order, progress, stop).await
    }

    async fn get_ready(&self) {
        (**self).get_ready().await;
    }

    fn compares_the_owner(&self) -> bool {
        (**self).compares_the_owner()
    }
}

/// Bytes and files moved so far, for the watchdog and the steps table.
#[derive(Debug, Default)]
pub struct Progress {
    pub files: AtomicU64,
    pub bytes: AtomicU64,
}

#[derive(Debug, Clone)]
pub struct ShipOrder {
    pub attempt: AttemptId,
    pub source: PathBuf,
    /// Absolute directory on the headnode.
    pub dest: String,
    /// What the intake's last scan saw; a source that differs has changed.
    pub fingerprint: Fingerprint,
    /// Name patterns that are not part of a case.
    pub ignore: Vec<String>,
    /// Shipped, but not part of the content.
    pub marker: Option<String>,
    pub verify: Verify,
    /// Absolute path on the headnode of the list of what was shipped to `dest`. Only
    /// what it names, and the case no longer has, is ever removed from `dest`.
    pub manifest: String,
    /// Absolute path on the headnode of the attempt's `ship.lock`, held during the
    /// transfer, so that one that outlived its daemon and its successor cannot meet.
    pub lock: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// A second look at sizes and times of both sides finds nothing to do.
    Quick,
    /// BLAKE3 of both sides.
    Checksum,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipped {
    pub files: u64,
    pub bytes: ByteCount,
    /// None where the transfer does not read the content on this side.
    pub digest: Option<Digest>,
}

/// What an attempt directory was found as when it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// Its `job.sh` was made just now: before, there was nothing that could be started.
    Made,
    /// It was there, or that is not known.
    There,
}

/// What `job.sh` is made of.
#[derive(Debug, Clone)]
pub struct Job {
    pub attempt: AttemptId,
    pub intake: IntakeName,
    pub name: CaseName,
    pub arrival: Arrival,
    pub digest: Option<Digest>,
    pub number: u32,
    /// The name of the case's folder on the headnode: `name`, or `name.2`.
    pub remote_name: String,
    pub dir: String,
    pub shell: Vec<String>,
    pub setup: Option<String>,
    pub command: String,
    /// On top of a clean HOME, USER, LANG, PATH and XDG_RUNTIME_DIR.
    pub env: BTreeMap<String, String>,
    /// What `case.json` says. None: no more than what is above.
    pub record: Option<Box<CaseRecord>>,
}

/// What an ended case has left on its headnode, as far as it is in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanOrder {
    /// Those that ran in the folder, oldest first, each with what stays of it.
    pub attempts: Vec<CaseRecord>,
    pub intake: IntakeName,
    /// The name of the folder in that of its intake.
    pub remote_name: String,
    /// Whether that folder goes too: it is `<work_dir>/<intake>/<remote_name>`.
    pub with_folder: bool,
    /// The list of what was shipped there, as in [`ShipOrder`].
    pub manifest: String,
    /// Paths that may neither lie in the folder nor the other way.
    pub apart: Vec<PathBuf>,
    /// Paths that may not lie in the folder.
    pub outside: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleaned {
    Done {
        bytes: ByteCount,
    },
    /// Nothing was removed, and why: something of it lives, or the folder is another's.
    Kept {
        why: String,
    },
}

/// What one look at an attempt directory saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostLook {
    Saw { exit: ExitRecord, claim: Claim, alive: Alive },
    CouldNot { why: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Relative to the directory asked about.
    pub path: String,
    pub bytes: ByteCount,
    pub modified: jiff::Timestamp,
}

#[derive(Debug, Clone)]
pub struct FetchOrder {
    pub attempt: AttemptId,
    /// Absolute directory on the headnode.
    pub from: String,
    /// Relative paths, as `outputs` gave them.
    pub files: Vec<String>,
    /// A directory on this machine that is ours alone; made when missing.
    pub to: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub files: u64,
    pub bytes: ByteCount,
}
