//! A job through the real path: each pipeline's probe, or nothing but its setup, run the
//! way its cases would run, in the groups that they would run in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::ids::{GroupName, PipelineName};
use daylily_lifecycle::outcome::Fault;
use futures_util::future::join_all;

use super::programs::pipelines;
use super::queue::Found;
use super::{At, Report};
use crate::adapters::host::shell::Shell;
use crate::adapters::host::trial::{CameTo, TrialOrder, Tried};
use crate::app;
use crate::config::{HeadnodeSettings, PipelineSettings};

/// How long the queue may take to begin it.
const BEGIN: Duration = Duration::from_secs(5);
/// The same where all its places are taken already.
const BEGIN_WHEN_BUSY: Duration = Duration::from_secs(2);
/// A probe is something quick; what it loads from a cold disk may take a while.
const RUN: Duration = Duration::from_secs(60);

/// So many of the last lines are told of one that failed.
const LINES: usize = 5;

/// One job to try.
struct Job<'a> {
    pipeline: &'a PipelineName,
    settings: &'a PipelineSettings,
    group: GroupName,
}

impl Job<'_> {
    fn command(&self) -> &str {
        self.settings.probe.as_deref().unwrap_or("true")
    }

    fn whose(&self) -> String {
        format!("pipeline {}, group {}", self.pipeline, self.group)
    }
}

pub(super) async fn probe(
    report: &mut Report,
    at: &At<'_>,
    shell: &Arc<dyn Shell>,
    folder: &str,
    queue: &Found,
) {
    let check = at.name("probe");
    if matches!(queue, Found::Nothing) {
        let text = "no job was tried, because the queue cannot be used";
        return report.warn(&check, text, "mend that first");
    }
    let tries = jobs(at).into_iter().map(|job| async {
        if let Some(why) = queue.closed(&job.group) {
            return (job, Err(why));
        }
        let order = order(at.headnode, &job, queue);
        let tried = match app::trial(at.headnode, at.settings, shell.clone(), folder) {
            Ok(trial) => trial.run(&order, &at.stop).await,
            Err(error) => return (job, Err(error.to_string())),
        };
        (job, Ok((order, tried)))
    });
    for (job, tried) in join_all(tries).await {
        match tried {
            Err(why) => {
                let text = format!("no job was tried ({}), because {why}", job.whose());
                report.warn(&check, text, "mend that first");
            }
            Ok((order, tried)) => told(report, at, &job, &order, queue, tried),
        }
    }
}

/// Each pipeline once in each group that its intakes and rules name.
fn jobs<'a>(at: &At<'a>) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    let used = at.settings.pipelines_on(&at.headnode.name);
    for (pipeline, settings) in pipelines(at) {
        let groups: BTreeSet<GroupName> = used
            .iter()
            .filter(|(used, _)| used == pipeline)
            .filter_map(|(_, group)| {
                group.clone().or_else(|| Some(at.headnode.groups.first()?.name.clone()))
            })
            .collect();
        jobs.extend(groups.into_iter().map(|group| Job { pipeline, settings, group }));
    }
    jobs
}

fn order(headnode: &HeadnodeSettings, job: &Job<'_>, queue: &Found) -> TrialOrder {
    let mut env = headnode.env.clone();
    env.extend(job.settings.env.clone());
    let slots = headnode.groups.iter().find(|group| group.name == job.group);
    let gpu = slots.and_then(|group| group.slots.first().cloned().flatten());
    if headnode.groups.iter().any(|group| group.slots.iter().any(Option::is_some)) {
        env.insert("CUDA_VISIBLE_DEVICES".to_owned(), gpu.unwrap_or_default());
    }
    env.insert("DAYLILY_SLOT".to_owned(), format!("{}/0", job.group));
    env.insert("DAYLILY_CASE".to_owned(), "check".to_owned());
    TrialOrder {
        group: job.group.clone(),
        shell: job.settings.shell.clone(),
        setup: job.settings.setup.clone(),
        command: job.command().to_owned(),
        env,
        begin: if queue.taken(&job.group).is_some() { BEGIN_WHEN_BUSY } else { BEGIN },
        run: RUN,
    }
}

fn told(
    report: &mut Report,
    at: &At<'_>,
    job: &Job<'_>,
    order: &TrialOrder,
    queue: &Found,
    tried: Result<Tried, Fault>,
) {
    let check = at.name("probe");
    let Tried { came_to, said, left } = match tried {
        Ok(tried) => tried,
        Err(mut fault) => {
            fault.text = format!("a job could not be tried ({}): {}", job.whose(), fault.text);
            return report.fault(&check, &fault, "see what else is told of this headnode");
        }
    };
    let (command, whose) = (first_line(job.command()), job.whose());
    let output = last_lines(&said, LINES);
    match came_to {
        CameTo::Ended { code: Some(0) } => {
            let text = if job.settings.probe.is_some() {
                let said = last_lines(&said, 1);
                let said = if said.is_empty() { said } else { format!(": {said}") };
                format!("`{command}` ran as a job ({whose}){said}")
            } else {
                format!("a job runs ({whose}); pipelines.{}.probe says what to try", job.pipeline)
            };
            report.ok(&check, text);
        }
        CameTo::Ended { code } => {
            let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
            let said = if output.is_empty() { "it has said nothing" } else { output.as_str() };
            let text = format!("`{command}` ended with {code} as a job ({whose}): {said}");
            report.fail(&check, text, mend(job));
        }
        CameTo::NotBegun => not_begun(report, at, job, order, queue),
        CameTo::TookTooLong => {
            let seconds = order.run.as_secs();
            let said = if output.is_empty() { String::new() } else { format!(": {output}") };
            let text = format!("`{command}` was ended after {seconds} s as a job ({whose}){said}");
            let hint = format!(
                "set pipelines.{}.probe to something quick, or correct its setup",
                job.pipeline
            );
            report.fail(&check, text, hint);
        }
        CameTo::Stopped => {
            report.warn(
                &check,
                format!("the try of a job was broken off ({whose})"),
                "check again",
            );
        }
    }
    if let Some(left) = left {
        let text = format!("what was tried there could not be cleared away: {left}");
        report.fail(&check, text, "clear it away by hand, and check again");
    }
}

fn not_begun(report: &mut Report, at: &At<'_>, job: &Job<'_>, order: &TrialOrder, queue: &Found) {
    let (check, seconds) = (at.name("probe"), order.begin.as_secs());
    let whose = job.whose();
    match queue.taken(&job.group) {
        Some(places) => {
            let text = format!(
                "no job was tried ({whose}): all its places ({places}) are taken, and none came \
                 free within {seconds} s"
            );
            report.warn(&check, text, "nothing is wrong with that; check again later");
        }
        None => {
            let text = format!("the queue has not begun a job within {seconds} s ({whose})");
            report.fail(&check, text, at.there(&format!("{} status", super::queue::client(at))));
        }
    }
}

fn mend(job: &Job<'_>) -> String {
    match (&job.settings.setup, &job.settings.probe) {
        (Some(_), _) => {
            format!(
                "correct pipelines.{}.setup, and `path` and `env` of the headnode",
                job.pipeline
            )
        }
        (None, _) => format!(
            "set pipelines.{}.setup to what makes its environment, or add the folder of the \
             program to `path` of the headnode",
            job.pipeline
        ),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// On one line, each of them cut where it is long.
fn last_lines(said: &str, many: usize) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(many)..].iter();
    last.map(|line| line.chars().take(200).collect::<String>()).collect::<Vec<_>>().join(" / ")
}
