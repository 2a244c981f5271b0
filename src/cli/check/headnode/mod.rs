//! Checks of where cases run, over any shell: one file for each subject. Everything goes
//! over one connection, and what does not depend on another is asked at the same time.

mod reach;
mod work_dir;
pub(super) mod programs;
mod queue;
mod jobs;
mod probe;

use std::path::Path;
use std::sync::Arc;

use daylily_lifecycle::explain;
use daylily_lifecycle::policy::HeadnodeState;
use tokio_util::sync::CancellationToken;

use super::{Known, Report};
use crate::adapters::host::proof::prove;
use crate::adapters::host::shell::Shell;
use crate::adapters::host::survey::survey;
use crate::cli::words_of_shell;
use crate::clock::SystemClock;
use crate::config::{HeadnodeSettings, HostAddress, QueueKind, Settings};
use crate::store::read::Reader;

/// What all checks of one headnode are given.
#[derive(Clone)]
pub(super) struct At<'a> {
    pub(super) settings: &'a Settings,
    pub(super) headnode: &'a HeadnodeSettings,
    pub(super) reader: Option<&'a Reader>,
    pub(super) known: Known,
    /// Ends what was begun, and lets it be cleared away.
    pub(super) stop: CancellationToken,
}

impl At<'_> {
    /// The name of a check: `headnode.hpc.rsync`.
    fn name(&self, what: &str) -> String {
        let dot = if what.is_empty() { "" } else { "." };
        format!("headnode.{}{dot}{what}", self.headnode.name)
    }

    fn is_local(&self) -> bool {
        match self.headnode.host {
            HostAddress::Local => true,
            HostAddress::Ssh(_) => false,
        }
    }

    /// A path there, as people write it.
    fn shown(&self, path: &str) -> String {
        if self.is_local() { path.to_owned() } else { format!("{}:{path}", self.headnode.name) }
    }

    /// A line to be pasted there.
    fn there(&self, line: &str) -> String {
        if self.is_local() { line.to_owned() } else { format!("on {}: {line}", self.headnode.name) }
    }

    /// A path there, as one word of a command to be pasted.
    fn word(&self, path: &str) -> String {
        words_of_shell(Path::new(path))
    }
}

/// Everything about one headnode, in the order in which it is read.
pub(super) async fn headnode(at: At<'_>) -> Report {
    let mut report = Report::default();
    standing(&mut report, &at);
    groups(&mut report, &at);
    if let Some(reached) = reach::reach(&mut report, &at).await {
        reachable(&mut report, &at, &reached).await;
        reached.leave().await;
    }
    report
}

async fn reachable(report: &mut Report, at: &At<'_>, reached: &reach::Reached) {
    let shell: Arc<dyn Shell> = reached.shell.clone();
    let work_dir = at.headnode.work_dir.to_string_lossy().into_owned();
    let survey = match survey(&*shell, &work_dir, &SystemClock).await {
        Ok(survey) => survey,
        Err(fault) => {
            let hint = "see whether /bin/sh runs there and has coreutils";
            return report.fault(&at.name("work_dir"), &fault, hint);
        }
    };
    let is_usable = work_dir::work_dir(report, at, &survey);
    work_dir::clock(report, at, &survey);
    let folder = survey.place.path.as_str();

    let proofs = async {
        let mut report = Report::default();
        if is_usable {
            match prove(&*shell, folder, &work_dir).await {
                Ok(proofs) => work_dir::proven(&mut report, at, &survey, &proofs),
                Err(fault) => {
                    let hint = "see whether /bin/sh runs and the file system answers";
                    report.fault(&at.name("proofs"), &fault, hint);
                }
            }
        }
        programs::rsync(&mut report, at, &survey);
        programs::commands(&mut report, at, &*shell).await;
        report
    };
    let jobs = async {
        let mut report = Report::default();
        if is_usable && at.headnode.queue == QueueKind::Direct {
            jobs::survival(&mut report, at, reached, folder).await;
        }
        report
    };
    // Whether the queue takes a job at all decides whether one is tried.
    let queue_and_probe = async {
        let mut report = Report::default();
        let queue = queue::queue(&mut report, at, &*shell).await;
        let mut probed = Report::default();
        if is_usable {
            probe::probe(&mut probed, at, &shell, folder, &queue).await;
        }
        (report, probed)
    };
    let (proofs, jobs, (queue, probed)) = tokio::join!(proofs, jobs, queue_and_probe);
    for part in [proofs, queue, jobs, probed] {
        report.absorb(part);
    }
}

fn standing(report: &mut Report, at: &At<'_>) {
    let headnode = &at.headnode.name;
    let stored = at.reader.and_then(|reader| reader.headnode(headnode).ok().flatten());
    match stored.map(|stored| stored.state) {
        Some(HeadnodeState::Broken { because, .. }) => {
            let hint = explain::taken_back_by(headnode, &because);
            let because = because.lines().next().unwrap_or_default().to_owned();
            report.fail(&at.name(""), format!("it is set aside: {because}"), hint);
        }
        Some(HeadnodeState::Unreachable { because, .. }) => {
            let because = because.lines().next().unwrap_or_default().to_owned();
            let hint = "it is tried again by itself";
            report.fail(&at.name(""), format!("it has not answered: {because}"), hint);
        }
        Some(HeadnodeState::Ok) | None => {}
    }
}

fn groups(report: &mut Report, at: &At<'_>) {
    let groups = at.headnode.groups.iter().map(|group| {
        let gpus = group.slots.iter().flatten().count();
        let what = if gpus > 0 { "GPU" } else { "place" };
        let many = if group.slots.len() == 1 { "" } else { "s" };
        format!("{} with {} {what}{many}", group.name, group.slots.len())
    });
    report.ok(&at.name("groups"), groups.collect::<Vec<_>>().join(", "));
}
