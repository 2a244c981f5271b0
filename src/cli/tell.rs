//! Owns who is told while the daemon works: a person at the terminal by lines that are
//! drawn over, everybody else by one log line for each turn that a case takes.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::bars::Bars;
use super::follow::{Follower, News};
use super::printer::steady;
use crate::clock::{Clock, SystemClock};
use crate::store::error::StoreError;
use crate::store::journal::JournalId;
use crate::store::read::Reader;
use crate::telemetry::CASE;

/// How often what is drawn is drawn anew.
const DRAW: Duration = Duration::from_millis(250);

/// How long to look for changes that no commit of the journal told of.
const LOOK: Duration = Duration::from_secs(2);

/// What is added for each case under way, so that many cost no more than a few.
const FOR_EACH: Duration = Duration::from_millis(1);

pub(super) struct Teller {
    follower: Follower,
    bars: Option<Bars>,
    zone: TimeZone,
}

impl Teller {
    pub(super) fn new(
        reader: Reader,
        bars: Option<Bars>,
        zone: TimeZone,
        since: Timestamp,
    ) -> Self {
        Self { follower: Follower::new(reader, since), bars, zone }
    }

    /// Tells until it is over, and then what is left to tell.
    pub(super) async fn tell(
        mut self,
        mut journalled: watch::Receiver<JournalId>,
        over: CancellationToken,
    ) {
        loop {
            let last = over.is_cancelled();
            let live = match self.look() {
                Ok(live) => live,
                Err(error) => {
                    // A database that is broken is told by the daemon, which ends then.
                    tracing::debug!(%error, "cases cannot be told of");
                    0
                }
            };
            if last {
                break;
            }
            let pause = DRAW + FOR_EACH * u32::try_from(live).unwrap_or(u32::MAX);
            tokio::select! {
                () = over.cancelled() => continue,
                () = tokio::time::sleep(pause) => {}
            }
            if self.bars.is_some() && live > 0 {
                continue;
            }
            tokio::select! {
                () = over.cancelled() => {}
                _ = journalled.changed() => {}
                () = tokio::time::sleep(if live > 0 { LOOK } else { LOOK * 15 }) => {}
            }
        }
        if let Some(bars) = &mut self.bars {
            // Nothing can be done about a terminal that has gone.
            let _ = bars.clear();
        }
    }

    fn look(&mut self) -> Result<usize, StoreError> {
        let look = self.follower.look()?;
        for news in look.news.iter().filter(|news| news.turned) {
            self.say(news);
        }
        if let Some(bars) = &mut self.bars {
            bars.draw(self.follower.reader(), &look.live)?;
        }
        Ok(look.live.len())
    }

    fn say(&self, News { row, .. }: &News) {
        let (name, because) = (&row.name, &row.because);
        tracing::info!(target: CASE, state = %row.state, id = %row.case, "{name}: {because}");
        if let Some(bars) = &self.bars {
            let now = SystemClock.now().to_zoned(self.zone.clone());
            // As above.
            let line = format!("{} {name}: {because}", now.strftime("%H:%M:%S"));
            let _ = bars.say(&steady(&line));
        }
    }
}
