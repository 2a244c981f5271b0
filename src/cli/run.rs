//! Owns the daemon as it is run from the command line: its log, its signals, what a
//! person at the terminal sees, and how it ends.

use std::convert::Infallible;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use daylily_lifecycle::case::StateName;
use daylily_lifecycle::ids::{CaseId, IntakeName};
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::args::{Global, Run};
use super::bars::Bars;
use super::printer::Printer;
use super::tell::Teller;
use super::{Exit, Outcome, dry_run, words};
use crate::adapters::host::shell::Owner;
use crate::app::{self, VERSION};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Settings};
use crate::reconcile::driver::{Driver, Ending, Until};
use crate::reconcile::{Context, Pulse, blocking, ourselves};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::read::Reader;
use crate::store::requests::{self, NewRequest};
use crate::telemetry::{self, Logging};

/// How long the database is given to be closed. What was recorded is there in any case.
const CLOSE: Duration = Duration::from_millis(500);

pub(super) fn run(global: &Global, run: &Run, printer: &mut Printer) -> Outcome {
    let settings = config::load(&config::find(global.config.as_deref())?)?;
    if run.dry_run {
        return dry_run::dry_run(&settings, printer);
    }
    let bars = Bars::new();
    begin_log(global, &settings, bars.as_ref())?;
    let until = if run.run_once { Until::AllDone } else { Until::Stopped };
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        let hung_up = Arc::new(Notify::new());
        let at_once = listen(&stop, Some(hung_up.clone()))?;
        tokio::select! {
            outcome = daemon(settings, until, stop, &hung_up, bars, printer) => outcome,
            () = at_once.cancelled() => {
                tracing::warn!("told twice to end: ended at once; jobs run on");
                Ok(Exit::No)
            }
        }
    });
    // What hangs in a dead file system is not waited for.
    runtime.shutdown_background();
    outcome
}

/// For verbs that wait for several things at a time.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Copies, scans and hashes are bounded by themselves; each idle thread costs memory.
        .max_blocking_threads(32)
        .thread_keep_alive(Duration::from_secs(2))
        .enable_all()
        .build()
        .context("start the threads")
}

fn begin_log(global: &Global, settings: &Settings, bars: Option<&Bars>) -> anyhow::Result<()> {
    let file = global.log_file.clone().or_else(|| settings.log.file.clone());
    if let Some(file) = &file {
        make_folder(file, &settings.state_dir)?;
    }
    telemetry::begin(&Logging {
        level: global.log_level.clone().unwrap_or_else(|| settings.log.level.clone()),
        format: settings.log.format,
        file,
        drawn: bars.map(Bars::undisturbed),
    })?;
    Ok(())
}

/// A log within state_dir may be opened before there is a state_dir.
fn make_folder(file: &Path, state_dir: &Path) -> anyhow::Result<()> {
    let Some(folder) = file.parent().filter(|folder| folder.starts_with(state_dir)) else {
        return Ok(());
    };
    std::fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(folder)
        .with_context(|| format!("make the folder {}", folder.display()))
}

/// The first SIGTERM or SIGINT cancels `stop`, the second what is returned. SIGHUP ends
/// nothing and is told to who has a configuration to read anew.
pub(super) fn listen(
    stop: &CancellationToken,
    hung_up: Option<Arc<Notify>>,
) -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    let at_once = CancellationToken::new();
    let (first, second) = (stop.clone(), at_once.clone());
    // It ends with the runtime.
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {
                    if let Some(hung_up) = &hung_up {
                        hung_up.notify_one();
                    }
                    continue;
                }
            }
            if first.is_cancelled() {
                second.cancel();
            }
            first.cancel();
        }
    });
    Ok(at_once)
}

async fn daemon(
    settings: Settings,
    until: Until,
    stop: CancellationToken,
    hung_up: &Notify,
    bars: Option<Bars>,
    printer: &mut Printer,
) -> Outcome {
    for key in &settings.not_active {
        tracing::warn!(key = key.key_path, line = key.line, "not active yet: {}", key.why);
    }
    let (config, zone) = (settings.file.clone(), settings.time_zone.clone());
    let began = SystemClock.now();
    let state_dir = settings.state_dir.clone();
    let (store, owner) = app::open(&settings)?;
    let mut context = app::context(settings, store.clone(), &owner).await?;
    tracing::info!(version = VERSION, config = %config.display(), "started");

    let over = CancellationToken::new();
    let teller = Teller::new(store.reader()?, bars, zone, began);
    let telling = tokio::spawn(teller.tell(store.journalled(), over.clone()));
    let ending = tokio::select! {
        ending = driven(&mut context, &owner, until, &stop) => ending,
        never = ask_to_reload(&state_dir, hung_up) => match never {},
    };
    let intakes: Vec<_> =
        context.settings.intakes.iter().map(|intake| intake.name.clone()).collect();
    over.cancel();
    if let Err(error) = telling.await {
        tracing::error!(%error, "telling of cases failed by our own fault");
    }
    match ending? {
        Ending::Broken(why) => Err(StoreError::Broken { why }.into()),
        Ending::Stopped | Ending::Anew(_) => {
            tracing::info!("ended; jobs run on, and the next start finds them");
            let listed = match until {
                Until::Stopped => Ok(Exit::Done),
                // Not all was done, which whoever asked for it must see.
                Until::AllDone => list_what_is_left(&store.reader()?, &intakes, began, printer),
            };
            close(store).await;
            listed
        }
        Ending::AllDone => {
            let listed = list_what_is_left(&store.reader()?, &intakes, began, printer);
            close(store).await;
            listed
        }
    }
}

/// One driver after the other, each with the configuration as it was read last.
async fn driven(
    context: &mut Context,
    owner: &Owner,
    until: Until,
    stop: &CancellationToken,
) -> anyhow::Result<Ending> {
    let mut pulse: Option<Arc<Pulse>> = None;
    loop {
        let driver = Driver::new(context.clone())?;
        let driver = match pulse.take() {
            Some(pulse) => driver.with_pulse(pulse),
            None => driver,
        };
        let beats = driver.pulse();
        let ending = Box::pin(driver.run(until, stop.clone())).await;
        // At once for all: one that does not answer keeps none of the others.
        join_all(context.nodes.values().map(|node| node.host.close())).await;
        match ending? {
            Ending::Anew(settings) => {
                let anew = app::context(*settings, context.store.clone(), owner).await;
                *context = anew.inspect_err(|_| beats.stops())?;
                pulse = Some(beats);
            }
            ending => return Ok(ending),
        }
    }
}

/// A SIGHUP asks for what `reload` asks for.
async fn ask_to_reload(state_dir: &Path, hung_up: &Notify) -> Infallible {
    loop {
        hung_up.notified().await;
        tracing::info!("a SIGHUP came: the configuration is read anew");
        let request = NewRequest {
            at: SystemClock.now(),
            actor: ourselves(),
            verb: "reload".to_owned(),
            target: String::new(),
            args: serde_json::Map::new(),
            reason: Some("a SIGHUP came".to_owned()),
        };
        let state_dir = state_dir.to_owned();
        let filed = blocking(move || requests::file(&state_dir, VERSION, &request)).await;
        if let Err(error) = filed {
            tracing::error!(%error, "it cannot be asked for");
        }
    }
}

async fn close(store: Store) {
    if tokio::time::timeout(CLOSE, store.close()).await.is_err() {
        tracing::debug!("the database is left to the end of the process");
    }
}

/// What `--run-once` leaves, for a person or because it was ended, with what failed in
/// this run.
fn list_what_is_left(
    reader: &Reader,
    intakes: &[IntakeName],
    began: Timestamp,
    printer: &mut Printer,
) -> Outcome {
    let mut rows = Vec::new();
    for intake in reader.intakes()?.into_iter().filter(|intake| intakes.contains(&intake.name)) {
        if let Some(unreadable) = intake.unreadable {
            let because = format!("Cannot be looked at: {}.", unreadable.because);
            rows.push(vec![format!("intake {}", intake.name), "unreadable".to_owned(), because]);
        }
    }
    let mut cases = reader.board(0)?;
    let mut place = (began, CaseId::new(""));
    loop {
        let changed = reader.changed_after(place.0, &place.1, 500)?;
        let Some(last) = changed.last() else { break };
        place = (last.updated_at, last.case.clone());
        cases.extend(changed.into_iter().filter(|row| {
            row.state == StateName::Failed && row.finished_at.is_some_and(|at| at >= began)
        }));
    }
    for row in cases {
        let mut state = row.state.to_string();
        if row.hold.is_some() {
            state.push_str(", held");
        }
        rows.push(vec![
            words::shortened(words::case_name(&row.name, row.arrival), printer.width()),
            state,
            words::plain(&row.because),
        ]);
    }
    if rows.is_empty() {
        return Ok(Exit::Done);
    }
    printer.table(&["CASE", "STATE", "BECAUSE"], &rows)?;
    Ok(Exit::No)
}
