//! Owns the ways out of the daemon: every write and every call goes through here. Each
//! has two points at which the daemon can be killed, before it and between what it did
//! and its answer, and each can go wrong as the schedule says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_watch::store::Gate;
use tokio::sync::{Notify, oneshot};

use crate::schedule::{Class, Lie, Mishap, Schedule, Strike};
use crate::time::tenths;

/// Everything that is counted over all lives of a daemon.
#[derive(Debug, Default)]
pub(crate) struct Points {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    points: u64,
    calls: u32,
    kills: Vec<u64>,
    mishaps: BTreeMap<u32, Mishap>,
    met: u64,
    /// What was called at each point, where somebody wants to know.
    names: Option<Vec<String>>,
    story: Option<Vec<String>>,
    /// A point by its name, for transcripts: `after add`.
    named: Option<String>,
    /// What goes wrong with the next call of a name.
    awaiting: Vec<Strike>,
}

impl Points {
    pub(crate) fn new(schedule: &Schedule, told: bool) -> Arc<Self> {
        let counted = Counted {
            kills: schedule.kills.clone(),
            mishaps: schedule.mishaps.clone(),
            awaiting: schedule.strikes.clone(),
            names: told.then(Vec::new),
            story: told.then(Vec::new),
            ..Counted::default()
        };
        Arc::new(Self { counted: Mutex::new(counted) })
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many points were passed.
    pub(crate) fn passed(&self) -> u64 {
        self.counted().points
    }

    /// How many mishaps were met.
    pub(crate) fn met(&self) -> u64 {
        self.counted().met
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.counted().names.clone().unwrap_or_default()
    }

    /// What went wrong since this was asked last.
    pub(crate) fn take_story(&self) -> Vec<String> {
        self.counted().story.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The next point of this name is one at which the daemon is killed.
    pub(crate) fn kill_at(&self, name: &str) {
        self.counted().named = Some(name.to_owned());
    }

    /// The next call of this name goes wrong.
    pub(crate) fn upset(&self, what: &str, mishap: Mishap) {
        let strike = Strike { what: what.to_owned(), after: None, mishap };
        self.counted().awaiting.push(strike);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&self) {
        let mut counted = self.counted();
        counted.mishaps.clear();
        counted.awaiting.clear();
        counted.kills.clear();
    }

    fn next_mishap(&self, what: &str) -> Option<Mishap> {
        let mut counted = self.counted();
        counted.calls += 1;
        let calls = counted.calls;
        let is_it = |strike: &Strike| strike.after.is_none() && strike.what == what;
        let awaited = counted.awaiting.iter().position(is_it);
        for strike in &mut counted.awaiting {
            strike.after = strike.after.take().filter(|after| after != what);
        }
        let mishap = match awaited {
            Some(at) => counted.awaiting.remove(at).mishap,
            None => counted.mishaps.remove(&calls)?,
        };
        counted.met += 1;
        if let Some(story) = &mut counted.story {
            story.push(format!("{what}: {mishap:?}"));
        }
        Some(mishap)
    }

    /// Counts a point. True: the daemon is killed here.
    fn pass(&self, side: &'static str, what: &str) -> bool {
        let mut counted = self.counted();
        let this = counted.points;
        counted.points += 1;
        if let Some(names) = &mut counted.names {
            names.push(format!("{side} {what}"));
        }
        let named = counted.named.as_ref().is_some_and(|named| {
            named.strip_prefix(side).is_some_and(|rest| rest.trim_start() == what)
        });
        if named {
            counted.named = None;
        }
        let killed = named || counted.kills.contains(&this);
        if killed && let Some(story) = &mut counted.story {
            story.push(format!("the daemon is killed {side} {what}"));
        }
        killed
    }
}

/// One life of a daemon: once it is over nothing of it does anything.
#[derive(Debug, Default)]
pub(crate) struct Life {
    over: AtomicBool,
    ended: Notify,
}

impl Life {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.ended.notify_one();
    }

    /// Resolves when it was killed.
    pub(crate) async fn ended(&self) {
        while !self.is_over() {
            self.ended.notified().await;
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Passage {
    pub(crate) life: Arc<Life>,
    pub(crate) points: Arc<Points>,
}

impl Passage {
    async fn point(&self, side: &'static str, what: &str) {
        if !self.life.is_over() && self.points.pass(side, what) {
            self.life.end();
        }
        if self.life.is_over() {
            // The dead do nothing and hear no answer.
            std::future::pending::<()>().await;
        }
    }

    /// A call out of the daemon.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        deed: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        self.call_or(what, deed, |fault| Err(fault), |answer, _| answer).await
    }

    /// The same where a fault and a lie have another shape.
    pub(crate) async fn call_or<T: Send + 'static>(
        &self,
        what: &'static str,
        deed: impl Future<Output = T> + Send + 'static,
        failed: impl FnOnce(Fault) -> T,
        lie: impl FnOnce(T, Lie) -> T,
    ) -> T {
        self.point("before", what).await;
        let answer = match self.points.next_mishap(what) {
            None => deed.await,
            Some(Mishap::Refused(class)) => failed(fault(class)),
            Some(Mishap::Lost) => {
                deed.await;
                failed(Fault::new(FaultClass::TransientHost, "connection reset"))
            }
            Some(Mishap::Late(by)) => later(tenths(by), deed).await,
            Some(Mishap::Slow(by)) => {
                let answer = deed.await;
                tokio::time::sleep(tenths(by)).await;
                answer
            }
            Some(Mishap::KilledBefore) => self.kill().await,
            Some(Mishap::KilledAfter) => {
                deed.await;
                self.kill().await
            }
            Some(Mishap::KilledAndLate(by)) => {
                drop(tokio::spawn(async move {
                    tokio::time::sleep(tenths(by)).await;
                    deed.await;
                }));
                self.kill().await
            }
            Some(Mishap::Lie(kind)) => lie(deed.await, kind),
        };
        self.point("after", what).await;
        answer
    }

    async fn kill<T>(&self) -> T {
        self.life.end();
        std::future::pending().await
    }
}

/// What was sent arrives, whatever becomes of the sender.
async fn later<T: Send + 'static>(
    by: Duration,
    deed: impl Future<Output = T> + Send + 'static,
) -> T {
    let (tell, told) = oneshot::channel();
    drop(tokio::spawn(async move {
        tokio::time::sleep(by).await;
        let _ = tell.send(deed.await);
    }));
    match told.await {
        Ok(answer) => answer,
        Err(_) => std::future::pending().await,
    }
}

fn fault(class: Class) -> Fault {
    match class {
        Class::Host => Fault::new(FaultClass::TransientHost, "connection timed out"),
        Class::Step => Fault::new(FaultClass::TransientStep, "it was interrupted"),
        Class::Space => Fault::new(FaultClass::NoSpace, "no space left on device"),
        Class::Unclear => Fault::new(FaultClass::Ambiguous, "the answer was cut off"),
        Class::Person => Fault::new(FaultClass::NeedsPerson, "hpc asks for a password"),
        Class::Throttled => Fault::new(FaultClass::Throttled, "too many requests"),
        Class::Case => Fault::new(FaultClass::FatalCase, "its folder is not one"),
        Class::Broken => Fault::new(FaultClass::FatalHost, "what it answers is not understood"),
    }
}

#[async_trait::async_trait]
impl Gate for Passage {
    async fn before(&self, doing: &'static str) {
        self.point("before", doing).await;
    }

    async fn after(&self, doing: &'static str) {
        self.point("after", doing).await;
    }
}

/// Whether what was broken is this law.
pub(crate) fn is_of_law(number: u32, broken: &str) -> bool {
    broken.starts_with(&format!("law {number}:"))
}
