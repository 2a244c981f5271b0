//! One look at one intake's root, and what follows from it: new cases, names that came
//! back, folders that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use daylily_lifecycle::case::{RejectedBy, StateName};
use daylily_lifecycle::ids::{Arrival, CaseId, CaseName, IntakeName};
use daylily_lifecycle::observation::{Decision, Observation};
use daylily_lifecycle::policy::Unreadable;
use jiff::{SignedDuration, Timestamp};

use super::appearance::{appearance, is_another};
use super::rules::Rules;
use crate::config::IntakeSettings;
use crate::intake::directory::listing::Found;
use crate::intake::directory::mount::{MountState, check};
use crate::intake::directory::root::{RootLook, look as look_at_root};
use crate::reconcile::{Context, Pass};
use crate::store::places::Intake;
use crate::store::read::live::{LastArrival, LiveName};

#[derive(Debug)]
pub(super) struct Looked {
    pub(super) intake: IntakeName,
    /// Folders to be watched whole.
    pub(super) follow: BTreeSet<PathBuf>,
    /// Cases to be scanned: something outside them says that they may have changed.
    pub(super) touched: Vec<CaseId>,
    /// Finished cases whose folder was changed at this instant, after they were complete.
    pub(super) changed: Vec<(CaseId, Timestamp)>,
    pub(super) turned: bool,
    /// Another folder is at the root's path: watches of the old one tell nothing.
    pub(super) replaced: bool,
}

pub(super) async fn look(
    context: Context,
    settings: IntakeSettings,
    stored: Option<Intake>,
    known: Vec<LiveName>,
    whole: bool,
) -> Pass<Looked> {
    let mut looked = Looked {
        intake: settings.name.clone(),
        follow: BTreeSet::new(),
        touched: Vec::new(),
        changed: Vec::new(),
        turned: false,
        replaced: false,
    };
    let remembered = stored.as_ref().and_then(|intake| intake.mount.clone());
    let root = context.here.look(&settings, remembered.as_deref()).await;
    let was_unreadable = stored.as_ref().is_some_and(|intake| intake.unreadable.is_some());
    match root {
        RootLook::Unreadable { because } => {
            looked.turned = true;
            if !was_unreadable {
                tracing::warn!(intake = %settings.name, because, "the intake cannot be read");
            }
            unreadable(&context, &settings, because).await?;
            looked.follow = known.iter().map(|name| PathBuf::from(&name.path)).collect();
        }
        RootLook::Listed { mount, replaced, listing } => {
            looked.turned = was_unreadable;
            if let Some(told) = replaced {
                tracing::warn!(intake = %settings.name, told, "the intake's root is another one");
                looked.replaced = true;
            }
            let first_look = stored.as_ref().is_none_or(|intake| intake.baseline_at.is_none());
            let round = Round { context: &context, settings: &settings, first_look, whole };
            round.names(listing.found, &known, &mut looked).await?;
            let (at, mount) = (context.clock.now(), mount.to_text());
            let change = context.store.change_intake(settings.name.clone(), move |intake| {
                intake.unreadable = None;
                intake.mount = Some(mount);
                intake.baseline_at = intake.baseline_at.or(Some(at));
                intake.scanned_at = Some(at);
            });
            change.await?;
        }
    }
    Ok(looked)
}

pub(crate) fn look_now(settings: &IntakeSettings, remembered: Option<&str>) -> RootLook {
    let (root, mount_check) = (&settings.path, settings.mount_check.as_deref());
    match (check(root, remembered, mount_check), Rules::of(settings)) {
        (MountState::Unreadable { because }, _) => RootLook::Unreadable { because },
        (_, Err(fault)) => RootLook::Unreadable { because: fault.text },
        (_, Ok(rules)) => look_at_root(root, remembered, mount_check, &rules.list),
    }
}

async fn unreadable(context: &Context, settings: &IntakeSettings, because: String) -> Pass<()> {
    let now = context.clock.now();
    let rescan = SignedDuration::try_from(settings.rescan).unwrap_or(SignedDuration::MAX);
    let next_look = now.checked_add(rescan).unwrap_or(Timestamp::MAX);
    let change = context.store.change_intake(settings.name.clone(), move |intake| {
        let since = intake.unreadable.as_ref().map_or(now, |known| known.since);
        intake.unreadable = Some(Unreadable { since, because, next_look });
    });
    change.await?;
    Ok(())
}

struct Round<'a> {
    context: &'a Context,
    settings: &'a IntakeSettings,
    /// What is found now was there before the first start.
    first_look: bool,
    /// Nobody needs to have told of a change: what has its content judged is looked into.
    whole: bool,
}

impl Round<'_> {
    async fn names(&self, found: Vec<Found>, known: &[LiveName], looked: &mut Looked) -> Pass<()> {
        let mut live: BTreeMap<&CaseName, &LiveName> =
            known.iter().map(|name| (&name.name, name)).collect();
        let mut others = Vec::new();
        for found in found {
            match live.remove(&found.name) {
                Some(name) => self.still_here(&found, name, looked).await?,
                None => others.push(found),
            }
        }
        for name in live.into_values() {
            self.gone(name).await?;
        }
        let intake = self.settings.name.clone();
        let (others, last) = self
            .context
            .store
            .read(move |reader| {
                let find = |found: &Found| reader.last_arrival(&intake, &found.name);
                let last: Result<Vec<_>, _> = others.iter().map(find).collect();
                Ok((others, last?))
            })
            .await?;
        let mut new = Vec::new();
        for (found, last) in others.into_iter().zip(last) {
            match last {
                Some(last) if !is_another(&found, &last) => changed_since(&found, &last, looked),
                last => new.push((found, last)),
            }
        }
        let appearing = new.into_iter().map(|(found, last)| self.appear(found, last));
        for path in crate::reconcile::all(appearing).await?.into_iter().flatten() {
            looked.follow.insert(path);
        }
        Ok(())
    }

    async fn still_here(&self, found: &Found, name: &LiveName, looked: &mut Looked) -> Pass<()> {
        if name.state.is_before_submitting() && found.problem.is_none() {
            looked.follow.insert(found.path.clone());
        }
        // An arriving or rejected case is scanned by its own plan. Of the others a change
        // takes it back, or is to be told.
        let judged = !matches!(name.state, StateName::Arriving | StateName::Rejected);
        if name.vanished || (self.whole && judged) {
            looked.touched.push(name.case.clone());
        }
        if name.rejected_by == Some(RejectedBy::Entry) && found.problem.is_none() {
            // What lay there was no folder, and now a folder does.
            let what = Observation::Decided(Decision::Reconsider);
            self.context.record(name.case.clone(), what).await?;
        }
        Ok(())
    }

    async fn gone(&self, name: &LiveName) -> Pass<()> {
        let inside = Path::new(&name.path).parent() == Some(self.settings.path.as_path());
        if inside && !name.vanished {
            tracing::info!(case = %name.name, "its folder is gone");
            self.context.record(name.case.clone(), Observation::Vanished).await?;
        }
        Ok(())
    }

    /// Makes a case of a name. Returns its folder, if there is one to be watched.
    async fn appear(&self, found: Found, last: Option<LastArrival>) -> Pass<Option<PathBuf>> {
        let (settings, first_look) = (self.settings, self.first_look);
        let now = self.context.clock.now();
        let baseline = match last {
            Some(_) => None,
            None => self.context.here.baseline(settings, &found, first_look, now).await,
        };
        let id = CaseId::new(self.context.draw_id().to_string());
        let arrival = last.as_ref().map_or(Arrival::FIRST, |case| case.arrival.next());
        let what = appearance(id, settings, &found, last, baseline);
        let (name, intake) = (&found.name, &settings.name);
        tracing::debug!(case = %name, %intake, arrival = arrival.0, "appeared");
        self.context.store.appear(self.context.seen(what)).await?;
        Ok(found.problem.is_none().then_some(found.path))
    }
}

/// A finished case's folder that was touched after it was complete, also while its job ran
/// and nobody looked: told once, never run again.
fn changed_since(found: &Found, last: &LastArrival, looked: &mut Looked) {
    let ran = matches!(last.state, StateName::Succeeded | StateName::Failed);
    let later = last.ready_at.is_some_and(|complete| found.changed > complete);
    if ran && later && !last.changed {
        looked.changed.push((last.case.clone(), found.changed));
    }
}
