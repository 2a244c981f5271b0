//! Brings an attempt home: its expected outputs are looked for, its results fetched and
//! placed, its log kept, the intake's folder moved where the configuration wants it.
//! One step: done as a whole, or again.

use std::path::Path;

use daylily_lifecycle::attempt::{Attempt, End, Stored};
use daylily_lifecycle::case::{Case, State, StepName};
use daylily_lifecycle::ids::{AttemptId, ByteCount};
use daylily_lifecycle::observation::Observation;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::ship::telling;
use super::{Context, Node, step_failed};
use crate::adapters::host::{FetchOrder, OutputFile, Progress};
use crate::reconcile::Pass;
use crate::reconcile::here::MoveOrder;
use crate::reconcile::naming::results_name;
use crate::results::{Placement, Summary};

/// What `show` prints of a log.
const TAIL: u64 = 8 * 1024;

/// What is kept of a failed run's log.
const LOG: ByteCount = ByteCount(1024 * 1024);

pub(super) async fn bring_home(
    context: &Context,
    node: &Node,
    case: &Case,
    id: &AttemptId,
    stop: &CancellationToken,
) -> Pass<()> {
    let State::Returning { attempt, end } = &case.state else { return Ok(()) };
    let home = Home { context, node, case, attempt, end, stop };
    let progress = Progress::default();
    let fetching = home.bring(&progress);
    match telling(context, case, Some(id), StepName::Return, &progress, fetching).await? {
        Ok(stored) => {
            tracing::debug!(case = %case.name, attempt = %id, files = stored.files, to = ?stored.to, "home");
            let what = Observation::Returned { attempt: id.clone(), stored };
            context.record(case.id.clone(), what).await?;
            Ok(())
        }
        Err(_) if stop.is_cancelled() => Ok(()),
        Err(fault) => {
            step_failed(context, Some(node), &case.id, Some(id), StepName::Return, fault).await
        }
    }
}

struct Home<'a> {
    context: &'a Context,
    node: &'a Node,
    case: &'a Case,
    attempt: &'a Attempt,
    end: &'a End,
    stop: &'a CancellationToken,
}

impl Home<'_> {
    async fn bring(&self, progress: &Progress) -> Result<Stored, Fault> {
        let good = self.attempt.ran_well(self.end);
        let missing = if good { self.missing().await? } else { Vec::new() };
        let succeeded = good && missing.is_empty();
        let (to, files, bytes) =
            if succeeded { self.fetch(progress).await? } else { (None, 0, ByteCount(0)) };
        let log_tail = self.node.host.tail(&self.attempt.id, TAIL).await?;
        if !succeeded {
            self.keep_log().await?;
        }
        let moved_to = self.move_folder(succeeded).await?;
        Ok(Stored { to, files, bytes, moved_to, log_tail, missing })
    }

    /// Patterns of `expect` for which there is no file that is not empty and has changed
    /// since the attempt began. Both times are of the headnode's own clock.
    async fn missing(&self) -> Result<Vec<String>, Fault> {
        let pipeline = self.context.settings.pipelines.get(&self.case.order.pipeline);
        let expect = pipeline.map(|pipeline| pipeline.expect.as_slice()).unwrap_or_default();
        let mut missing = Vec::new();
        for pattern in expect {
            let one = std::slice::from_ref(pattern);
            let found = self.outputs(one).await?;
            if !found.iter().any(|file| self.is_new(file)) {
                missing.push(pattern.clone());
            }
        }
        Ok(missing)
    }

    /// Where results are: what the pipeline of a workset works in, which its job has linked,
    /// else the folder of the case.
    fn from(&self) -> String {
        let place = &self.attempt.place;
        match &self.case.order.workset {
            Some(_) => format!("{}/pipeline", place.attempt_dir),
            None => place.remote_dir.clone(),
        }
    }

    /// A listing may take minutes; a daemon that stops does not wait for it.
    async fn outputs(&self, patterns: &[String]) -> Result<Vec<OutputFile>, Fault> {
        let from = self.from();
        let listing = self.node.host.outputs(&from, patterns);
        tokio::select! {
            biased;
            found = listing => found,
            () = self.stop.cancelled() => {
                Err(Fault::new(FaultClass::TransientStep, "the listing was stopped"))
            }
        }
    }

    fn is_new(&self, file: &OutputFile) -> bool {
        // File systems keep whole seconds at worst, and so does an old `date`.
        let begun = self.attempt.started_at.map_or(0, Timestamp::as_second);
        file.bytes.0 > 0 && file.modified.as_second() >= begun
    }

    async fn fetch(&self, progress: &Progress) -> Result<(Option<String>, u64, ByteCount), Fault> {
        let results = &self.context.settings.results;
        let nothing = (None, 0, ByteCount(0));
        if results.fetch.is_empty() {
            return Ok(nothing);
        }
        let found = self.outputs(&results.fetch).await?;
        if found.is_empty() {
            return Ok(nothing);
        }
        let placement = self.placement();
        let files: Vec<String> = found.into_iter().map(|file| file.path).collect();
        let order = FetchOrder {
            attempt: self.attempt.id.clone(),
            from: self.from(),
            files: files.clone(),
            to: placement.staging(),
        };
        if !self.context.here.is_placed(&placement)? {
            self.node.host.fetch(&order, progress, self.stop).await?;
        }
        let summary = Summary {
            case: self.case.name.clone(),
            arrival: self.case.arrival,
            exit_code: self.end.code,
            ended: self.end.at,
            files,
        };
        let placed = self.context.here.place(placement, summary).await?;
        Ok((Some(placed.path.to_string_lossy().into_owned()), placed.files, placed.bytes))
    }

    fn placement(&self) -> Placement {
        let results = &self.context.settings.results;
        Placement {
            root: results.to.clone(),
            intake: self.case.intake.clone(),
            remote_name: results_name(self.case),
            attempt: self.attempt.id.clone(),
            number: self.attempt.number,
            marker: results.marker.clone(),
            group: results.group.clone(),
            dir_mode: results.dir_mode,
            file_mode: results.file_mode,
        }
    }

    async fn keep_log(&self) -> Result<(), Fault> {
        let log = self.node.host.tail(&self.attempt.id, LOG.0).await?;
        self.context.here.keep_log(self.context.state_dir(), &self.attempt.id, &log).await
    }

    async fn move_folder(&self, succeeded: bool) -> Result<Option<String>, Fault> {
        let Some(intake) = self.context.intake(&self.case.intake) else { return Ok(None) };
        let to = if succeeded { &intake.success_to } else { &intake.failure_to };
        let Some(to) = to.clone() else { return Ok(None) };
        if Path::new(&self.case.path).parent() == Some(to.as_path()) {
            return Ok(Some(self.case.path.clone()));
        }
        let order = MoveOrder {
            case: self.case.clone(),
            intake: intake.clone(),
            to,
            name: results_name(self.case),
            attempt: self.attempt.id.clone(),
            now: self.context.clock.now(),
        };
        let moved = self.context.here.move_folder(order).await?;
        if moved.is_none() {
            tracing::warn!(case = %self.case.name, "its folder changed, so it stays in the intake");
        }
        Ok(moved.map(|path| path.to_string_lossy().into_owned()))
    }
}
