//! Owns `selftest --chaos`: kills a daemon of its own at each step of a case's life, on the
//! user's own headnode and with toy cases, starts it again, and proves by what the jobs
//! wrote of themselves that each was executed once. It never touches the user's database,
//! cases or daemon, and clears away what it made.

mod bench;
mod proof;
mod site;
mod steps;
mod toys;

use std::sync::Arc;

use anyhow::{Context as _, bail};
use daylily_lifecycle::outcome::Fault;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::args::{Global, Selftest};
use super::connection::new_name;
use super::printer::Printer;
use super::run::{listen, runtime};
use super::{Exit, Outcome, words};
use crate::adapters::host::playground::Playground;
use crate::adapters::host::shell::Shell;
use crate::adapters::host::survey::survey;
use crate::app;
use crate::clock::SystemClock;
use crate::config::{self, HeadnodeSettings, HostAddress, QueueKind, Settings, Ship};
use bench::Bench;
use proof::Row;
use site::Folders;
use steps::Step;

/// What was proved, for people and programs.
#[derive(Debug, Serialize)]
struct Report {
    headnode: String,
    proved: bool,
    steps: Vec<Row>,
    /// What could not be cleared away.
    left: Vec<String>,
}

pub(super) fn run(global: &Global, args: &Selftest, printer: &mut Printer) -> Outcome {
    if !args.chaos {
        printer.say(
            "error: `selftest` needs to be told what to test\nhint: daylily-watch selftest --chaos",
        )?;
        return Ok(Exit::Usage);
    }
    let settings = config::load(&config::find(global.config.as_deref())?)?;
    let Some(headnode) = chosen(&settings, args.headnode.as_deref(), printer)? else {
        return Ok(Exit::Usage);
    };
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        let at_once = listen(&stop, None)?;
        let word = ulid::Ulid::generate().to_string().to_lowercase();
        tokio::select! {
            outcome = tried(headnode, &word, args, stop, printer) => outcome,
            () = at_once.cancelled() => bail!(
                "interrupted twice: folders called ...selftest-{word} are left, in the temporary \
                 folder and in work_dir of {}, and a job may still run", headnode.name
            ),
        }
    });
    runtime.shutdown_background();
    outcome
}

/// The headnode that was named, or the first.
fn chosen<'a>(
    settings: &'a Settings,
    name: Option<&str>,
    printer: &mut Printer,
) -> anyhow::Result<Option<&'a HeadnodeSettings>> {
    let Some(name) = name else { return Ok(settings.headnodes.first()) };
    let found = settings.headnodes.iter().find(|headnode| headnode.name.as_str() == name);
    if found.is_none() {
        let known: Vec<&str> = settings.headnodes.iter().map(|h| h.name.as_str()).collect();
        super::find::not_there(printer, "headnode", name, &known)?;
    }
    Ok(found)
}

async fn tried(
    headnode: &HeadnodeSettings,
    word: &str,
    args: &Selftest,
    stop: CancellationToken,
    printer: &mut Printer,
) -> Outcome {
    if headnode.queue == QueueKind::Slurm {
        return Err(app::AppError::NoSlurm { name: headnode.name.to_string() }.into());
    }
    let shell = match reached(headnode).await {
        Ok(shell) => shell,
        Err(fault) => return not_reached(headnode, &fault, printer),
    };
    let outcome = in_place(headnode, word, args, shell.clone(), stop, printer).await;
    // A connection of our own; a person's stays.
    shell.close().await;
    outcome
}

/// A way to the headnode that is not the daemon's.
async fn reached(headnode: &HeadnodeSettings) -> Result<Arc<dyn Shell>, Fault> {
    let HostAddress::Ssh(host) = &headnode.host else {
        return Ok(Arc::new(app::local_shell(headnode)));
    };
    let shell = app::ssh_shell(headnode, host, &new_name("selftest"));
    if let Err(fault) = shell.masters().connect().await {
        // What ssh said stays there otherwise.
        shell.close().await;
        return Err(fault);
    }
    Ok(Arc::new(shell))
}

fn not_reached(headnode: &HeadnodeSettings, fault: &Fault, printer: &mut Printer) -> Outcome {
    let text: Vec<String> = fault.text.lines().map(words::plain).collect();
    printer.say(format!("error: {} cannot be reached: {}", headnode.name, text.join("\n")))?;
    printer.say("hint: `daylily-watch check` says more")?;
    Ok(Exit::Unreachable)
}

async fn in_place(
    headnode: &HeadnodeSettings,
    word: &str,
    args: &Selftest,
    shell: Arc<dyn Shell>,
    stop: CancellationToken,
    printer: &mut Printer,
) -> Outcome {
    let work_dir = headnode.work_dir.to_string_lossy();
    let survey = match survey(&*shell, &work_dir, &SystemClock).await {
        Ok(survey) => survey,
        Err(fault) => return not_reached(headnode, &fault, printer),
    };
    if !survey.place.is_folder || !survey.place.is_writable {
        let place = words::plain(&survey.place.path);
        printer.say(format!(
            "error: nothing can be made in {place} on {}\nhint: `daylily-watch check` says more",
            headnode.name
        ))?;
        return Ok(Exit::No);
    }
    let far = Playground::new(shell.clone(), &survey.place.path, word);
    let folders = Folders::make(word, headnode)?;
    printer.say(format!(
        "toy cases on {}, in {}; your cases, your database and your daemon are not touched",
        headnode.name,
        words::plain(far.dir())
    ))?;
    let mut bench = Bench::new(folders, far, stop);
    let rows = match prepared(headnode, &mut bench).await {
        Ok(()) => through_all_steps(headnode, &mut bench, printer).await,
        Err(error) => Err(error),
    };
    let left = clear(headnode, &mut bench, shell, args.keep).await;
    for left in &left {
        printer.say(format!("could not be cleared away: {}", words::plain(left)))?;
    }
    if args.keep {
        let own = words::plain(&bench.folders.own.display().to_string());
        printer.say(format!("kept: database, results and log of the selftest, in {own}"))?;
    }
    let steps = rows?;
    let proved = left.is_empty() && steps.iter().all(|row| row.proved);
    let headnode = headnode.name.to_string();
    let report = Report { headnode, proved, steps, left };
    if args.json {
        printer.json(&report)?;
    } else {
        print(&report, printer)?;
    }
    Ok(if proved { Exit::Done } else { Exit::No })
}

async fn prepared(headnode: &HeadnodeSettings, bench: &mut Bench) -> anyhow::Result<()> {
    let (work_dir, records) = (bench.far.work_dir(), bench.far.records());
    bench.far.make().await.map_err(bench::fault)?;
    site::configure(&bench.folders, headnode, &work_dir, &records)?;
    bench.start().await
}

/// One row for each step. What stops one, or would need a person, stops those after it too.
async fn through_all_steps(
    headnode: &HeadnodeSettings,
    bench: &mut Bench,
    printer: &mut Printer,
) -> anyhow::Result<Vec<Row>> {
    let steps: Vec<Step> = Step::ALL.into_iter().filter(|step| is_there(*step, headnode)).collect();
    let mut rows: Vec<Row> = Vec::new();
    let mut stopped = false;
    for (number, step) in steps.iter().enumerate() {
        if stopped {
            rows.push(Row::not_tried(*step));
            continue;
        }
        printer.say(format!("{} of {}: {}", number + 1, steps.len(), step.in_plain_words()))?;
        match bench.prove(*step).await {
            Ok(row) => {
                rows.push(row);
                // What was proved may still have left something that stands in the way.
                stopped = bench.needs_a_person()?.is_some();
            }
            Err(error) => {
                rows.push(Row::failed(*step, &error));
                stopped = true;
            }
        }
    }
    Ok(rows)
}

/// Not every headnode has every step.
fn is_there(step: Step, headnode: &HeadnodeSettings) -> bool {
    let is_copied = matches!(headnode.ship, Ship::Copy);
    match step {
        Step::Copying | Step::Copied => is_copied,
        Step::Queued => headnode.queue == QueueKind::Pueue,
        Step::Undisturbed
        | Step::Arriving
        | Step::Ready
        | Step::Granted
        | Step::Staged
        | Step::Intended
        | Step::HandedOver
        | Step::Running
        | Step::EndedUnseen
        | Step::Ended
        | Step::Placed
        | Step::Succeeded
        | Step::RunAgain
        | Step::Cancelling => true,
    }
}

/// Ends what runs and removes what was made, on both sides. What could not be, is told.
async fn clear(
    headnode: &HeadnodeSettings,
    bench: &mut Bench,
    shell: Arc<dyn Shell>,
    keep: bool,
) -> Vec<String> {
    let mut left = Vec::new();
    if let Err(error) = bench.end().await {
        left.push(format!("{error:#}"));
    }
    // One that was killed has left its connections.
    if let (HostAddress::Ssh(host), Ok(about)) =
        (&headnode.host, bench.reader().and_then(|reader| Ok(reader.about()?)))
    {
        app::ssh_shell(headnode, host, about.database.as_str()).close().await;
    }
    match clear_headnode(headnode, bench, shell).await {
        Ok(told) => left.extend(told),
        Err(error) => left.push(format!("{} on {}: {error:#}", bench.far.dir(), headnode.name)),
    }
    left.extend(bench.folders.remove(keep));
    left
}

async fn clear_headnode(
    headnode: &HeadnodeSettings,
    bench: &Bench,
    shell: Arc<dyn Shell>,
) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    let seen = bench.far.look(bench.far.dir()).await;
    // Where it cannot be looked at nothing may have been made.
    if seen.as_ref().is_ok_and(|seen| seen.may_have_attempts) {
        let settings = config::load(&bench.folders.config())?;
        let of = settings.headnodes.first().context("it has one headnode")?;
        let remains = app::remains(of, &settings, shell, bench.far.work_dir())?;
        remains.host.take_over().await.map_err(bench::fault)?;
        for attempt in remains.host.names().await.map_err(bench::fault)? {
            for done in [remains.ended(&attempt).await, remains.taken_out(&attempt).await] {
                left.extend(done.err().map(|fault| format!("{}: {}", headnode.name, fault.text)));
            }
        }
    }
    // What still runs would lose the ground under its feet.
    if left.is_empty() {
        bench.far.remove().await.map_err(bench::fault)?;
    } else {
        left.push(format!("{} on {}", bench.far.dir(), headnode.name));
    }
    Ok(left)
}

fn print(report: &Report, printer: &mut Printer) -> std::io::Result<()> {
    let tried: Vec<&Row> = report.steps.iter().filter(|row| row.tried).collect();
    let rows: Vec<Vec<String>> = tried.iter().map(|row| cells(row)).collect();
    let header = ["KILLED", "DATABASE SAID", "EXECUTED", "ENDED AS", "VERDICT"];
    printer.table(&header, &rows)?;
    let (proved, all) = (report.steps.iter().filter(|row| row.proved).count(), report.steps.len());
    let not_tried = all - tried.len();
    if not_tried > 0 {
        let s = if not_tried == 1 { "" } else { "s" };
        printer.line(format!(
            "{not_tried} more step{s} not tried: the one before needs a person, or did not end"
        ))?;
        printer.say("hint: `daylily-watch check` says more")?;
    }
    let kills = report.steps.iter().filter(|row| row.killed_at.is_some()).count();
    printer.line(format!(
        "{proved} of {all} proved on {}: the daemon was killed {kills} times",
        report.headnode
    ))
}

fn cells(row: &Row) -> Vec<String> {
    let executed = match (row.executions, row.attempts) {
        (0, 0) => "-".to_owned(),
        (times, attempts) => {
            let s = if attempts == 1 { "" } else { "s" };
            format!("{times} in {attempts} attempt{s}")
        }
    };
    let verdict = if row.proved {
        "proved".to_owned()
    } else {
        format!("NOT PROVED: {}", row.problems.join("; "))
    };
    vec![
        row.told.to_owned(),
        row.killed_at.clone().unwrap_or_else(|| "-".to_owned()),
        executed,
        row.ended_as.clone(),
        verdict,
    ]
}
