//! Owns the steps of a case's life at which the daemon is killed, and how a toy case is
//! brought to each. Where the database is kept as it is while the daemon goes on, it is
//! killed between having done something and having recorded it.

use std::time::Duration;

use daylily_lifecycle::case::{Case, StateName};

use super::bench::{Bench, LIMIT, Moment, is_past_submitting};
use super::toys::{FEW, MANY, RESULT};

/// How long what is done while nothing can be recorded is waited for. The daemon itself
/// waits longer before it takes its database for broken.
const MOMENT: Duration = Duration::from_secs(10);

/// What has no sign of its end is taken to be done after so long.
const A_WHILE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Undisturbed,
    Arriving,
    Ready,
    Granted,
    Copying,
    Copied,
    Staged,
    Intended,
    HandedOver,
    Queued,
    Running,
    EndedUnseen,
    Ended,
    Placed,
    Succeeded,
    RunAgain,
    Cancelling,
}

/// What came of bringing a toy to a step.
#[derive(Debug)]
pub(super) enum Met {
    /// Nobody was to be killed.
    Nobody,
    /// The daemon was killed there; what was so in that moment.
    Killed(String),
    /// The case was further before it could be met.
    Over,
}

impl Step {
    pub(super) const ALL: [Self; 17] = [
        Self::Undisturbed,
        Self::Arriving,
        Self::Ready,
        Self::Granted,
        Self::Copying,
        Self::Copied,
        Self::Staged,
        Self::Intended,
        Self::HandedOver,
        Self::Queued,
        Self::Running,
        Self::EndedUnseen,
        Self::Ended,
        Self::Placed,
        Self::Succeeded,
        Self::RunAgain,
        Self::Cancelling,
    ];

    /// The same in every version; toys are named after it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Undisturbed => "undisturbed",
            Self::Arriving => "arriving",
            Self::Ready => "ready",
            Self::Granted => "granted",
            Self::Copying => "copying",
            Self::Copied => "copied",
            Self::Staged => "staged",
            Self::Intended => "intended",
            Self::HandedOver => "handed-over",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::EndedUnseen => "ended-unseen",
            Self::Ended => "ended",
            Self::Placed => "placed",
            Self::Succeeded => "succeeded",
            Self::RunAgain => "run-again",
            Self::Cancelling => "cancelling",
        }
    }

    pub(super) fn in_plain_words(self) -> &'static str {
        match self {
            Self::Undisturbed => "not killed, to compare with",
            Self::Arriving => "while it arrives",
            Self::Ready => "complete, nothing begun",
            Self::Granted => "a place is given",
            Self::Copying => "while it is copied",
            Self::Copied => "copied, not recorded",
            Self::Staged => "copied, waiting for a place",
            Self::Intended => "about to be handed over",
            Self::HandedOver => "handed over, not recorded",
            Self::Queued => "in the queue",
            Self::Running => "while its job runs",
            Self::EndedUnseen => "its job ends, nobody looks",
            Self::Ended => "the end is recorded",
            Self::Placed => "results placed, not recorded",
            Self::Succeeded => "it has just succeeded",
            Self::RunAgain => "handed over once more",
            Self::Cancelling => "while it is cancelled",
        }
    }

    pub(super) fn files(self) -> usize {
        match self {
            Self::Copying | Self::Copied => MANY,
            _ => FEW,
        }
    }

    /// How many attempts a toy has in the end.
    pub(super) fn attempts(self) -> usize {
        if self == Self::RunAgain { 2 } else { 1 }
    }

    pub(super) fn ends_as(self) -> StateName {
        if self == Self::Cancelling { StateName::Cancelled } else { StateName::Succeeded }
    }
}

/// The toy that has the only place while another waits for it.
pub(super) fn holder(name: &str) -> String {
    format!("{name}-before")
}

fn is(wanted: StateName) -> impl Fn(&Case) -> bool {
    move |case| case.state.name() == wanted
}

fn is_submitting(case: &Case) -> bool {
    case.state.name() == StateName::Submitting
}

fn is_running(case: &Case) -> bool {
    case.state.name() == StateName::Running
}

/// Whether it has come past a state in which nothing is handed over yet.
fn is_handed_over(case: &Case) -> bool {
    is_past_submitting(case.state.name())
}

fn is_terminal(case: &Case) -> bool {
    case.state.name().is_terminal()
}

impl Bench {
    /// Brings a toy to a step, kills the daemon there, starts it again, and lets the toy
    /// go. A daemon runs before and after.
    pub(super) async fn bring(&mut self, step: Step, name: &str) -> anyhow::Result<Met> {
        match step {
            Step::Undisturbed => {
                self.let_go(name).await?;
                self.offer(name, step.files())?;
                Ok(Met::Nobody)
            }
            Step::Arriving => self.killed_when(name, step, is(StateName::Arriving)).await,
            Step::Ready => self.ready(name, step).await,
            Step::Granted => self.killed_when(name, step, is(StateName::Shipping)).await,
            Step::Copying => self.copying(name, step, |files| files > 0, Duration::ZERO).await,
            Step::Copied => self.copying(name, step, |files| files >= MANY, A_WHILE).await,
            Step::Staged => self.staged(name, step).await,
            Step::Intended => self.killed_when(name, step, is_submitting).await,
            Step::HandedOver => self.handed_over(name, step).await,
            Step::Queued => self.killed_when(name, step, is(StateName::Queued)).await,
            Step::Running => self.running(name, step, false).await,
            Step::EndedUnseen => self.running(name, step, true).await,
            Step::Ended => {
                self.let_go(name).await?;
                self.offer(name, step.files())?;
                let met = self
                    .meets(name, "ended", Moment::Recorded, is(StateName::Returning), is_terminal)
                    .await?;
                self.killed_if(name, met, None).await
            }
            Step::Placed => self.placed(name, step).await,
            Step::Succeeded => self.succeeded(name, step).await,
            Step::RunAgain => self.run_again(name, step).await,
            Step::Cancelling => self.cancelling(name, step).await,
        }
    }

    /// Kills it now, and starts it again. What was so is read from the database.
    async fn killed(&mut self, name: &str, besides: Option<String>) -> anyhow::Result<Met> {
        self.kill().await?;
        let state = self.state(name)?;
        self.start().await?;
        Ok(Met::Killed(match besides {
            Some(besides) => format!("{state}, {besides}"),
            None => state,
        }))
    }

    /// The same where the database was kept as it is for that.
    async fn killed_if(
        &mut self,
        name: &str,
        met: bool,
        besides: Option<String>,
    ) -> anyhow::Result<Met> {
        if !met {
            return Ok(Met::Over);
        }
        self.kill().await?;
        let state = self.state(name)?;
        self.let_database_go()?;
        self.start().await?;
        Ok(Met::Killed(match besides {
            Some(besides) => format!("{state}, {besides}"),
            None => state,
        }))
    }

    /// As soon as it is seen so, before anything more can be recorded.
    async fn killed_when(
        &mut self,
        name: &str,
        step: Step,
        is_so: impl Fn(&Case) -> bool,
    ) -> anyhow::Result<Met> {
        self.offer(name, step.files())?;
        // Its job waits, so that it is met there at the latest.
        let met = self
            .meets(name, step.in_plain_words(), Moment::Recorded, is_so, |case| {
                is_running(case) || is_terminal(case)
            })
            .await?;
        let met = self.killed_if(name, met, None).await?;
        self.let_go(name).await?;
        Ok(met)
    }

    /// With the red button pressed nothing begins.
    async fn ready(&mut self, name: &str, step: Step) -> anyhow::Result<Met> {
        let button = self.folders.state_dir().join("STOP");
        std::fs::write(&button, "a selftest\n")?;
        self.offer(name, step.files())?;
        self.until_case(name, "complete", is(StateName::Ready)).await?;
        let met = self.killed(name, None).await;
        std::fs::remove_file(&button)?;
        self.let_go(name).await?;
        met
    }

    async fn copying(
        &mut self,
        name: &str,
        step: Step,
        is_so: impl Fn(usize) -> bool,
        and_then: Duration,
    ) -> anyhow::Result<Met> {
        self.offer(name, step.files())?;
        let met = self
            .meets(name, "being copied", Moment::Planned, is(StateName::Shipping), |case| {
                is_submitting(case) || is_handed_over(case)
            })
            .await?;
        let mut besides = None;
        let mut met = met;
        if met {
            let (seen, there) = self.sees(name, MOMENT, |seen| is_so(seen.files)).await?;
            tokio::time::sleep(and_then).await;
            besides = Some(format!("{} of {} files there", there.files.min(MANY), step.files()));
            if !seen {
                self.let_database_go()?;
                met = false;
            }
        }
        let met = self.killed_if(name, met, besides).await?;
        self.let_go(name).await?;
        Ok(met)
    }

    /// Another toy has the place.
    async fn staged(&mut self, name: &str, step: Step) -> anyhow::Result<Met> {
        let before = holder(name);
        self.offer(&before, FEW)?;
        self.until_case(&before, "running", is_running).await?;
        self.offer(name, step.files())?;
        self.until_case(name, "copied ahead", is(StateName::Staged)).await?;
        let met = self.killed(name, None).await?;
        self.let_go(&before).await?;
        self.let_go(name).await?;
        Ok(met)
    }

    async fn handed_over(&mut self, name: &str, step: Step) -> anyhow::Result<Met> {
        self.offer(name, step.files())?;
        let mut met =
            self.meets(name, "handed over", Moment::Planned, is_submitting, is_handed_over).await?;
        if met {
            let record = format!("run.{name}.");
            let has_begun = |record: &String, seen: &[String]| {
                seen.iter().any(|seen| seen.starts_with(record.as_str()))
            };
            let (seen, _) =
                self.sees(name, MOMENT, |seen| has_begun(&record, &seen.records)).await?;
            if !seen {
                self.let_database_go()?;
                met = false;
            }
        }
        let met = self.killed_if(name, met, Some("its job had begun".to_owned())).await?;
        self.let_go(name).await?;
        Ok(met)
    }

    /// `and_ends`: also its job ends before the daemon is started again.
    async fn running(&mut self, name: &str, step: Step, and_ends: bool) -> anyhow::Result<Met> {
        self.offer(name, step.files())?;
        self.until_case(name, "running", is_running).await?;
        if !and_ends {
            let met = self.killed(name, None).await?;
            self.let_go(name).await?;
            return Ok(met);
        }
        self.kill().await?;
        let state = self.state(name)?;
        let before = self.look(name).await?.ended;
        self.let_go(name).await?;
        let (ended, _) = self.sees(name, LIMIT, |seen| seen.ended > before).await?;
        self.start().await?;
        if !ended {
            anyhow::bail!("the job of {name} did not end while no daemon ran");
        }
        Ok(Met::Killed(format!("{state}, then its job ended")))
    }

    async fn placed(&mut self, name: &str, step: Step) -> anyhow::Result<Met> {
        self.let_go(name).await?;
        self.offer(name, step.files())?;
        let mut met = self
            .meets(name, "ended", Moment::Planned, is(StateName::Returning), is_terminal)
            .await?;
        if met {
            let result = self.folders.results(name).join(RESULT);
            let is_placed = async {
                while result.symlink_metadata().is_err() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                tokio::time::sleep(A_WHILE).await;
            };
            if tokio::time::timeout(MOMENT, is_placed).await.is_err() {
                self.let_database_go()?;
                met = false;
            }
        }
        self.killed_if(name, met, Some("its results in place".to_owned())).await
    }

    async fn succeeded(&mut self, name: &str, step: Step) -> anyhow::Result<Met> {
        self.let_go(name).await?;
        self.offer(name, step.files())?;
        self.until_case(name, "done", is_terminal).await?;
        let met = self.killed(name, None).await?;
        self.until_looked_at().await?;
        Ok(met)
    }

    async fn run_again(&mut self, name: &str, step: Step) -> anyhow::Result<Met> {
        self.let_go(name).await?;
        self.offer(name, step.files())?;
        self.until_case(name, "done", is_terminal).await?;
        self.ask("rerun", name).await?;
        let is_second = |case: &Case| case.attempt().is_some_and(|attempt| attempt.number == 2);
        let met = self
            .meets(
                name,
                "handed over once more",
                Moment::Recorded,
                |case| is_second(case) && is_submitting(case),
                |case| is_second(case) && is_handed_over(case),
            )
            .await?;
        self.killed_if(name, met, Some("attempt 2".to_owned())).await
    }

    async fn cancelling(&mut self, name: &str, step: Step) -> anyhow::Result<Met> {
        self.offer(name, step.files())?;
        self.until_case(name, "running", is_running).await?;
        self.ask("cancel", name).await?;
        let met = self
            .meets(
                name,
                "being cancelled",
                Moment::Recorded,
                is(StateName::Cancelling),
                is_terminal,
            )
            .await?;
        self.killed_if(name, met, None).await
    }
}
