//! Owns `demo`: the whole program on a sample case, in a temporary folder of its own,
//! told step by step. What it shows it also checks.

mod sample;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use daylily_lifecycle::case::StateName;
use jiff::{SignedDuration, Timestamp};
use serde_json::Map;
use tokio_util::sync::CancellationToken;

use super::args::Demo;
use super::bars::Bars;
use super::follow::Follower;
use super::printer::Printer;
use super::run::{listen, runtime};
use super::{Exit, Outcome, words_of_shell};
use crate::app::assemble;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Settings};
use crate::reconcile::driver::{Driver, Ending, Until};
use crate::reconcile::ourselves;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::read::Reader;
use crate::store::read::board::BoardRow;
use crate::store::requests::NewRequest;
use crate::telemetry::{self, Logging};

const PIPELINE: &str = include_str!("pipeline.sh");

const CASE: &str = "HG002";

/// How long nothing may change before the sample counts as complete.
const QUIET: SignedDuration = SignedDuration::from_secs(2);

/// Longer than a slow machine needs for it.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a job is given to end when the demo is interrupted.
const CANCEL: Duration = Duration::from_secs(15);

const LOOK: Duration = Duration::from_millis(100);

pub(super) fn demo(demo: &Demo, printer: &mut Printer) -> Outcome {
    let folder = Folder::make(demo.keep)?;
    let settings = set_up(&folder.path)?;
    let bars = Bars::new();
    // Only what needs attention: the demo tells the rest.
    telemetry::begin(&Logging {
        level: "warn".to_owned(),
        format: config::LogFormat::Text,
        file: None,
        drawn: bars.as_ref().map(Bars::undisturbed),
    })?;
    printer.line(format!(
        "A case of FASTQ files is written slowly into {}.",
        at(&folder, "new_cases")
    ))?;
    printer.line("It runs once nothing has changed in it for 2 s. Time, state, and why:\n")?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        let at_once = listen(&stop, None)?;
        tokio::select! {
            outcome = show(settings, &folder.path, stop, bars, printer) => outcome,
            () = at_once.cancelled() => bail!("interrupted twice; a job of the demo may still run"),
        }
    });
    runtime.shutdown_background();
    let exit = outcome?;
    if demo.keep {
        how_to_go_on(&folder.path, printer)?;
    } else if exit == Exit::Done {
        printer.line(
            "\nAll of it is removed now; `daylily-watch demo --keep` leaves it to play with.",
        )?;
    }
    Ok(exit)
}

/// The demo's own folder, removed when dropped.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(keep: bool) -> anyhow::Result<Self> {
        let name = format!("daylily-watch-demo-{}", ulid::Ulid::generate());
        let path = std::env::temp_dir().join(name.to_lowercase());
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("make the folder {}", path.display()))?;
        Ok(Self { path, keep })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed is in a temporary folder all the same.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn at(folder: &Folder, name: &str) -> String {
    folder.path.join(name).display().to_string()
}

fn set_up(folder: &Path) -> anyhow::Result<Settings> {
    let file = folder.join("config.yaml");
    let command: String = PIPELINE.lines().map(|line| format!("      {line}\n")).collect();
    let text = format!(
        "intakes:\n  - name: new_cases\n    path: ./new_cases\n    settle: {{quiet: {}s}}\n\
         headnodes:\n  - name: here\n    host: local\n    work_dir: ./work\n    path: []\n\
         pipelines:\n  default:\n    command: |\n{command}    expect: [counts.tsv]\n\
         results: {{fetch: [counts.tsv]}}\npoll: {{min: 200ms, max: 1s}}\n",
        QUIET.as_secs()
    );
    std::fs::create_dir(folder.join("new_cases")).context("make the intake")?;
    std::fs::write(&file, text).context("write the configuration")?;
    Ok(config::load(&file)?)
}

/// Runs the daemon beside the writer until the case has ended, or somebody interrupts.
async fn show(
    settings: Settings,
    folder: &Path,
    stop: CancellationToken,
    bars: Option<Bars>,
    printer: &mut Printer,
) -> Outcome {
    let began = SystemClock.now();
    let context = assemble(settings.clone()).await?;
    let store = context.store.clone();
    let over = CancellationToken::new();
    let case = folder.join("new_cases").join(CASE);
    let writer =
        tokio::spawn(async move { sample::write_slowly(&case).await.map(|()| SystemClock.now()) });
    let follower = Follower::new(store.reader()?, began);
    let mut shown = Shown { settings: &settings, bars, follower };
    let driver = Driver::new(context)?;
    let daemon = async {
        let ending = Box::pin(driver.run(Until::Stopped, over.clone())).await;
        // One that ends by itself is broken, and nothing is to be waited for.
        stop.cancel();
        ending
    };
    let told = async {
        let ended = tokio::select! {
            ended = tokio::time::timeout(LIMIT, shown.until_it_ends(printer)) => Some(ended),
            () = stop.cancelled() => None,
        };
        if let Some(bars) = &mut shown.bars {
            // The terminal may have gone.
            let _ = bars.clear();
        }
        let outcome = match ended {
            Some(Ok(Ok(row))) => match writer.await {
                Ok(Ok(written)) => report(&store.reader()?, folder, &row, written, began, printer),
                _ => Err(anyhow::anyhow!("the sample case could not be written")),
            },
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => {
                Err(anyhow::anyhow!("the case has not ended within {} s", LIMIT.as_secs()))
            }
            None => {
                writer.abort();
                printer.say("interrupted: what runs is ended first")?;
                Ok(Exit::No)
            }
        };
        if !matches!(outcome, Ok(Exit::Done)) && store.is_broken().is_none() {
            cancel(&store).await?;
        }
        outcome
    };
    let told = async {
        let outcome = told.await;
        over.cancel();
        outcome
    };
    let (ending, outcome) = tokio::join!(daemon, told);
    match ending? {
        Ending::Broken(why) => Err(StoreError::Broken { why }.into()),
        Ending::Stopped | Ending::AllDone | Ending::Anew(_) => outcome,
    }
}

struct Shown<'a> {
    settings: &'a Settings,
    bars: Option<Bars>,
    follower: Follower,
}

impl Shown<'_> {
    async fn until_it_ends(&mut self, printer: &mut Printer) -> anyhow::Result<BoardRow> {
        loop {
            let look = self.follower.look()?;
            for news in look.news {
                let row = news.row;
                let now = SystemClock.now().to_zoned(self.settings.time_zone.clone());
                let time = now.strftime("%H:%M:%S");
                let text = format!("{time}  {:<10}  {}", row.state.as_str(), row.because);
                match &self.bars {
                    // Where both are one terminal, what is drawn must not tear the line.
                    Some(bars) if printer.is_terminal() => bars.undisturbed()(&mut || {
                        // A reader that went away is no reason to end the demo.
                        let _ = printer.line(&text);
                    }),
                    Some(_) | None => printer.line(&text)?,
                }
                if row.state.is_terminal() {
                    return Ok(row);
                }
                ensure!(row.hold.is_none(), "the case waits for a person: {}", row.because);
            }
            if let Some(bars) = &mut self.bars {
                bars.draw(self.follower.reader(), &look.live)?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Ends what the demo has started, so that its folder can go.
async fn cancel(store: &Store) -> anyhow::Result<()> {
    let reader = store.reader()?;
    for row in reader.board(0)? {
        let request = NewRequest {
            at: SystemClock.now(),
            actor: ourselves(),
            verb: "cancel".to_owned(),
            target: row.case.to_string(),
            args: Map::new(),
            reason: Some("the demo ends".to_owned()),
        };
        store.request(request).await?;
    }
    drop(reader);
    let gone = async {
        while !store.read(|reader| reader.board(0)).await?.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    match tokio::time::timeout(CANCEL, gone).await {
        Ok(gone) => gone,
        Err(_) => bail!("the job of the demo has not ended"),
    }
}

/// Shows what came of it, and checks it.
fn report(
    reader: &Reader,
    folder: &Path,
    row: &BoardRow,
    written: Timestamp,
    began: Timestamp,
    printer: &mut Printer,
) -> Outcome {
    ensure!(row.state == StateName::Succeeded, "the case has not succeeded: {}", row.because);
    let results = folder.join("results/new_cases").join(CASE);
    let counts = results.join("counts.tsv");
    let counted = std::fs::read_to_string(&counts)
        .with_context(|| format!("read the result {}", counts.display()))?;
    let ready = row.ready_at.context("the case has ended and was never complete")?;
    // The last write was a gap before the writer was done.
    let early = ready.duration_since(written) + SignedDuration::from_secs(1) < QUIET;
    ensure!(!early, "the case was started before it was complete");
    ensure!(counted == sample::expected(), "the pipeline counted wrongly:\n{counted}");

    printer.line(format!("\nThe result, {}:\n", counts.display()))?;
    for line in counted.lines() {
        let (file, reads) = line.split_once('\t').unwrap_or((line, ""));
        printer.line(format!("  {file:<28}{reads:>5}"))?;
    }
    let jobs = reader.case(&row.case)?.map_or(0, |case| case.attempts().count());
    let took = SystemClock.now().duration_since(began).as_secs();
    printer.line(format!(
        "\n{jobs} attempt, {} files, done after {took} s. Where everything is:\n",
        row.files
    ))?;
    for (what, place) in [
        ("the case as it came", folder.join("new_cases").join(CASE)),
        ("where it ran", folder.join("work/new_cases").join(CASE)),
        ("its results", results),
        ("the database", folder.join("state/daylily.db")),
    ] {
        printer.line(format!("  {what:<22}{}", place.display()))?;
    }
    printer.line("\nAny SQLite tool reads the database, as here sqlite3:\n")?;
    printer.line(format!("  {}", query(folder)))?;
    printer.line(format!("  {}|{}|{}", row.name, row.state, row.because))?;
    printer
        .line("\n`daylily-watch status` and `daylily-watch why HG002` tell the same and more.")?;
    Ok(Exit::Done)
}

fn query(folder: &Path) -> String {
    let database = words_of_shell(&folder.join("state/daylily.db"));
    format!("sqlite3 {database} 'select name, state, because from cases'")
}

fn how_to_go_on(folder: &Path, printer: &mut Printer) -> Outcome {
    let program = std::env::args_os().next().map(PathBuf::from);
    let program = words_of_shell(program.as_deref().unwrap_or(Path::new("daylily-watch")));
    let config = words_of_shell(&folder.join("config.yaml"));
    let intake = words_of_shell(&folder.join("new_cases"));
    printer.line("\nEverything is left in place. To look further:\n")?;
    printer.line(format!("  {program} --config {config} status"))?;
    printer.line(format!("  {program} --config {config} why {CASE}"))?;
    printer.line("\nTo go on, start the daemon and copy another case while it runs:\n")?;
    printer.line(format!("  {program} --config {config}"))?;
    printer.line(format!("  cp -r {intake}/{CASE} {intake}/HG003"))?;
    printer.line("\nWhen you have seen enough:\n")?;
    printer.line(format!("  rm -r {}", words_of_shell(folder)))?;
    Ok(Exit::Done)
}
