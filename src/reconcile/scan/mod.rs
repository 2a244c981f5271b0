//! Looks at the intakes: which names are new, which are gone, whether what is mounted
//! there is what was mounted before. The watcher's hints only say where to look sooner;
//! a look at the root every `rescan` finds what they missed.

pub(crate) mod appearance;
pub mod judging;
pub(crate) mod look;
pub mod orders;
pub mod preview;
pub mod rules;
pub(crate) mod worksets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daylily_lifecycle::case::{Case, StateName};
use daylily_lifecycle::ids::{CaseId, CaseName, IntakeName};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};

use super::here::Watch;
use super::{Context, Pass, ringing};
use crate::config::IntakeSettings;
use crate::intake::directory::watch::WatchNews;
use crate::store::read::Reader;
use look::{Looked, look};

/// Many events on one case lead to one scan in this time.
const CALM: Duration = Duration::from_secs(1);

/// A scan that is due in this time is not brought forward.
const SOON: Duration = Duration::from_secs(3);

/// Looks at a root follow each other no faster, however many folders come.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

pub(super) struct Scanner {
    context: Context,
    intakes: BTreeMap<IntakeName, IntakeWatch>,
    tasks: JoinSet<Pass<Looked>>,
    /// Cases that an event touched, and when they may be scanned, monotonic.
    touched: BTreeMap<CaseId, Duration>,
    /// Finished cases that were scanned since this change of their folder: no look at
    /// the root scans them again for it.
    compared: BTreeMap<CaseId, Timestamp>,
    wake: Arc<Notify>,
}

struct IntakeWatch {
    watch: Box<dyn Watch>,
    news: Arc<Mutex<WatchNews>>,
    followed: BTreeSet<PathBuf>,
    /// When the root is looked at next, monotonic. None: not looked at yet.
    next: Option<Duration>,
    /// When a look at the root is one at what is in it too, monotonic: hints bring the
    /// others.
    next_whole: Duration,
    /// The look that is under way.
    in_flight: Option<Id>,
    /// A hint came during the look.
    again: bool,
    /// What was said of hints that are missing, so that it is said once.
    told: Option<String>,
}

/// What came of a round.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Cases to scan now because something happened to them.
    pub(super) touched: Vec<CaseId>,
    /// An intake can be read, or cannot be read, since now.
    pub(super) turned: bool,
}

impl Scanner {
    pub(super) fn new(context: Context, wake: &Arc<Notify>) -> Self {
        let intakes = context
            .settings
            .intakes
            .iter()
            .map(|intake| (intake.name.clone(), IntakeWatch::start(&context, intake, wake)))
            .collect();
        let (tasks, touched) = (JoinSet::new(), BTreeMap::new());
        let compared = BTreeMap::new();
        Self { context, intakes, tasks, touched, compared, wake: wake.clone() }
    }

    /// Takes in hints, and starts the looks whose time has come.
    pub(super) fn start(&mut self, reader: &Reader) -> Pass<Report> {
        let monotonic = self.context.clock.monotonic();
        for (name, intake) in &mut self.intakes {
            let news = std::mem::take(&mut *lock(&intake.news));
            if let Some(trouble) = &news.trouble
                && intake.told.as_ref() != Some(trouble)
            {
                tracing::warn!(intake = %name, trouble, "changes are found by looking regularly");
                intake.told = Some(trouble.clone());
            }
            let mut look_now = news.rescan;
            for dirty in news.dirty.keys() {
                match reader.find(name, &CaseName::new(dirty))? {
                    Some(case) if case.state.name().is_before_submitting() => {
                        if let Some(calm) = calm(&case, &self.context) {
                            let due = monotonic + calm;
                            self.touched.entry(case.id.clone()).or_insert(due);
                        }
                        look_now |= case.state.name() == StateName::Rejected;
                    }
                    Some(case) if !case.state.name().is_terminal() => {}
                    Some(_) | None => look_now = true,
                }
            }
            if look_now {
                // A look that is under way may have listed the root before.
                intake.again = intake.in_flight.is_some();
                let soon = monotonic + BETWEEN_LOOKS;
                intake.next = intake.next.map(|next| next.min(soon));
            }
            let due = intake.next.is_none_or(|next| next <= monotonic);
            if due
                && intake.in_flight.is_none()
                && let Some(settings) = self.context.intake(name)
            {
                let known = reader.live_names(name)?;
                let stored = reader.intake(name)?;
                let whole = intake.next_whole <= monotonic;
                if whole {
                    intake.next_whole = monotonic + settings.rescan;
                }
                let look = look(self.context.clone(), settings.clone(), stored, known, whole);
                intake.in_flight = Some(self.tasks.spawn(ringing(&self.wake, look)).id());
            }
        }
        let mut report = Report::default();
        self.touched.retain(|id, due| {
            let ready = *due <= monotonic;
            if ready {
                report.touched.push(id.clone());
            }
            !ready
        });
        Ok(report)
    }

    /// Takes in the looks that are done.
    pub(super) fn collect(&mut self) -> Pass<Report> {
        let monotonic = self.context.clock.monotonic();
        let mut report = Report::default();
        while let Some(joined) = self.tasks.try_join_next() {
            let looked = match joined {
                Ok(looked) => looked?,
                Err(error) => {
                    tracing::error!(%error, "a look at an intake failed by our own fault");
                    let id = error.id();
                    for intake in
                        self.intakes.values_mut().filter(|intake| intake.in_flight == Some(id))
                    {
                        intake.in_flight = None;
                        intake.next = Some(monotonic + Duration::from_secs(60));
                    }
                    continue;
                }
            };
            let settings = self.context.intake(&looked.intake);
            let rescan = settings.map_or(CALM, |settings| settings.rescan);
            let Some(intake) = self.intakes.get_mut(&looked.intake) else { continue };
            intake.in_flight = None;
            let again = std::mem::take(&mut intake.again);
            intake.next = Some(monotonic + if again { BETWEEN_LOOKS } else { rescan });
            report.turned |= looked.turned;
            report.touched.extend(looked.touched);
            for (case, changed) in looked.changed {
                if self.compared.insert(case.clone(), changed) != Some(changed) {
                    report.touched.push(case);
                }
            }
            if looked.replaced {
                intake.watch.rewatch();
            }
            intake.follow(looked.follow, self.context.clock.now());
        }
        Ok(report)
    }

    /// When there is something to do next, monotonic.
    pub(super) fn next(&self) -> Option<Duration> {
        let looks = self.intakes.values().filter(|intake| intake.in_flight.is_none());
        let looks = looks.map(|intake| intake.next.unwrap_or_default());
        looks.chain(self.touched.values().copied()).min()
    }

    /// Whether every intake has been looked at once and nothing waits to be scanned.
    pub(super) fn is_settled(&self) -> bool {
        let looked = |intake: &IntakeWatch| intake.next.is_some() && intake.in_flight.is_none();
        self.touched.is_empty() && self.intakes.values().all(looked)
    }

    pub(super) async fn shut_down(mut self) {
        self.tasks.shutdown().await;
    }
}

impl IntakeWatch {
    fn start(context: &Context, settings: &IntakeSettings, wake: &Arc<Notify>) -> Self {
        let news: Arc<Mutex<WatchNews>> = Arc::default();
        let (told, wake) = (news.clone(), wake.clone());
        let tell = move |more: WatchNews| {
            let mut news = lock(&told);
            news.dirty.extend(more.dirty);
            news.rescan |= more.rescan;
            news.trouble = more.trouble.or_else(|| news.trouble.take());
            wake.notify_one();
        };
        let watch = context.here.watch(settings, Arc::new(tell));
        Self {
            watch,
            news,
            followed: BTreeSet::new(),
            next: None,
            next_whole: Duration::ZERO,
            in_flight: None,
            again: false,
            told: None,
        }
    }

    /// Follows exactly these cases.
    fn follow(&mut self, wanted: BTreeSet<PathBuf>, at: Timestamp) {
        let gone: Vec<PathBuf> = self.followed.difference(&wanted).cloned().collect();
        let new: Vec<PathBuf> = wanted.difference(&self.followed).cloned().collect();
        self.followed = wanted;
        if !gone.is_empty() || !new.is_empty() {
            self.watch.follow(gone, new, at);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long events on a case are gathered before it is scanned: soon where one may
/// complete it or take it back, now and then where only quiet is waited for. None: the
/// scan at the end of the quiet period comes soon, and sees all that an event tells of.
fn calm(case: &Case, context: &Context) -> Option<Duration> {
    let now = context.clock.now();
    match (case.state.name(), case.settles_at) {
        (StateName::Arriving, Some(at)) if at > now => {
            let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            (left > SOON).then(|| (left / 10).max(CALM))
        }
        _ => Some(CALM),
    }
}
