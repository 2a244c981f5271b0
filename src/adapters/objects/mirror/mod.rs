//! Owns bringing what lies under a prefix into a folder of this machine: in parallel, large
//! objects by ranges, each compared with what the store says of it before it has its name.
//!
//! What is on its way lies beside the folder, in `.<name>.mirror`, each file of one version
//! of one object, with a ledger of what is here already. A later try goes on there; a file
//! whose object is another one by now is brought anew, and one whose object is gone is
//! removed. Memory does not grow with the number of objects but by some 100 bytes of each.

pub mod inventory;
mod fetch;
mod ledger;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use daylily_lifecycle::ids::Fingerprint;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use self::fetch::{Fetch, Fetched};
use self::inventory::{Count, Inventory, Place, Scope, inventory, place};
use self::ledger::Ledger;
use super::name::Prefix;
use super::pace::Pace;
use super::{Bucket, Listed, Listing, PageToken};
use crate::adapters::host::Progress;
use crate::adapters::host::copy::fault::{Side, classify};

#[derive(Clone)]
pub struct MirrorOrder {
    pub under: Prefix,
    pub scope: Scope,
    /// The folder, ours alone; made when missing. It has a name and a folder that it is in.
    pub to: PathBuf,
    /// Requests at a time, at least 1. Each may need 2 MiB.
    pub parallel: usize,
    pub pace: Arc<Pace>,
    /// What was listed when it was judged. Something else by now is `TransientStep`.
    pub judged: Option<Fingerprint>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    pub inventory: Inventory,
    /// Objects that were not here before.
    pub fetched: u64,
    /// Objects that were compared by the store's checksum in this run; of the others the
    /// size is right, and all that was announced has come.
    pub by_checksum: u64,
}

/// Brings everything here. Keys that cannot be files are `FatalCase` before anything is
/// written; a full disk is `NoSpace`; an object that changed or vanished under way, and one
/// that is not what its checksum says, are `TransientStep`. `stop` ends it soon with that
/// too. May be called again after any of them, and goes on.
pub async fn mirror(
    bucket: &Arc<dyn Bucket>,
    order: &MirrorOrder,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Mirrored, Fault> {
    let run = Box::pin(run(bucket, order, progress));
    tokio::select! {
        biased;
        () = stop.cancelled() => {
            let text = format!("mirror {}: it was stopped", shown(bucket, order));
            Err(Fault::new(FaultClass::TransientStep, text))
        }
        done = run => done,
    }
}

async fn run(
    bucket: &Arc<dyn Bucket>,
    order: &MirrorOrder,
    progress: &Progress,
) -> Result<Mirrored, Fault> {
    let before = inventory(&**bucket, &order.under, order.scope).await?;
    refuse_odd(bucket, order, &before)?;
    if order.judged.as_ref().is_some_and(|judged| *judged != before.fingerprint) {
        return Err(changed(bucket, order));
    }
    let parts = parts(&order.to)?;
    for folder in [&order.to, &parts] {
        fs::create_dir_all(folder).map_err(|error| fault("make", folder, &error))?;
    }
    let ledger = parts.join("ledger");
    let ledger = Ledger::open(ledger.clone()).map_err(|error| fault("read", &ledger, &error))?;
    let fetch = Arc::new(Fetch {
        bucket: Arc::clone(bucket),
        to: order.to.clone(),
        parts: parts.clone(),
        ledger,
        pace: Arc::clone(&order.pace),
        places: tokio::sync::Semaphore::new(order.parallel.max(1)),
    });
    let (mut count, mut fetched, mut by_checksum) = (Count::default(), 0, 0);
    let mut todo = Todo::new(Arc::clone(bucket), order);
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < order.parallel.max(1)
            && let Some(listed) = todo.next().await?
        {
            count.see(&order.under, &listed, order.scope);
            match place(&order.under, &listed, order.scope) {
                Place::File(path) => {
                    let fetch = Arc::clone(&fetch);
                    running.push(async move { (fetch.object(&listed, &path).await, listed.size) });
                }
                Place::Folder(path) => {
                    let folder = order.to.join(path);
                    fs::create_dir_all(&folder).map_err(|error| fault("make", &folder, &error))?;
                }
                Place::NotOurs => {}
                // It was not there a moment ago.
                Place::Odd(_) => return Err(changed(bucket, order)),
            }
        }
        let Some((done, size)) = running.next().await else { break };
        match done? {
            Fetched::Here => {
                progress.bytes.fetch_add(size.0, Ordering::Relaxed);
            }
            Fetched::Now { by_checksum: compared } => {
                fetched += 1;
                by_checksum += u64::from(compared);
                progress.bytes.fetch_add(size.0, Ordering::Relaxed);
            }
        }
        progress.files.fetch_add(1, Ordering::Relaxed);
    }
    let after = count.finish();
    if after.fingerprint != before.fingerprint {
        return Err(changed(bucket, order));
    }
    let cleaned = tokio::task::spawn_blocking(move || fetch.clean_up());
    let cleaned = cleaned.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    cleaned.map_err(|error| fault("tidy", &parts, &error))?;
    Ok(Mirrored { inventory: after, fetched, by_checksum })
}

/// Removes what is kept beside a folder for a later try: when it has been used, and nothing
/// of it is to be brought here again.
pub fn forget(to: &Path) -> io::Result<()> {
    let parts = parts(to).map_err(|fault| io::Error::other(fault.text))?;
    match fs::remove_dir_all(parts) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Beside the folder, so that nothing of it is ever taken for the content.
fn parts(to: &Path) -> Result<PathBuf, Fault> {
    match (to.parent(), to.file_name().and_then(|name| name.to_str())) {
        (Some(parent), Some(name)) => Ok(parent.join(format!(".{name}.mirror"))),
        _ => {
            let text = format!("{} is no folder to mirror to", to.display());
            Err(Fault::new(FaultClass::FatalCase, text))
        }
    }
}

fn refuse_odd(
    bucket: &Arc<dyn Bucket>,
    order: &MirrorOrder,
    inventory: &Inventory,
) -> Result<(), Fault> {
    let Some(first) = inventory.problems.first() else { return Ok(()) };
    let more = inventory.problems.len() as u64 - 1 + inventory.more_problems;
    let more = if more > 0 { format!(" ({more} more)") } else { String::new() };
    let text = format!(
        "{}: {first}{more}\nhint: rename it, nothing was brought here",
        shown(bucket, order)
    );
    Err(Fault::new(FaultClass::FatalCase, text))
}

fn shown(bucket: &Arc<dyn Bucket>, order: &MirrorOrder) -> String {
    format!("s3://{}/{}", bucket.name(), order.under)
}

fn changed(bucket: &Arc<dyn Bucket>, order: &MirrorOrder) -> Fault {
    let text = format!("{} has changed since it was looked at", shown(bucket, order));
    Fault::new(FaultClass::TransientStep, text)
}

fn fault(doing: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::new(classify(error, Side::Dest), format!("{doing} {}: {error}", path.display()))
}

/// What is listed, page by page.
struct Todo {
    bucket: Arc<dyn Bucket>,
    what: Listing,
    page: VecDeque<Listed>,
    next: Option<Option<PageToken>>,
}

impl Todo {
    fn new(bucket: Arc<dyn Bucket>, order: &MirrorOrder) -> Self {
        let what = Listing::all(&order.under);
        Self { bucket, what, page: VecDeque::new(), next: Some(None) }
    }

    async fn next(&mut self) -> Result<Option<Listed>, Fault> {
        loop {
            if let Some(listed) = self.page.pop_front() {
                return Ok(Some(listed));
            }
            let Some(from) = self.next.take() else { return Ok(None) };
            let page = match self.bucket.list(&self.what, from.as_ref()).await {
                Ok(page) => page,
                Err(fault) => {
                    self.next = Some(from);
                    return Err(fault);
                }
            };
            self.page = page.objects.into();
            self.next = page.next.map(Some);
        }
    }
}
