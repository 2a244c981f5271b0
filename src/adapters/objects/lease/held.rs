//! Owns what the holder of a lease does: renew it, say what it runs, and write the other
//! sentinels while there is enough of it left.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::workset::{Body, Sentinel};

use super::{LeaseBody, Leases, Running, lock_key};
use crate::adapters::objects::name::{ETag, Key, Prefix};
use crate::adapters::objects::probe::Heeds;
use crate::adapters::objects::{Condition, Head, Put, Stored, sentinels};

/// The name in the metadata of a terminal sentinel under which its attempt stands.
pub const ATTEMPT: &str = "daylily-attempt";

/// A lease that was held when it was made. It is lost by time alone.
pub struct Lease {
    leases: Arc<Leases>,
    workset: Prefix,
    body: LeaseBody,
    etag: ETag,
    /// When the last writing of it began, by the monotonic clock.
    from: Duration,
    lost: bool,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("workset", &self.workset).field("body", &self.body).finish()
    }
}

/// Why something was not done under a lease.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapse {
    /// It is another's, or nobody's: what was going on here is not ours any more.
    #[error("the lock of {workset} is not ours any more: {holder} has it")]
    Lost { workset: Prefix, holder: String },
    /// Renew it first.
    #[error("the lock of {workset} was not renewed for too long")]
    Late { workset: Prefix },
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// How a workset ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Complete,
    Error { reason: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// The sentinel is there and ours; `daylily.in_progress` and the lock are gone.
    Done,
    /// It had ended already, by another attempt or otherwise; nothing was changed.
    Before { sentinel: Sentinel, attempt: Option<AttemptId> },
}

impl Lease {
    pub(super) fn new(
        leases: Arc<Leases>,
        workset: Prefix,
        body: LeaseBody,
        etag: ETag,
        from: Duration,
    ) -> Self {
        Self { leases, workset, body, etag, from, lost: false }
    }

    pub fn workset(&self) -> &Prefix {
        &self.workset
    }

    pub fn body(&self) -> &LeaseBody {
        &self.body
    }

    /// What is left of it.
    pub fn rest(&self) -> Duration {
        let gone = self.leases.clock.monotonic().saturating_sub(self.from);
        if self.lost { Duration::ZERO } else { self.length().saturating_sub(gone) }
    }

    fn length(&self) -> Duration {
        self.leases.terms.lease
    }

    /// Writes it anew for a whole lease, also where it has expired and nobody took it.
    pub async fn renew(&mut self) -> Result<(), Lapse> {
        let attempt = self.body.attempt.clone();
        self.write(attempt).await
    }

    /// Writes what is about to be begun into it. Until this has succeeded nothing may be
    /// handed over to a headnode.
    pub async fn announce(&mut self, running: Running) -> Result<(), Lapse> {
        self.write(Some(running)).await
    }

    async fn write(&mut self, attempt: Option<Running>) -> Result<(), Lapse> {
        // A renewal whose answer was lost may have arrived, or arrive yet: then what is
        // there is ours and another one than we know, once.
        for _ in 0..2 {
            if self.leases.terms.heeds == Heeds::Nothing {
                self.look_again().await?;
            }
            let from = self.leases.clock.monotonic();
            let now = self.leases.clock.now();
            let renewed = self.body.renewed + 1;
            let expires = self.leases.expires(now);
            let body =
                LeaseBody { renewed, expires, attempt: attempt.clone(), ..self.body.clone() };
            let condition = match self.leases.terms.heeds {
                Heeds::Conditions => Condition::Version(self.etag.clone()),
                Heeds::Nothing => Condition::Always,
            };
            // Counted on also where the writing fails: no two bodies are the same.
            self.body.renewed = renewed;
            let put = Put::new(lock_key(&self.workset), body.bytes(), condition);
            match self.leases.bucket.put(&put).await {
                Ok(Stored::Yes(etag)) => {
                    (self.body, self.etag, self.from) = (body, etag, from);
                    return Ok(());
                }
                Ok(Stored::Refused | Stored::NoConditions) => self.look_again().await?,
                Err(fault) if fault.class == FaultClass::Ambiguous => {
                    self.look_again().await?;
                    // It arrived after all.
                    if self.body == body {
                        self.from = from;
                        return Ok(());
                    }
                    return Err(fault.into());
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Lapse::Late { workset: self.workset.clone() })
    }

    /// Reads what is there, and stops where it is not ours.
    async fn look_again(&mut self) -> Result<(), Lapse> {
        let there = self.leases.read(&self.workset).await?;
        match there {
            Some((body, etag)) if body.word == self.body.word => {
                let renewed = self.body.renewed.max(body.renewed);
                self.etag = etag;
                self.body = LeaseBody { renewed, ..*body };
                Ok(())
            }
            there => {
                self.lost = true;
                let holder = there.map_or_else(
                    || "nobody".to_owned(),
                    |(body, _)| super::LockBody::Lease(body).holder(),
                );
                Err(Lapse::Lost { workset: self.workset.clone(), holder })
            }
        }
    }

    /// Whether something else may be written now: three quarters of the lease are for that,
    /// the last one for what is on its way.
    pub fn may_write(&self) -> Result<(), Lapse> {
        match self.rest() > self.length() / 4 {
            true => Ok(()),
            false => Err(Lapse::Late { workset: self.workset.clone() }),
        }
    }

    /// Writes `daylily.in_progress`. One that is there already stays.
    pub async fn begin(&self) -> Result<(), Lapse> {
        self.may_write()?;
        let key = self.key(Sentinel::InProgress);
        let body = Body::write(self.leases.clock.now(), None);
        self.put_first(Put::new(key, body, Condition::Absent)).await?;
        Ok(())
    }

    /// Removes what an earlier run has left: `daylily.error` and `daylily.in_progress`.
    pub async fn clear(&self) -> Result<(), Lapse> {
        for sentinel in [Sentinel::Error, Sentinel::InProgress] {
            self.may_write()?;
            self.leases.bucket.delete(&self.key(sentinel), None).await?;
        }
        Ok(())
    }

    /// Writes the sentinel of its end, which nobody has written before, and then removes
    /// `daylily.in_progress` and the lock. Everything that the end promises must be stored
    /// and verified before. Called again after a fault it goes on where it stopped; a
    /// lock that is not ours any more is left alone.
    pub async fn finish(&self, end: &End, attempt: Option<&AttemptId>) -> Result<Finished, Lapse> {
        self.may_write()?;
        let (sentinel, reason) = match end {
            End::Complete => (Sentinel::Complete, None),
            End::Error { reason } => (Sentinel::Error, Some(reason.as_str())),
        };
        let there = sentinels::look(&*self.leases.bucket, &self.workset).await?;
        let other = |at: &&Sentinel| matches!(at, Sentinel::Complete | Sentinel::Error);
        if let Some(&other) = there.iter().filter(other).find(|&&at| at != sentinel) {
            let attempt = self.attempt_of(other).await?;
            return Ok(Finished::Before { sentinel: other, attempt });
        }
        self.may_write()?;
        let body = Body::write(self.leases.clock.now(), reason);
        let mut put = Put::new(self.key(sentinel), body, Condition::Absent);
        let named = attempt.map(|attempt| (ATTEMPT.to_owned(), attempt.to_string()));
        put.metadata = named.into_iter().collect::<BTreeMap<_, _>>();
        if !self.put_first(put).await? {
            let written = self.attempt_of(sentinel).await?;
            if written.as_ref() != attempt {
                return Ok(Finished::Before { sentinel, attempt: written });
            }
        }
        self.may_write()?;
        self.leases.bucket.delete(&self.key(Sentinel::InProgress), None).await?;
        self.let_go().await?;
        Ok(Finished::Done)
    }

    /// Removes the lock where it is ours.
    async fn let_go(&self) -> Result<(), Lapse> {
        let Some(etag) = self.leases.own(&self.workset, &self.body).await? else { return Ok(()) };
        self.may_write()?;
        self.leases.bucket.delete(&self.key(Sentinel::Lock), Some(&etag)).await?;
        Ok(())
    }

    /// False: something is there already.
    async fn put_first(&self, put: Put) -> Result<bool, Fault> {
        let put = match self.leases.terms.heeds {
            Heeds::Conditions => put,
            Heeds::Nothing => match self.leases.bucket.head(&put.key).await? {
                Head::Missing => Put { condition: Condition::Always, ..put },
                Head::Found(_) | Head::Forbidden => return Ok(false),
            },
        };
        match self.leases.bucket.put(&put).await? {
            Stored::Yes(_) => Ok(true),
            Stored::Refused | Stored::NoConditions => Ok(false),
        }
    }

    async fn attempt_of(&self, sentinel: Sentinel) -> Result<Option<AttemptId>, Fault> {
        Ok(match self.leases.bucket.head(&self.key(sentinel)).await? {
            Head::Found(meta) => meta.metadata.get(ATTEMPT).map(AttemptId::new),
            Head::Missing | Head::Forbidden => None,
        })
    }

    fn key(&self, sentinel: Sentinel) -> Key {
        self.workset.key(sentinel.object_name())
    }
}
