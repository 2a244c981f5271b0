//! Owns how many scripts run over one connection at a time, and that those which take
//! long never take all of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// sshd allows ten on one connection, unless it is told otherwise.
const SESSIONS: usize = 8;
/// Of these, for scripts that may take long. The others stay for polls and commands.
const FOR_LONG: usize = 4;
/// A script with this limit or more may take long: stopping, sums, listings, removals. What
/// polls and commands ask of a queue, and the doorbell, has less, though more than a look.
const LONG: Duration = Duration::from_secs(120);

pub(super) struct Sessions {
    all: Arc<Semaphore>,
    for_long: Arc<Semaphore>,
}

/// A place for one script, given back when dropped.
pub(super) struct Place {
    _session: OwnedSemaphorePermit,
    _of_long: Option<OwnedSemaphorePermit>,
}

/// All places were in use for as long as was waited.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AllInUse;

impl Sessions {
    pub(super) fn new() -> Self {
        let places = |n| Arc::new(Semaphore::new(n));
        Self { all: places(SESSIONS), for_long: places(FOR_LONG) }
    }

    /// Waits for a place for a script with this limit. One that may take long waits for as
    /// long as others do; any other no longer than `patience`.
    pub(super) async fn place(
        &self,
        limit: Duration,
        patience: Duration,
    ) -> Result<Place, AllInUse> {
        if limit >= LONG {
            // First, so that whoever waits here holds no session meanwhile.
            let of_long = one(&self.for_long).await;
            return Ok(Place { _session: one(&self.all).await, _of_long: Some(of_long) });
        }
        match tokio::time::timeout(patience, one(&self.all)).await {
            Ok(session) => Ok(Place { _session: session, _of_long: None }),
            Err(_) => Err(AllInUse),
        }
    }
}

async fn one(of: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    of.clone().acquire_owned().await.expect("the semaphore is never closed")
}

#[cfg(test)]
mod tests;
