//! Owns a selftest under way: the daemon that is killed and started again, the database
//! that it is watched by, and what its jobs write of themselves on the headnode.

use std::time::Duration;

use anyhow::{Context as _, bail};
use daylily_lifecycle::case::{Case, StateName};
use daylily_lifecycle::ids::{CaseName, IntakeName};
use daylily_lifecycle::outcome::Fault;
use daylily_lifecycle::policy::{HeadnodeState, SlotState};
use serde_json::Map;
use tokio_util::sync::CancellationToken;

use super::site::{Folders, INTAKE};
use super::toys::{self, Execution};
use crate::adapters::host::playground::{Playground, Seen};
use crate::adapters::host::shell::Shell;
use crate::adapters::itself::Itself;
use crate::app::VERSION;
use crate::cli::words;
use crate::clock::{Clock, SystemClock};
use crate::reconcile::{ourselves, read_alive};
use crate::store::read::Reader;
use crate::store::requests::{self, NewRequest};
use crate::store::standstill::Standstill;

/// Longer than any step takes by itself; a queue with other cases in it may take it.
pub(super) const LIMIT: Duration = Duration::from_secs(120);

/// How long the daemon may take to end in good order.
const END: Duration = Duration::from_secs(8);

/// Often enough to meet a state that lasts for some milliseconds.
const LOOK: Duration = Duration::from_millis(1);

/// Between two looks at whether somebody would have to help.
const HOPELESS: Duration = Duration::from_millis(200);

/// The same where looking is a question to the headnode.
const LOOK_FAR: Duration = Duration::from_millis(30);

/// From when on nothing more is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The state is.
    Recorded,
    /// So is what is to be done next, so that it is done.
    Planned,
}

pub(super) struct Bench {
    pub(super) folders: Folders,
    pub(super) far: Playground<std::sync::Arc<dyn Shell>>,
    /// Somebody wants it to end.
    pub(super) stop: CancellationToken,
    daemon: Option<Itself>,
    /// From the first start on.
    database: Option<Database>,
    /// When it was last looked at whether waiting makes sense, by the monotonic clock.
    last_doubt: Duration,
}

struct Database {
    reader: Reader,
    standstill: Standstill,
}

impl Bench {
    pub(super) fn new(
        folders: Folders,
        far: Playground<std::sync::Arc<dyn Shell>>,
        stop: CancellationToken,
    ) -> Self {
        Self { folders, far, stop, daemon: None, database: None, last_doubt: Duration::ZERO }
    }

    /// Starts the daemon and returns when it goes round.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        let started = Itself::start(&self.folders.config(), &self.folders.log());
        let daemon = started.context("start the daemon of the selftest")?;
        let pid = daemon.pid();
        self.daemon = Some(daemon);
        let state_dir = self.folders.state_dir();
        self.until("the daemon goes round", || {
            Ok(read_alive(&state_dir).filter(|alive| Some(alive.pid) == pid))
        })
        .await?;
        if self.database.is_none() {
            let reader = Reader::open(&state_dir, VERSION)?;
            let standstill = Standstill::new(&state_dir, VERSION)?;
            self.database = Some(Database { reader, standstill });
        }
        Ok(())
    }

    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        let Some(daemon) = self.daemon.take() else { bail!("no daemon of the selftest runs") };
        daemon.kill().await.context("kill the daemon of the selftest")
    }

    /// Ends the daemon in good order, where one runs.
    pub(super) async fn end(&mut self) -> anyhow::Result<()> {
        match self.daemon.take() {
            Some(daemon) => daemon.end(END).await.context("end the daemon of the selftest"),
            None => Ok(()),
        }
    }

    fn database(&self) -> anyhow::Result<&Database> {
        self.database.as_ref().context("the daemon of the selftest was never started")
    }

    pub(super) fn reader(&self) -> anyhow::Result<&Reader> {
        Ok(&self.database()?.reader)
    }

    /// Waits until `look` finds something.
    async fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let begun = SystemClock.monotonic();
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            self.goes_on(what, begun)?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// An error where it makes no sense to wait on.
    fn goes_on(&mut self, what: &str, begun: Duration) -> anyhow::Result<()> {
        if self.stop.is_cancelled() {
            bail!("interrupted");
        }
        if let Some(status) = self.daemon.as_mut().and_then(Itself::ended) {
            bail!("the daemon has ended by itself ({status}): {}", self.last_words());
        }
        let now = SystemClock.monotonic();
        if now.saturating_sub(self.last_doubt) >= HOPELESS {
            self.last_doubt = now;
            if let Some(why) = self.needs_a_person()? {
                bail!("{why}");
            }
        }
        if now.saturating_sub(begun) < LIMIT {
            return Ok(());
        }
        bail!("waited {} s in vain: {what}; {}", LIMIT.as_secs(), self.told()?)
    }

    /// Why nothing more will happen by itself: in a life of its own somebody would be
    /// asked, and here nobody is there to answer.
    pub(super) fn needs_a_person(&self) -> anyhow::Result<Option<String>> {
        let Some(database) = &self.database else { return Ok(None) };
        for headnode in database.reader.headnodes()? {
            let (is, because) = match headnode.state {
                HeadnodeState::Broken { because, .. } => ("is set aside", because),
                HeadnodeState::Unreachable { because, needs_person: true, .. } => {
                    ("needs a person", because)
                }
                HeadnodeState::Ok | HeadnodeState::Unreachable { .. } => continue,
            };
            return Ok(Some(format!("{} {is}: {}", headnode.name, in_one_line(&because))));
        }
        let held =
            database.reader.board(0)?.into_iter().find(|row| row.hold.is_some() && row.planned);
        Ok(held.map(|row| format!("{} is held: {}", row.name, without_advice(&row.because))))
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folders.log()).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        words::plain(last.unwrap_or("it has said nothing"))
    }

    /// What is said of the cases that have not ended.
    fn told(&self) -> anyhow::Result<String> {
        let Some(database) = &self.database else { return Ok(self.last_words()) };
        let rows = database.reader.board(0)?;
        let told: Vec<String> = rows
            .iter()
            .map(|row| format!("{}: {}", row.name, without_advice(&row.because)))
            .collect();
        Ok(if told.is_empty() { "no case is there".to_owned() } else { told.join("; ") })
    }

    pub(super) fn case(&self, name: &str) -> anyhow::Result<Option<Case>> {
        Ok(self.reader()?.find(&IntakeName::new(INTAKE), &CaseName::new(name))?)
    }

    pub(super) fn offer(&self, name: &str, files: usize) -> anyhow::Result<()> {
        toys::offer(&self.folders.intake, name, files)
            .with_context(|| format!("write the toy case {name}"))
    }

    pub(super) async fn let_go(&self, name: &str) -> anyhow::Result<()> {
        self.far.give_sign(&toys::go(name)).await.map_err(fault)
    }

    /// Waits for a state of a toy.
    pub(super) async fn until_case(
        &mut self,
        name: &str,
        what: &str,
        is_so: impl Fn(&Case) -> bool,
    ) -> anyhow::Result<Case> {
        let begun = SystemClock.monotonic();
        loop {
            if let Some(case) = self.case(name)?.filter(&is_so) {
                return Ok(case);
            }
            self.goes_on(&format!("{name} is {what}"), begun)?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Meets a toy in a state and keeps its database so. False: that state was over
    /// before, which `is_over` tells.
    pub(super) async fn meets(
        &mut self,
        name: &str,
        what: &str,
        at: Moment,
        is_so: impl Fn(&Case) -> bool,
        is_over: impl Fn(&Case) -> bool,
    ) -> anyhow::Result<bool> {
        loop {
            let case = self.until_case(name, what, |case| is_so(case) || is_over(case)).await?;
            if !is_so(&case) {
                return Ok(false);
            }
            if at == Moment::Recorded || self.is_planned(&case) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.database()?.standstill.begin()?;
        if self.case(name)?.is_some_and(|case| is_so(&case)) {
            return Ok(true);
        }
        self.database()?.standstill.end()?;
        Ok(false)
    }

    /// Whether what is to be done next is known: only then does the daemon need the
    /// database no more to do it.
    pub(super) fn is_planned(&self, case: &Case) -> bool {
        let row = self.reader().and_then(|reader| Ok(reader.board_row(&case.id)?));
        row.is_ok_and(|row| row.is_some_and(|row| row.planned))
    }

    /// Waits until what is said of a case is said of it as it is.
    pub(super) async fn until_planned(&self, case: &Case) {
        let begun = SystemClock.monotonic();
        while !self.is_planned(case) && SystemClock.monotonic().saturating_sub(begun) < END {
            tokio::time::sleep(LOOK_FAR).await;
        }
    }

    pub(super) fn let_database_go(&self) -> anyhow::Result<()> {
        Ok(self.database()?.standstill.end()?)
    }

    /// Waits until something is seen on the headnode, but not longer than `limit`. False:
    /// it was not.
    pub(super) async fn sees(
        &self,
        name: &str,
        limit: Duration,
        is_so: impl Fn(&Seen) -> bool,
    ) -> anyhow::Result<(bool, Seen)> {
        let begun = SystemClock.monotonic();
        loop {
            let seen = self.look(name).await?;
            if is_so(&seen) {
                return Ok((true, seen));
            }
            if self.stop.is_cancelled() {
                bail!("interrupted");
            }
            if SystemClock.monotonic().saturating_sub(begun) >= limit {
                return Ok((false, seen));
            }
            tokio::time::sleep(LOOK_FAR).await;
        }
    }

    pub(super) async fn look(&self, name: &str) -> anyhow::Result<Seen> {
        let folder = format!("{}/{INTAKE}/{name}", self.far.work_dir());
        self.far.look(&folder).await.map_err(fault)
    }

    /// Every execution so far, as their own records say.
    pub(super) async fn executions(&self) -> anyhow::Result<Vec<Execution>> {
        let seen = self.far.look(self.far.dir()).await.map_err(fault)?;
        Ok(seen.records.iter().filter_map(|record| toys::execution(record)).collect())
    }

    pub(super) async fn until_all_slots_are_free(&mut self) -> anyhow::Result<()> {
        let begun = SystemClock.monotonic();
        loop {
            let slots = self.reader()?.slots()?;
            if slots.iter().all(|slot| slot.view.state == SlotState::Free) {
                return Ok(());
            }
            self.goes_on("the place is free again", begun)?;
            tokio::time::sleep(LOOK_FAR).await;
        }
    }

    /// Waits until the intake was looked at twice more.
    pub(super) async fn until_looked_at(&mut self) -> anyhow::Result<()> {
        for _ in 0..2 {
            let looked_at = |bench: &Self| -> anyhow::Result<_> {
                Ok(bench.reader()?.intake(&IntakeName::new(INTAKE))?.and_then(|i| i.scanned_at))
            };
            let (before, begun) = (looked_at(self)?, SystemClock.monotonic());
            while looked_at(self)? == before {
                self.goes_on("the intake is looked at again", begun)?;
                tokio::time::sleep(LOOK_FAR).await;
            }
        }
        Ok(())
    }

    /// Asks the daemon for something, as a verb does.
    pub(super) async fn ask(&mut self, verb: &str, name: &str) -> anyhow::Result<()> {
        let case = self.case(name)?.with_context(|| format!("{name} is not known"))?;
        let request = NewRequest {
            at: SystemClock.now(),
            actor: ourselves(),
            verb: verb.to_owned(),
            target: case.id.to_string(),
            args: Map::new(),
            reason: Some("a selftest".to_owned()),
        };
        requests::file(&self.folders.state_dir(), VERSION, &request)?;
        Ok(())
    }

    pub(super) fn state(&self, name: &str) -> anyhow::Result<String> {
        let state = self.case(name)?.map(|case| case.state.name());
        Ok(state.map_or("not known".to_owned(), |state| state.to_string()))
    }
}

/// A fault with its hint, as part of a line.
fn in_one_line(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| words::plain(line.trim().trim_start_matches("hint:").trim()))
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("; ")
}

/// A toy's sentence without the verbs that it names: the toy and its database go with the
/// selftest.
pub(super) fn without_advice(because: &str) -> String {
    const VERBS: [&str; 6] = ["`resume", "`retry", "`rerun", "`cancel", "`accept", "`confirm-dead"];
    let clauses = because.trim_end_matches('.').split("; ");
    let kept: Vec<&str> =
        clauses.filter(|clause| !VERBS.iter().any(|verb| clause.contains(verb))).collect();
    words::plain(&kept.join("; "))
}

pub(super) fn fault(fault: Fault) -> anyhow::Error {
    anyhow::anyhow!(fault.text)
}

/// Those in which a job may have begun, or that come later.
pub(super) fn is_past_submitting(state: StateName) -> bool {
    match state {
        StateName::Arriving
        | StateName::Rejected
        | StateName::Ready
        | StateName::Shipping
        | StateName::Staged
        | StateName::Submitting => false,
        StateName::Queued
        | StateName::Running
        | StateName::Cancelling
        | StateName::Returning
        | StateName::Succeeded
        | StateName::Failed
        | StateName::Cancelled => true,
    }
}
