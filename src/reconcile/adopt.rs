//! Adopts a headnode: makes this database the owner of its work_dir and takes in every
//! attempt that is found there without a record of it. Nothing is started and nothing
//! is ended; each case that was taken in waits for a person.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{End, EndHow, Place};
use daylily_lifecycle::case::{Case, CaseKind, Content, HoldWhy, Order, Priority, StateName};
use daylily_lifecycle::circuit::Met;
use daylily_lifecycle::ids::{
    Actor, Arrival, AttemptId, CaseId, CaseName, HeadnodeName, IntakeName, PipelineName, Slot,
};
use daylily_lifecycle::observation::{
    Adopted, AdoptedRole, AttemptSeed, Decision, Observation, Observed,
};
use daylily_lifecycle::outcome::{Alive, Claim, Evidence, ExitRecord, Fault, Look, QueueWord};
use daylily_lifecycle::policy::{HeadnodeState, Part, SlotState};
use daylily_lifecycle::record::Recorded;
use jiff::Timestamp;

use super::contact::host_fault;
use super::naming::queue_kind;
use super::unknown::made_at;
use super::{Context, Node, Pass};
use crate::adapters::host::HostLook;
use crate::adapters::host::found::FoundAttempt;
use crate::adapters::host::record::CaseRecord;
use crate::adapters::queue::QueueLook;

/// Answers what people asked: `done: ...`, or why it could not be done.
pub(super) async fn adopt(context: &Context, name: &HeadnodeName, actor: &Actor) -> Pass<String> {
    let Some(node) = context.node(name) else {
        return Ok(format!("there is no headnode {name} in the configuration of the daemon"));
    };
    let before = context.store.change_headnode(name.clone(), |_| {}).await?.state;
    // Nothing may start there while it is not known what is there.
    let (since, because) = (context.clock.now(), "it is being adopted".to_owned());
    let broken = HeadnodeState::Broken { part: Part::Host, since, because };
    set_state(context, name, broken).await?;
    let work = Adoption { context, node, actor };
    match work.take_over().await? {
        Ok(told) => {
            let at = context.clock.now();
            let change = context.store.change_headnode(name.clone(), move |headnode| {
                headnode.state = HeadnodeState::Ok;
                headnode.failures = 0;
                headnode.owned_at = Some(at);
            });
            change.await?;
            tracing::info!(headnode = %name, told, "adopted");
            Ok(format!("done: {told}"))
        }
        Err(fault) => {
            set_state(context, name, before).await?;
            host_fault(context, node, Part::Host, &fault, Met::Probing).await?;
            Ok(fault.text)
        }
    }
}

async fn set_state(context: &Context, name: &HeadnodeName, state: HeadnodeState) -> Pass<()> {
    context.store.change_headnode(name.clone(), |headnode| headnode.state = state).await?;
    Ok(())
}

struct Adoption<'a> {
    context: &'a Context,
    node: &'a Node,
    actor: &'a Actor,
}

/// A found attempt that this database does not know.
struct Unknown {
    record: Box<CaseRecord>,
    has_job: bool,
    look: Option<HostLook>,
}

/// How many were taken in, by what they were.
#[derive(Default)]
struct Counts {
    running: usize,
    ended: usize,
    not_begun: usize,
    earlier: usize,
    tombstones: usize,
    without_slot: usize,
    refused: usize,
    unreadable: usize,
    labels: usize,
    missing: usize,
}

impl Adoption<'_> {
    async fn take_over(&self) -> Pass<Result<String, Fault>> {
        let seen = async {
            let former = self.node.host.take_over().await?;
            let queue = self.node.queue.look().await?;
            let found = self.node.host.list().await?;
            Ok((former, queue, found))
        };
        let (former, queue, found) = match seen.await {
            Ok(seen) => seen,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut counts = Counts::default();
        let there: Vec<AttemptId> = found.iter().map(|found| found.id.clone()).collect();
        counts.labels = queue.words.keys().filter(|label| !there.contains(label)).count();
        counts.missing = self.hold_what_is_missing(&there).await?;
        let mut unknown = Vec::new();
        for found in self.unknown(found).await? {
            let FoundAttempt { has_job, has_claim, record, .. } = found;
            match record {
                // Never handed over: what is copied there is compared when its case ships.
                _ if !has_job && !has_claim && !is_tombstone(record.as_deref()) => {}
                Some(record) => unknown.push(Unknown { record, has_job, look: None }),
                None => counts.unreadable += 1,
            }
        }
        let with_job: Vec<AttemptId> = unknown
            .iter()
            .filter(|unknown| unknown.has_job)
            .map(|unknown| unknown.record.attempt.clone())
            .collect();
        let mut looks = match self.node.host.read(&with_job).await {
            Ok(looks) => looks.into_iter(),
            Err(fault) => return Ok(Err(fault)),
        };
        for unknown in unknown.iter_mut().filter(|unknown| unknown.has_job) {
            unknown.look = looks.next();
        }
        let mut by_case: BTreeMap<(IntakeName, CaseName, Arrival), Vec<Unknown>> = BTreeMap::new();
        for unknown in unknown {
            let record = &unknown.record;
            let key = (record.intake.clone(), record.name.clone(), record.arrival);
            by_case.entry(key).or_default().push(unknown);
        }
        for ((intake, name, arrival), attempts) in by_case {
            let find =
                move |reader: &crate::store::read::Reader| reader.arrival(&intake, &name, arrival);
            let case = self.context.store.read(find).await?;
            if let Err(fault) = self.of_case(case, attempts, &queue, &mut counts).await? {
                return Ok(Err(fault));
            }
        }
        Ok(Ok(counts.told(former.as_deref(), &self.node.owner)))
    }

    /// What was just being handed over, and has not even a folder here, may have begun
    /// where this headnode was before: it is not begun once more by itself.
    async fn hold_what_is_missing(&self, there: &[AttemptId]) -> Pass<usize> {
        let headnode = self.node.settings.name.clone();
        let find = move |reader: &crate::store::read::Reader| reader.running(&headnode);
        let running = self.context.store.read(find).await?;
        let missing = running.into_iter().filter(|running| {
            running.state == StateName::Submitting && !there.contains(&running.attempt.id)
        });
        let mut held = 0;
        for running in missing {
            let (name, id) = (&self.node.settings.name, &running.attempt.id);
            let reason = format!(
                "{name} was adopted, and nothing of {id}, which was being handed over, is there: \
                 it may run where {name} was before"
            );
            let why = HoldWhy::Removed;
            let what = Observation::Decided(Decision::Hold { why, reason });
            if let Recorded::Changed(_) = self.context.record(running.case, what).await? {
                held += 1;
            }
        }
        Ok(held)
    }

    /// Those that are in no row.
    async fn unknown(&self, found: Vec<FoundAttempt>) -> Pass<Vec<FoundAttempt>> {
        let find = move |reader: &crate::store::read::Reader| {
            let mut unknown = Vec::new();
            for found in found {
                if !reader.knows_attempt(&found.id)? {
                    unknown.push(found);
                }
            }
            Ok(unknown)
        };
        self.context.store.read(find).await
    }

    /// The newest first: it makes the case where there is none, and the others are
    /// earlier ones of it.
    async fn of_case(
        &self,
        case: Option<Case>,
        mut attempts: Vec<Unknown>,
        queue: &QueueLook,
        counts: &mut Counts,
    ) -> Pass<Result<(), Fault>> {
        let age = |unknown: &Unknown| {
            let record = &unknown.record;
            (record.number, record.made_at, record.attempt.clone())
        };
        attempts.sort_by_key(|unknown| std::cmp::Reverse(age(unknown)));
        let former = match &case {
            Some(case) => match self.former(case).await {
                Ok(former) => former,
                Err(fault) => return Ok(Err(fault)),
            },
            None => None,
        };
        let highest = case.iter().flat_map(Case::attempts).map(|attempt| attempt.number).max();
        let starts = case.as_ref().is_none_or(|case| case.state.name().is_before_submitting());
        let id =
            case.map_or_else(|| CaseId::new(self.context.draw_id().to_string()), |case| case.id);
        for (place, unknown) in attempts.iter().enumerate() {
            let word = queue.words.get(&unknown.record.attempt).map(|word| word.says);
            let newer = highest.is_none_or(|highest| unknown.record.number > highest);
            let newest = place == 0 && (starts || newer || self.ended(unknown, word).is_none());
            self.one(id.clone(), unknown, newest, former.clone(), word, counts).await?;
        }
        Ok(Ok(()))
    }

    fn ended(&self, unknown: &Unknown, word: Option<QueueWord>) -> Option<End> {
        ended(unknown.look.as_ref(), word, self.context.clock.now())
    }

    /// How the attempt that is known has ended, as it can be read now.
    async fn former(&self, case: &Case) -> Result<Option<End>, Fault> {
        let Some(attempt) = case.attempt() else { return Ok(None) };
        if attempt.end.is_some() {
            return Ok(attempt.end.clone());
        }
        let looks = self.node.host.read(std::slice::from_ref(&attempt.id)).await?;
        let at = self.context.clock.now();
        Ok(looks.first().and_then(|look| match look {
            // Silent on its own machine, and a newer one was made since: that it had
            // ended was known then.
            HostLook::Saw {
                exit: ExitRecord::Absent | ExitRecord::Partial,
                claim: Claim::Job { .. },
                alive: Alive::No { .. },
            } => Some(End { at, code: None, signal: None, how: EndHow::Observed }),
            look => ended(Some(look), None, at),
        }))
    }

    async fn one(
        &self,
        case: CaseId,
        unknown: &Unknown,
        newest: bool,
        former: Option<End>,
        word: Option<QueueWord>,
        counts: &mut Counts,
    ) -> Pass<()> {
        let record = &unknown.record;
        let look = unknown.look.as_ref();
        let end = self.ended(unknown, word);
        let handed_over = is_handed_over(look, word);
        let may_run = handed_over && end.is_none();
        let mut slots = Vec::new();
        let role = if unknown.has_job && newest {
            if may_run {
                slots = self.slots(record).await?;
            }
            AdoptedRole::Newest { slots: slots.clone(), handed_over, former }
        } else if unknown.has_job {
            let at = self.context.clock.now();
            let unknown_end = End { at, code: None, signal: None, how: EndHow::Observed };
            AdoptedRole::Earlier { end: end.clone().unwrap_or(unknown_end) }
        } else {
            AdoptedRole::Cleaned {
                at: record.cleaned_at.unwrap_or_else(|| self.context.clock.now()),
                end: record.end.clone(),
                result: record.result,
                stored: record.stored.clone(),
            }
        };
        let mut adopted = self.adopted(&case, record, role);
        adopted.reason = reason(unknown, end.as_ref(), handed_over, slots.is_empty());
        let mut recorded = self.record(case.clone(), adopted.clone()).await?;
        if let (Recorded::Stale { .. }, AdoptedRole::Newest { slots, .. }) =
            (&recorded, &mut adopted.role)
            && !slots.is_empty()
        {
            // They were given to another meanwhile.
            slots.clear();
            adopted.reason = reason(unknown, end.as_ref(), handed_over, true);
            recorded = self.record(case.clone(), adopted.clone()).await?;
        }
        let Recorded::Changed(taken_in) = &recorded else {
            tracing::warn!(attempt = %record.attempt, ?recorded, "found and not taken in");
            counts.refused += 1;
            return Ok(());
        };
        let current = taken_in.attempt().is_some_and(|attempt| attempt.id == record.attempt);
        match &adopted.role {
            AdoptedRole::Newest { .. } if !current => counts.refused += 1,
            AdoptedRole::Newest { slots, .. } => {
                counts.without_slot += usize::from(may_run && slots.is_empty());
                match (&end, handed_over) {
                    (_, false) => counts.not_begun += 1,
                    (Some(_), true) => counts.ended += 1,
                    (None, true) => counts.running += 1,
                }
                // What was just read is not waited for.
                if let Some(look) = look {
                    let attempt = record.attempt.clone();
                    let look = with_queue(look, word);
                    let what =
                        Observation::Looked { attempt, look, queue_wiped: None, begun: None };
                    self.context.record(case, what).await?;
                }
            }
            AdoptedRole::Earlier { .. } => counts.earlier += 1,
            AdoptedRole::Cleaned { .. } => counts.tombstones += 1,
        }
        Ok(())
    }

    /// What a person asked for is theirs in the journal too.
    async fn record(&self, case: CaseId, adopted: Adopted) -> Pass<Recorded> {
        let at = self.context.clock.now();
        let what = Observation::Adopted(Box::new(adopted));
        let observed = Observed { at, actor: self.actor.clone(), what };
        self.context.store.record(case, observed).await
    }

    fn adopted(&self, case: &CaseId, record: &CaseRecord, role: AdoptedRole) -> Adopted {
        let settings = &self.node.settings;
        let intake = self.context.intake(&record.intake);
        let work_dir = settings.work_dir.to_string_lossy().into_owned();
        // The same folder may have another path by now.
        let below = record.work_dir.as_deref().and_then(|old| record.dir.strip_prefix(old));
        let below = below.filter(|below| below.starts_with('/'));
        let remote_dir = below.map_or(record.dir.clone(), |below| format!("{work_dir}{below}"));
        let path = record.path.clone().unwrap_or_else(|| match intake {
            Some(intake) => intake.path.join(record.name.as_str()).to_string_lossy().into_owned(),
            None => remote_dir.clone(),
        });
        let pipeline = record.pipeline.clone().or_else(|| intake.and_then(|i| i.pipeline.clone()));
        Adopted {
            case: case.clone(),
            intake: record.intake.clone(),
            name: record.name.clone(),
            arrival: record.arrival,
            path,
            kind_of_case: CaseKind::Folder,
            order: Order {
                pipeline: pipeline.unwrap_or_else(|| PipelineName::new("default")),
                priority: record.priority.unwrap_or(Priority::Normal),
                headnode: settings.name.clone(),
                group: record.group.clone(),
                gpus: record.gpus.unwrap_or(0),
                params: record.params.clone().unwrap_or_default(),
                notify: record.notify.clone().unwrap_or_default(),
                rule: record.rule.clone(),
                priority_by: None,
                workset: record.workset.clone().map(Box::new),
            },
            folder: record.folder.clone(),
            content: Content {
                files: record.files.unwrap_or(0),
                bytes: record.bytes.unwrap_or_default(),
                fingerprint: record.fingerprint.clone(),
                digest: record.digest.clone(),
            },
            attempt: AttemptSeed {
                id: record.attempt.clone(),
                place: Place {
                    headnode: settings.name.clone(),
                    queue: queue_kind(settings.queue),
                    attempt_dir: format!("{work_dir}/.daylily-watch/{}", record.attempt),
                    remote_dir,
                    work_dir,
                    owner: self.node.owner.clone(),
                    command: record.command.clone().unwrap_or_default(),
                    stop: record.stop.clone(),
                    params: record.params.clone().unwrap_or_default(),
                    config_hash: record.config_hash.clone().unwrap_or_default(),
                },
            },
            number: record.number.max(1),
            made_at: record.made_at.unwrap_or_else(|| made_at(&record.attempt)),
            reason: String::new(),
            role,
        }
    }

    /// The slots it was given, where they are free here: for a GPU that very one, else
    /// any other place of its group. All of them or none.
    async fn slots(&self, record: &CaseRecord) -> Pass<Vec<Slot>> {
        let name = self.node.settings.name.clone();
        let slots = self.context.store.read(|reader| reader.slots()).await?;
        let mut free: Vec<Slot> = slots
            .into_iter()
            .map(|stored| stored.view)
            .filter(|view| view.state == SlotState::Free && !view.draining)
            .map(|view| view.slot)
            .filter(|slot| slot.headnode == name)
            .collect();
        let mut taken = Vec::new();
        for wanted in record.slots.iter().flatten() {
            let fits = |slot: &Slot| slot.group == wanted.group && slot.gpu == wanted.gpu;
            let exact = free.iter().position(|slot| fits(slot) && slot.slot == wanted.slot);
            let Some(at) = exact.or_else(|| free.iter().position(fits)) else {
                return Ok(Vec::new());
            };
            taken.push(free.remove(at));
        }
        Ok(taken)
    }
}

fn is_tombstone(record: Option<&CaseRecord>) -> bool {
    record.is_some_and(|record| record.cleaned_at.is_some())
}

/// How an attempt has ended, where one reading tells that.
fn ended(look: Option<&HostLook>, word: Option<QueueWord>, now: Timestamp) -> Option<End> {
    let HostLook::Saw { exit, claim, alive } = look? else { return None };
    match (exit, claim, alive) {
        (_, _, Alive::Yes) => None,
        (_, _, Alive::Unknowable) if word == Some(QueueWord::Running) => None,
        (
            &ExitRecord::Present { code, signal, ended: at },
            Claim::Job { .. } | Claim::Absent,
            _,
        ) => Some(End { at, code, signal, how: EndHow::Recorded }),
        (ExitRecord::Absent | ExitRecord::Partial, Claim::Daemon, _) => {
            Some(End { at: now, code: None, signal: None, how: EndHow::NeverRan })
        }
        (ExitRecord::Present { .. }, Claim::Daemon, _)
        | (ExitRecord::Absent | ExitRecord::Partial, Claim::Job { .. } | Claim::Absent, _) => None,
    }
}

/// Whether something of it may be in the queue, may run or has run. What could not be
/// looked at may have.
fn is_handed_over(look: Option<&HostLook>, word: Option<QueueWord>) -> bool {
    let there = match look {
        // What was given up can never start.
        Some(HostLook::Saw { exit: ExitRecord::Absent, claim: Claim::Daemon, .. }) => return false,
        Some(HostLook::Saw { exit, claim, alive }) => {
            *exit != ExitRecord::Absent || *claim != Claim::Absent || *alive == Alive::Yes
        }
        Some(HostLook::CouldNot { .. }) | None => true,
    };
    there || word.is_some()
}

fn with_queue(look: &HostLook, word: Option<QueueWord>) -> Look {
    match look.clone() {
        HostLook::CouldNot { why } => Look::CouldNot { why },
        HostLook::Saw { exit, claim, alive } => {
            let queue = word.unwrap_or(QueueWord::Absent);
            Look::Saw(Evidence { exit, claim, alive, queue })
        }
    }
}

fn reason(unknown: &Unknown, end: Option<&End>, handed_over: bool, no_slot: bool) -> String {
    let id = &unknown.record.attempt;
    match (end.map(|end| end.how), handed_over) {
        _ if !unknown.has_job => {
            format!("{id} of it was run before and its data was removed there")
        }
        (Some(EndHow::NeverRan), _) => format!("{id} was given up before it began"),
        (Some(_), _) => format!("{id} has ended"),
        (None, false) => format!("{id} was prepared and has not begun, so it is made anew"),
        (None, true) if no_slot => {
            format!("{id} may run or wait there, beside those that have the places")
        }
        (None, true) => format!("{id} may run or wait there"),
    }
}

impl Counts {
    fn told(&self, former: Option<&str>, ours: &str) -> String {
        let mut parts = Vec::new();
        let mut tell = |count: usize, one: &str, many: &str| match count {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            count => parts.push(format!("{count} {many}")),
        };
        tell(self.running, "attempt that may run", "attempts that may run");
        tell(self.ended, "that has ended", "that have ended");
        tell(self.not_begun, "that has not begun", "that have not begun");
        tell(self.earlier, "earlier one", "earlier ones");
        tell(self.tombstones, "whose data was removed", "whose data was removed");
        let mut text = match parts.len() {
            0 => "nothing was found that was not known".to_owned(),
            _ => format!("taken in: {}; each waits for a person", parts.join(", ")),
        };
        let mut also = |count: usize, what: &str| {
            if count > 0 {
                text.push_str(&format!("; {count} {what}"));
            }
        };
        also(self.without_slot, "of them without a place, since others have it");
        also(self.refused, "could not be taken in, the log says why");
        also(self.unreadable, "had no record that could be read");
        also(self.missing, "being handed over and not there, held");
        also(self.labels, "in the queue without a directory there, left alone");
        match former {
            Some(former) if former != ours => {
                text.push_str(&format!("; work_dir was owned by the start {former}"));
            }
            Some(_) => {}
            None => text.push_str("; work_dir had no owner"),
        }
        text
    }
}
