//! Owns the lease on a workset: `daylily.lock`, which one monitor holds at a time, and what
//! may be written under it. One who does not hold it writes nothing.
//!
//! The lock is put with `If-None-Match: *`, and renewed and taken over with `If-Match`, so
//! that of any number who try one succeeds. It is expired for one who takes it over when
//! he has seen the same version of it for a whole lease by his own monotonic clock. The
//! owner counts from before he wrote, and writes other objects only in the first three
//! quarters: a store cannot fence those. What a late write of a frozen owner could still do
//! is bounded by this: before a run is begun it stands in the lock, and who takes over
//! finds it there, so that no second run is ever begun.
//!
//! Where a store does not heed conditions there is only the classic protocol: write, wait,
//! and read who was last. It excludes two monitors only while nobody is slower than the
//! wait, so that one alone should run: [`Terms::warning`].

mod body;
mod held;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::workset::{Lock, Sentinel};
use jiff::{SignedDuration, Timestamp};

pub use self::body::{LeaseBody, LockBody, Owner, Running};
pub use self::held::{ATTEMPT, End, Finished, Lapse, Lease};
use super::name::{ETag, Key, Prefix};
use super::probe::Heeds;
use super::{Bucket, Condition, Put, Stored, sentinels};
use crate::chance::Chance;
use crate::clock::Clock;

/// How leases are held in one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a lock stands without being renewed.
    pub lease: Duration,
    /// Where conditions are not heeded: how long competing monitors are waited for.
    pub wait: Duration,
    pub heeds: Heeds,
}

impl Terms {
    /// What is to be said at the start.
    pub fn warning(&self) -> Option<&'static str> {
        (self.heeds == Heeds::Nothing).then_some(
            "this store does not heed conditions (If-None-Match), so that two monitors could \
             begin the same workset\nhint: let only one monitor run on it",
        )
    }
}

pub struct Leases {
    bucket: Arc<dyn Bucket>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    owner: Owner,
    terms: Terms,
    /// Which version of others' locks was seen, and since when.
    sightings: Mutex<HashMap<Prefix, Sighting>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sighting {
    etag: ETag,
    since: Duration,
}

/// How a lock stands, for one who looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub lock: Lock,
    pub found: Option<Found>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub body: LockBody,
    etag: ETag,
    /// What of a lease it has stood still for.
    pub still: Duration,
}

/// What came of trying to take a lock.
#[derive(Debug)]
pub enum Taken {
    Held {
        lease: Lease,
        /// What stood there before: an attempt in it is to be adopted.
        former: Option<LockBody>,
    },
    /// Another's, and nothing was written.
    Busy(Standing),
    /// It is written, and [`Leases::confirm`] says later whether it is ours.
    Waiting(Pending),
}

/// A lock that is ours if nobody else has written it since.
#[derive(Debug)]
pub struct Pending {
    lease: Lease,
    former: Option<LockBody>,
    /// By the monotonic clock.
    pub until: Duration,
}

impl Leases {
    pub fn new(
        bucket: Arc<dyn Bucket>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        owner: Owner,
        terms: Terms,
    ) -> Self {
        Self { bucket, clock, chance, owner, terms, sightings: Mutex::default() }
    }

    /// Reads the lock of a workset. What stands still is remembered from one look to the
    /// next; a restart begins to wait anew.
    pub async fn look(&self, workset: &Prefix) -> Result<Standing, Fault> {
        let asked = self.clock.monotonic();
        let Some(whole) = self.bucket.get(&lock_key(workset), body::MOST).await? else {
            self.forget(workset);
            return Ok(Standing { lock: Lock::Absent, found: None });
        };
        let (body, etag) = (LockBody::read(&whole.bytes), whole.meta.etag);
        if body.lease().is_some_and(|lease| self.is_ours(lease)) {
            self.forget(workset);
            let found = Found { body, etag, still: Duration::ZERO };
            return Ok(Standing { lock: Lock::Ours, found: Some(found) });
        }
        let theirs = body.lease().map(LeaseBody::length).unwrap_or_default();
        let still = self.still(workset, &etag, asked);
        let expired = still >= theirs.max(self.terms.lease);
        let lock = match (&body, expired) {
            (LockBody::Lease(_), false) => Lock::Theirs,
            (LockBody::Lease(_), true) => Lock::Expired,
            (LockBody::Classic(_), false) => Lock::Classic,
            (LockBody::Classic(_), true) => Lock::ClassicExpired,
        };
        Ok(Standing { lock, found: Some(Found { body, etag, still }) })
    }

    /// Takes the lock where it is free, ours or expired. May be called again after a fault:
    /// a lock that was written all the same is found to be ours.
    pub async fn take(self: &Arc<Self>, workset: &Prefix) -> Result<Taken, Fault> {
        let standing = self.look(workset).await?;
        let former = match standing.lock {
            Lock::Theirs | Lock::Classic => return Ok(Taken::Busy(standing)),
            Lock::Absent | Lock::Ours | Lock::Expired | Lock::ClassicExpired => standing.found,
        };
        let body = self.body(former.as_ref().map(|found| &found.body));
        let condition = match (&former, self.terms.heeds) {
            (_, Heeds::Nothing) => Condition::Always,
            (None, Heeds::Conditions) => Condition::Absent,
            (Some(found), Heeds::Conditions) => Condition::Version(found.etag.clone()),
        };
        let former = former.map(|found| found.body);
        let from = self.clock.monotonic();
        let put = Put::new(lock_key(workset), body.bytes(), condition);
        let etag = match self.bucket.put(&put).await {
            Ok(Stored::Yes(etag)) => etag,
            Ok(Stored::Refused | Stored::NoConditions) => match self.own(workset, &body).await? {
                Some(etag) => etag,
                None => return Ok(Taken::Busy(self.look(workset).await?)),
            },
            Err(fault) if fault.class == FaultClass::Ambiguous => {
                self.own(workset, &body).await?.ok_or(fault)?
            }
            Err(fault) => return Err(fault),
        };
        let lease = Lease::new(Arc::clone(self), workset.clone(), body, etag, from);
        Ok(match self.terms.heeds {
            Heeds::Conditions => Taken::Held { lease, former },
            Heeds::Nothing => {
                let until = from.saturating_add(self.terms.wait);
                Taken::Waiting(Pending { lease, former, until })
            }
        })
    }

    /// Whether the lock is still ours after the wait, and nobody has begun meanwhile. Before
    /// the wait is over it is [`Taken::Waiting`] again.
    pub async fn confirm(self: &Arc<Self>, pending: Pending) -> Result<Taken, Fault> {
        if self.clock.monotonic() < pending.until {
            return Ok(Taken::Waiting(pending));
        }
        let workset = pending.lease.workset();
        let begun_before = pending.former.is_some();
        let there = sentinels::look(&*self.bucket, workset).await?;
        let begun = |sentinel: &Sentinel| match sentinel {
            Sentinel::Ready | Sentinel::Lock => false,
            // What is gone on with has these from before; they are nobody else's news.
            Sentinel::InProgress | Sentinel::Error => !begun_before,
            Sentinel::Complete | Sentinel::Ignore => true,
        };
        let ours = self.own(workset, pending.lease.body()).await?;
        match ours.filter(|_| !there.iter().any(begun)) {
            Some(_) => Ok(Taken::Held { lease: pending.lease, former: pending.former }),
            None => Ok(Taken::Busy(self.look(workset).await?)),
        }
    }

    /// The version of a lock that has this very word in it.
    async fn own(&self, workset: &Prefix, body: &LeaseBody) -> Result<Option<ETag>, Fault> {
        let there = self.read(workset).await?;
        Ok(there.filter(|(lease, _)| lease.word == body.word).map(|(_, etag)| etag))
    }

    /// The lease that stands there, whoever's.
    async fn read(&self, workset: &Prefix) -> Result<Option<(Box<LeaseBody>, ETag)>, Fault> {
        let whole = self.bucket.get(&lock_key(workset), body::MOST).await?;
        Ok(whole.and_then(|whole| match LockBody::read(&whole.bytes) {
            LockBody::Lease(lease) => Some((lease, whole.meta.etag)),
            LockBody::Classic(_) => None,
        }))
    }

    fn body(&self, former: Option<&LockBody>) -> LeaseBody {
        let now = self.clock.now();
        LeaseBody {
            by: self.owner.clone(),
            word: self.chance.id(now).to_string(),
            renewed: 0,
            acquired: now,
            expires: self.expires(now),
            lease_ms: u64::try_from(self.terms.lease.as_millis()).unwrap_or(u64::MAX),
            attempt: former.and_then(LockBody::lease).and_then(|lease| lease.attempt.clone()),
        }
    }

    fn expires(&self, now: Timestamp) -> Timestamp {
        let lease = SignedDuration::try_from(self.terms.lease).unwrap_or(SignedDuration::MAX);
        now.checked_add(lease).unwrap_or(Timestamp::MAX)
    }

    /// Of this database on this machine: a copy of it elsewhere has to wait like anybody.
    fn is_ours(&self, lease: &LeaseBody) -> bool {
        lease.by.owner == self.owner.owner && lease.by.host == self.owner.host
    }

    /// How long this version has been there for certain, when it was `asked` for.
    fn still(&self, workset: &Prefix, etag: &ETag, asked: Duration) -> Duration {
        let mut sightings = self.sightings();
        match sightings.get(workset) {
            Some(seen) if seen.etag == *etag => asked.saturating_sub(seen.since),
            Some(_) | None => {
                let since = self.clock.monotonic();
                sightings.insert(workset.clone(), Sighting { etag: etag.clone(), since });
                Duration::ZERO
            }
        }
    }

    /// Lets go of what is remembered of a workset, as of one that is over.
    pub fn forget(&self, workset: &Prefix) {
        self.sightings().remove(workset);
    }

    fn sightings(&self) -> MutexGuard<'_, HashMap<Prefix, Sighting>> {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock_key(workset: &Prefix) -> Key {
    workset.key(Sentinel::Lock.object_name())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod races;
