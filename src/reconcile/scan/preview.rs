//! Owns what would be done with what lies in the intakes now, found by the same looks,
//! scans, plans and schedule as the daemon's, and recorded nowhere.

use std::collections::{BTreeMap, BTreeSet};

use daylily_lifecycle::action::Action;
use daylily_lifecycle::case::{Case, RejectedBy, State};
use daylily_lifecycle::ids::{CaseId, GroupName, IntakeName};
use daylily_lifecycle::observation::{Decision, Observation, Observed};
use daylily_lifecycle::plan::{may_start, plan};
use daylily_lifecycle::policy::Pause;
use daylily_lifecycle::record::{Recorded, record};
use daylily_lifecycle::schedule::{Ahead, Scheduled, ahead_of, schedule};
use jiff::Timestamp;

use super::appearance::{appearance, baseline, is_another};
use super::judging::scan_and_judge;
use super::look::look_now;
use super::orders::Orders;
use super::rules::Rules;
use crate::chance::{Chance as _, SystemChance};
use crate::config::{IntakeSettings, Settings};
use crate::intake::directory::listing::Found;
use crate::intake::directory::root::RootLook;
use crate::reconcile::naming::remote_dir;
use crate::reconcile::ourselves;
use crate::reconcile::surroundings::{Surroundings, policy, waiting};
use crate::store::error::StoreError;
use crate::store::read::Reader;
use crate::store::read::live::LastArrival;

/// How often a case is planned anew after what its plan decided.
const DECISIONS: usize = 4;

#[derive(Debug)]
pub struct Preview {
    pub stopped: Option<Pause>,
    pub intakes: Vec<IntakePreview>,
    /// In the order in which they are given their places; then the others by name.
    pub cases: Vec<CasePreview>,
}

#[derive(Debug)]
pub struct IntakePreview {
    pub name: IntakeName,
    /// Why it cannot be looked at, as a clause.
    pub unreadable: Option<String>,
    /// Folders of cases that have ended.
    pub ended: usize,
    /// What else lies there and cannot be a case.
    pub more_problems: u64,
}

#[derive(Debug)]
pub struct CasePreview {
    /// As it would be after this look.
    pub case: Case,
    /// The database knows it already.
    pub known: bool,
    pub because: String,
    pub next: Next,
}

/// What is the next thing to be done for a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Copied to this folder, then run in the group.
    Start { dir: String, group: GroupName },
    /// Copied to this folder, where it waits for a place.
    ShipAhead { dir: String },
    /// It waits for a place, and so many go first.
    Turn { first: usize },
    /// Nothing now; its sentence says why.
    Wait,
}

/// Looks at everything, which may block. `reader`: where there is a database.
pub fn preview(
    settings: &Settings,
    reader: Option<&Reader>,
    asks_s3: bool,
    now: Timestamp,
) -> Result<Preview, StoreError> {
    let around = Surroundings::expected(settings, reader)?;
    let mut intakes = Vec::new();
    let mut cases = Vec::new();
    for intake in &settings.intakes {
        let look = LookAt { settings, intake, reader, around: &around, now, asks_s3 };
        intakes.push(look.intake(&mut cases)?);
    }
    if let Some(reader) = reader {
        let seen: BTreeSet<CaseId> =
            cases.iter().map(|preview: &CasePreview| preview.case.id.clone()).collect();
        // Those that run, and those of folders that cannot be looked at.
        for case in reader.live_cases()?.into_iter().filter(|case| !seen.contains(&case.id)) {
            cases.push(planned(settings, &around, case, true, now));
        }
    }
    Ok(Preview {
        stopped: around.stopped().cloned(),
        intakes,
        cases: in_order(settings, reader, &around, cases, now)?,
    })
}

struct LookAt<'a> {
    settings: &'a Settings,
    intake: &'a IntakeSettings,
    reader: Option<&'a Reader>,
    around: &'a Surroundings,
    now: Timestamp,
    asks_s3: bool,
}

impl LookAt<'_> {
    fn intake(&self, cases: &mut Vec<CasePreview>) -> Result<IntakePreview, StoreError> {
        let name = &self.intake.name;
        let stored = self.reader.map(|reader| reader.intake(name)).transpose()?.flatten();
        let remembered = stored.as_ref().and_then(|intake| intake.mount.clone());
        let first_look = stored.is_none_or(|intake| intake.baseline_at.is_none());
        let mut preview =
            IntakePreview { name: name.clone(), unreadable: None, ended: 0, more_problems: 0 };
        let rules = Rules::of(self.intake)
            .and_then(|rules| Ok((rules, Orders::of(self.settings, self.intake)?)));
        match (look_now(self.intake, remembered.as_deref()), rules) {
            (RootLook::Unreadable { because }, _) => preview.unreadable = Some(because),
            (_, Err(fault)) => preview.unreadable = Some(fault.text),
            (RootLook::Listed { listing, .. }, Ok((rules, orders))) => {
                preview.more_problems = listing.more_problems;
                for found in listing.found {
                    match self.found(&found, &rules, &orders, first_look)? {
                        Some(case) => cases.push(case),
                        None => preview.ended += 1,
                    }
                }
            }
        }
        Ok(preview)
    }

    /// None: its case has ended.
    fn found(
        &self,
        found: &Found,
        rules: &Rules,
        orders: &Orders,
        first_look: bool,
    ) -> Result<Option<CasePreview>, StoreError> {
        let last = match self.reader {
            Some(reader) => reader.find(&self.intake.name, &found.name)?,
            None => None,
        };
        let (case, known) = match last {
            Some(case) if !case.state.name().is_terminal() => (self.back(case, found), true),
            Some(case) if !is_another(found, &LastArrival::from(&case)) => return Ok(None),
            last => {
                let before = match &last {
                    Some(_) => None,
                    None => baseline(self.intake, found, first_look, self.now),
                };
                let last = last.as_ref().map(LastArrival::from);
                let id = CaseId::new(SystemChance.id(self.now).to_string());
                let what = appearance(id, self.intake, found, last, before);
                match record(None, &self.seen(what)) {
                    Recorded::Changed(case) => (*case, false),
                    Recorded::Same
                    | Recorded::Stale { .. }
                    | Recorded::Dropped { .. }
                    | Recorded::Refused { .. } => return Ok(None),
                }
            }
        };
        let case = if case.state.name().is_before_submitting() && found.problem.is_none() {
            self.scanned(case, rules, orders)
        } else {
            case
        };
        Ok(Some(planned(self.settings, self.around, case, known, self.now)))
    }

    /// What lay there was no folder, and now a folder does.
    fn back(&self, case: Case, found: &Found) -> Case {
        let by_entry = matches!(case.state, State::Rejected { by: RejectedBy::Entry, .. });
        if by_entry && found.problem.is_none() {
            changed(case, &self.seen(Observation::Decided(Decision::Reconsider)))
        } else {
            case
        }
    }

    fn scanned(&self, case: Case, rules: &Rules, orders: &Orders) -> Case {
        match scan_and_judge(&case, rules, orders, self.asks_s3, self.now) {
            Ok(scanned) => changed(case, &self.seen(Observation::Scanned(Box::new(scanned)))),
            // It is on its way; the daemon would look again.
            Err(_) => case,
        }
    }

    fn seen(&self, what: Observation) -> Observed {
        Observed { at: self.now, actor: ourselves(), what }
    }
}

fn changed(case: Case, observed: &Observed) -> Case {
    match record(Some(&case), observed) {
        Recorded::Changed(next) => *next,
        Recorded::Same
        | Recorded::Stale { .. }
        | Recorded::Dropped { .. }
        | Recorded::Refused { .. } => case,
    }
}

/// Plans a case, with what its plan decides.
fn planned(
    settings: &Settings,
    around: &Surroundings,
    mut case: Case,
    known: bool,
    now: Timestamp,
) -> CasePreview {
    let mut because = String::new();
    for _ in 0..DECISIONS {
        let made = plan(&case, &around.of(&case), &policy(settings, &case), now);
        because = made.because;
        let decision = made.actions.into_iter().find_map(|action| match action {
            Action::Decide { decision } => Some(decision),
            Action::Scan
            | Action::Hash
            | Action::Compare
            | Action::Ship { .. }
            | Action::Submit { .. }
            | Action::TakeClaim { .. }
            | Action::EndProcesses { .. }
            | Action::Stop { .. }
            | Action::Return { .. } => None,
        });
        let Some(decision) = decision else { break };
        let what = Observation::Decided(decision);
        case = changed(case, &Observed { at: now, actor: ourselves(), what });
    }
    CasePreview { case, known, because, next: Next::Wait }
}

/// Gives the free places, and sorts by who gets one first.
fn in_order(
    settings: &Settings,
    reader: Option<&Reader>,
    around: &Surroundings,
    mut cases: Vec<CasePreview>,
    now: Timestamp,
) -> Result<Vec<CasePreview>, StoreError> {
    let asking: Vec<_> = cases
        .iter()
        .map(|preview| &preview.case)
        .filter(|case| may_start(case, &around.of(case), &policy(settings, case), now))
        .map(|case| waiting(case, now))
        .collect();
    let under_way = reader.map(Reader::ahead).transpose()?.unwrap_or_default();
    let ahead: Vec<Ahead> = settings
        .headnodes
        .iter()
        .map(|node| Ahead {
            headnode: node.name.clone(),
            ship_ahead: node.ship_ahead,
            under_way: under_way.get(&node.name).copied().unwrap_or(0),
        })
        .collect();
    let slots: Vec<_> = around.slots().cloned().collect();
    let given = schedule(&asking, &slots, &ahead, settings.aging, now);
    for waiting in &asking {
        let first = ahead_of(&waiting.case, &asking, settings.aging, now);
        if let Some(preview) = cases.iter_mut().find(|preview| preview.case.id == waiting.case) {
            preview.next = Next::Turn { first };
        }
    }
    let mut places: BTreeMap<CaseId, usize> = BTreeMap::new();
    for (place, scheduled) in given.into_iter().enumerate() {
        let (id, group) = match scheduled {
            Scheduled::Grant { case, slots, .. } => {
                (case, slots.into_iter().next().map(|slot| slot.group))
            }
            Scheduled::ShipAhead { case } => (case, None),
        };
        let Some(preview) = cases.iter_mut().find(|preview| preview.case.id == id) else {
            continue;
        };
        let Some(dir) = remote_dir(settings, &preview.case) else { continue };
        preview.next = match group {
            Some(group) => Next::Start { dir, group },
            None => Next::ShipAhead { dir },
        };
        places.insert(id, place);
    }
    cases.sort_by_cached_key(|preview| {
        let given = places.get(&preview.case.id).copied();
        let turn = match preview.next {
            Next::Turn { first } => first,
            Next::Start { .. } | Next::ShipAhead { .. } | Next::Wait => usize::MAX,
        };
        (given.unwrap_or(usize::MAX), turn, preview.case.name.clone())
    });
    Ok(cases)
}
