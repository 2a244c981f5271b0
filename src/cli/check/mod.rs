//! Owns `check`: whether everything that is needed is there and works, one finding a
//! line, each failure with the line to paste. It changes nothing, takes no lock of the
//! daemon's, and leaves nothing behind.

mod headnode;
mod intakes;
mod programs;
mod results;
mod state;

use daylily_lifecycle::explain::{Clock as Zoned, stopped_banner};
use daylily_lifecycle::outcome::Fault;
use futures_util::future::join_all;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::args::{Global, Reading};
use super::dry_run::database;
use super::printer::Printer;
use super::run::{listen, runtime};
use super::{Exit, Outcome, words};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Settings};
use crate::reconcile::scan::preview::{Next, Preview, preview};
use crate::store::read::Reader;
use headnode::At;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// Such as `intake.new_cases.quiet`; the same in every version.
    check: String,
    level: Level,
    text: String,
    /// What to do, often a line to paste.
    hint: Option<String>,
}

/// What the database tells of what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    /// There is none yet.
    Nothing,
    /// It is there, and damaged or not ours to read.
    Unreadable,
}

/// All findings so far.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, level: Level, check: &str, text: impl Into<String>, hint: Option<String>) {
        let (check, text) = (check.to_owned(), text.into());
        self.findings.push(Finding { check, level, text, hint });
    }

    fn ok(&mut self, check: &str, text: impl Into<String>) {
        self.add(Level::Ok, check, text, None);
    }

    fn warn(&mut self, check: &str, text: impl Into<String>, hint: impl Into<String>) {
        self.add(Level::Warn, check, text, Some(hint.into()));
    }

    fn fail(&mut self, check: &str, text: impl Into<String>, hint: impl Into<String>) {
        self.add(Level::Fail, check, text, Some(hint.into()));
    }

    /// What did not work as a finding; its hints become the finding's. One without any
    /// gets `otherwise`.
    fn fault(&mut self, check: &str, fault: &Fault, otherwise: &str) {
        let (text, hint) = parted(&fault.text);
        self.add(Level::Fail, check, text, Some(hint.unwrap_or_else(|| otherwise.to_owned())));
    }

    /// All of another's findings, after ours.
    fn absorb(&mut self, other: Self) {
        self.findings.extend(other.findings);
    }

    /// An error as a finding; its hints become the finding's.
    fn error(&mut self, check: &str, error: &dyn std::error::Error) {
        let (mut text, hint) = parted(&error.to_string());
        let mut cause = error.source();
        while let Some(source) = cause {
            text.push_str(&format!(": {source}"));
            cause = source.source();
        }
        self.add(Level::Fail, check, text, hint);
    }
}

/// What was said, and the hints in it, each as one line.
fn parted(told: &str) -> (String, Option<String>) {
    let (hints, said): (Vec<&str>, Vec<&str>) =
        told.lines().partition(|line| line.trim_start().starts_with("hint:"));
    let hints: Vec<&str> =
        hints.iter().map(|hint| hint.trim_start().trim_start_matches("hint:").trim()).collect();
    (said.join(" "), Some(hints.join("; ")).filter(|hint| !hint.is_empty()))
}

pub(super) fn check(global: &Global, reading: &Reading, printer: &mut Printer) -> Outcome {
    let settings = config::load(&config::find(global.config.as_deref())?)?;
    let mut report = Report::default();
    configuration(&mut report, &settings);
    state::folder(&mut report, &settings.state_dir);
    let (reader, mut known) = match database(&settings) {
        Ok(Some(reader)) => (Some(reader), Known::Yes),
        Ok(None) => (None, Known::Nothing),
        Err(error) => {
            // That it is no folder was told.
            if settings.state_dir.is_dir() {
                report.error("database", &error);
            }
            (None, Known::Unreadable)
        }
    };
    if known != Known::Unreadable && !state::database(&mut report, &settings, reader.as_ref()) {
        known = Known::Unreadable;
    }
    let reader = reader.filter(|_| known == Known::Yes);
    state::daemon(&mut report, &settings);
    let seen = preview(&settings, reader.as_ref(), app::heads().is_some(), SystemClock.now());
    for intake in &settings.intakes {
        intakes::intake(&mut report, intake, reader.as_ref(), seen.as_ref().ok());
    }
    intakes::watches(&mut report, &settings, seen.as_ref().ok());
    report.absorb(headnodes(&settings, reader.as_ref(), known)?);
    results::results(&mut report, &settings.results);
    match &seen {
        Ok(_) if known == Known::Unreadable => {
            let text = "what would start is not known, because the database cannot be used";
            report.warn("now", text, "mend that first");
        }
        Ok(seen) => now(&mut report, seen),
        Err(error) => report.error("now", error),
    }
    if let (Ok(Preview { stopped: Some(pause), .. }), false) = (&seen, reading.json) {
        let clock = Zoned { zone: &settings.time_zone, now: SystemClock.now() };
        printer.line(words::plain(&stopped_banner(pause, clock)))?;
    }
    report.ok = report.findings.iter().all(|finding| finding.level != Level::Fail);
    print(&report, reading.json, printer)?;
    Ok(if report.ok { Exit::Done } else { Exit::No })
}

/// All at the same time, told in the order of the configuration.
fn headnodes(settings: &Settings, reader: Option<&Reader>, known: Known) -> anyhow::Result<Report> {
    let runtime = runtime()?;
    let stop = CancellationToken::new();
    let mut report = Report::default();
    runtime.block_on(async {
        let at_once = listen(&stop, None)?;
        programs::programs(&mut report, settings).await;
        let checks = settings.headnodes.iter().map(|headnode| {
            headnode::headnode(At { settings, headnode, reader, known, stop: stop.clone() })
        });
        tokio::select! {
            reports = join_all(checks) => reports.into_iter().for_each(|r| report.absorb(r)),
            () = at_once.cancelled() => anyhow::bail!("told twice to end"),
        }
        Ok(())
    })?;
    runtime.shutdown_background();
    Ok(report)
}

fn configuration(report: &mut Report, settings: &Settings) {
    report.ok("configuration", format!("{} is valid", settings.file.display()));
    for key in &settings.not_active {
        report.warn(
            "configuration.not_active",
            format!("{} (line {}) is not active yet: {}", key.key_path, key.line, key.why),
            "leave it out, or keep it for a later version",
        );
    }
}

fn now(report: &mut Report, seen: &Preview) {
    if let Some(pause) = &seen.stopped {
        let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let text = format!("everything is stopped{by}, so nothing starts");
        report.warn("now", text, "daylily-watch resume --all");
        return;
    }
    let starting = seen.cases.iter().filter(|preview| matches!(preview.next, Next::Start { .. }));
    let names: Vec<&str> = starting.map(|preview| preview.case.name.as_str()).collect();
    let text = match names.len() {
        0 => "no case would start now".to_owned(),
        1 => format!("{} would start now", names[0]),
        n if n <= 5 => format!("{n} cases would start now: {}", names.join(", ")),
        n => format!("{n} cases would start now: {} and {} more", names[..5].join(", "), n - 5),
    };
    report.ok("now", text);
}

fn print(report: &Report, json: bool, printer: &mut Printer) -> std::io::Result<()> {
    if json {
        return printer.json(report);
    }
    for finding in &report.findings {
        let level = match finding.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        let text = format!("{level}  {}: {}", finding.check, finding.text);
        printer.line(words::plain(&text))?;
        if let Some(hint) = &finding.hint {
            printer.line(words::plain(&format!("      hint: {hint}")))?;
        }
    }
    Ok(())
}

/// What the database remembers of where an intake was mounted.
fn remembered(
    reader: Option<&Reader>,
    name: &daylily_lifecycle::ids::IntakeName,
) -> Option<String> {
    reader?.intake(name).ok()??.mount
}
