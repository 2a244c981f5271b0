//! Makes any case: every state, every field present or absent.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{
    Attempt, AttemptResult, ClaimedBy, End, EndHow, Ending, EndingWhy, Force, Place, QueueKind,
    Silence, Stopping, Stored, Tenure,
};
use daylily_lifecycle::case::{
    Case, CaseKind, Changed, Compared, Condition, ConditionName, Content, Failure, Hold, HoldWhy,
    LastChange, Order, Prior, Priority, RejectedBy, State, StateName, StepName, Trouble, Word,
};
use daylily_lifecycle::ids::{
    Actor, Arrival, AttemptId, ByteCount, CaseId, CaseName, Digest, Fingerprint, FolderIdentity,
    GroupName, HeadnodeName, IntakeName, PipelineName, Slot, TaskId,
};
use daylily_lifecycle::outcome::{AfterClaim, FaultClass};
use daylily_lifecycle::workset_run::{TableCopy, WorksetRun};
use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::sample::{select, subsequence};

/// Between 2001 and 2033, most in whole milliseconds, some finer.
pub(super) fn instant() -> impl Strategy<Value = Timestamp> {
    (1_000_000_000_i64..2_000_000_000, select(vec![0, 1_000_000, 999_000_000, 1, 123_456_789]))
        .prop_map(|(second, nanosecond)| {
            Timestamp::new(second, nanosecond).expect("the range is valid")
        })
}

fn text() -> impl Strategy<Value = String> {
    select(vec!["", "a", "it's", "Größe \"x\"\n2", "{\"v\":1}", "NULL", "μ--; DROP"])
        .prop_map(str::to_owned)
}

fn count() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 4096, 9_223_372_036_854_775_807])
}

fn slot() -> impl Strategy<Value = Slot> {
    (0_u32..4, of(text())).prop_map(|(slot, gpu)| Slot {
        headnode: HeadnodeName::new("hpc"),
        group: GroupName::new("gpu_a"),
        slot,
        gpu,
    })
}

fn tenure() -> BoxedStrategy<Tenure> {
    (0..3, vec(slot(), 0..3), instant(), text())
        .prop_map(|(kind, slots, since, because)| match kind {
            0 => Tenure::None,
            1 => Tenure::Reserved { slots, since },
            _ => Tenure::Quarantined { slots, since, because },
        })
        .boxed()
}

fn end() -> impl Strategy<Value = End> {
    let how = select(vec![
        EndHow::Recorded,
        EndHow::Observed,
        EndHow::NeverRan,
        EndHow::Superseded,
        EndHow::Abandoned,
    ]);
    (instant(), of(any::<i32>()), of(1..64), how).prop_map(|(at, code, signal, how)| End {
        at,
        code,
        signal,
        how,
    })
}

fn stored() -> BoxedStrategy<Stored> {
    (of(text()), count(), count(), of(text()), text(), vec(text(), 0..3))
        .prop_map(|(to, files, bytes, moved_to, log_tail, missing)| Stored {
            to,
            files,
            bytes: ByteCount(bytes),
            moved_to,
            log_tail,
            missing,
        })
        .boxed()
}

fn ending() -> BoxedStrategy<Ending> {
    let why = select(vec![EndingWhy::Cancel, EndingWhy::Limit, EndingWhy::LeftOvers]);
    let force = select(vec![Force::Terminate, Force::KillChildren, Force::KillAll]);
    (why, instant(), text(), of(text()), of((force, instant())))
        .prop_map(|(why, asked_at, by, reason, sent)| Ending {
            why,
            asked_at,
            by: Actor::new(by),
            reason,
            sent,
        })
        .boxed()
}

fn params() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), text(), 0..3)
}

fn stopping() -> impl Strategy<Value = Stopping> {
    (0..3, instant()).prop_map(|(kind, since)| match kind {
        0 => Stopping::Due { since },
        1 => Stopping::Done { since },
        _ => Stopping::Waived { since },
    })
}

fn place() -> BoxedStrategy<Place> {
    (select(vec![QueueKind::Direct, QueueKind::Pueue]), text(), text(), of(text()), params())
        .prop_map(|(queue, command, remote_dir, stop, params)| Place {
            headnode: HeadnodeName::new("hpc"),
            queue,
            work_dir: "/data/daylily".to_owned(),
            remote_dir,
            attempt_dir: "/data/daylily/.daylily-watch/dw-1".to_owned(),
            owner: "01H/7".to_owned(),
            command,
            stop,
            params,
            config_hash: "abc".to_owned(),
        })
        .boxed()
}

fn silence() -> impl Strategy<Value = Silence> {
    (instant(), instant(), any::<bool>(), any::<bool>())
        .prop_map(|(first, last, rebooted, partial)| Silence { first, last, rebooted, partial })
}

fn attempt() -> BoxedStrategy<Attempt> {
    let result = select(vec![
        AttemptResult::Succeeded,
        AttemptResult::Failed,
        AttemptResult::Cancelled,
        AttemptResult::Lost,
        AttemptResult::Superseded,
    ]);
    let then = select(vec![AfterClaim::NewAttempt, AfterClaim::Hold, AfterClaim::Retry]);
    let times = (instant(), of(instant()), of(instant()), of(instant()), of(instant()));
    let claimed = of(select(vec![ClaimedBy::Job, ClaimedBy::Daemon]));
    let over = (of(end()), of(result), of(text()), of(stored()));
    let quiet = (of(silence()), of(stopping()));
    let later = (of(text()), of(instant()));
    (place(), tenure(), times, claimed, quiet, of(then), of(ending()), over, later)
        .prop_map(|(place, tenure, times, claimed_by, quiet, giving_up, ending, over, later)| {
            Attempt {
                id: AttemptId::new(""),
                number: 0,
                place,
                tenure,
                made_at: times.0,
                intent_at: times.1,
                submitted_at: times.2,
                queued_at: times.3,
                task_id: later.0.map(TaskId::new),
                claimed_by,
                started_at: times.4,
                silence: quiet.0,
                stopping: quiet.1,
                giving_up,
                ending,
                end: over.0,
                result: over.1,
                error: over.2,
                stored: over.3,
                cleaned_at: later.1,
            }
        })
        .boxed()
}

fn state() -> BoxedStrategy<State> {
    let parts = (attempt(), end(), stored(), vec(text(), 0..3), 0..3, any::<bool>());
    (select(StateName::ALL.to_vec()), parts)
        .prop_map(|(name, parts)| {
            let (attempt, end, stored, problems, failure, some) = parts;
            let mut attempt = Box::new(attempt);
            match name {
                StateName::Arriving => State::Arriving,
                StateName::Ready => State::Ready,
                StateName::Shipping => State::Shipping { attempt },
                StateName::Staged => State::Staged { attempt },
                StateName::Submitting => State::Submitting { attempt },
                StateName::Queued => State::Queued { attempt },
                StateName::Running => State::Running { attempt },
                StateName::Returning => State::Returning { attempt, end },
                StateName::Succeeded => {
                    attempt.stored = Some(stored.clone());
                    State::Succeeded { attempt, end, stored }
                }
                StateName::Failed => State::Failed {
                    attempt,
                    failure: match failure {
                        0 => Failure::Exit { end },
                        1 => Failure::Missing { end, patterns: problems },
                        _ => Failure::Limit { end },
                    },
                },
                StateName::Cancelled => State::Cancelled { attempt: some.then_some(attempt) },
                StateName::Cancelling => State::Cancelling { attempt },
                StateName::Rejected => State::Rejected {
                    by: match failure {
                        0 => RejectedBy::Folder,
                        1 => RejectedBy::Entry,
                        _ => RejectedBy::Demand,
                    },
                    problems,
                },
            }
        })
        .boxed()
}

fn conditions() -> BoxedStrategy<Vec<Condition>> {
    let names = vec![
        ConditionName::Start,
        ConditionName::Content,
        ConditionName::Quiet,
        ConditionName::NoWriters,
        ConditionName::Unfinished,
        ConditionName::Marker,
        ConditionName::Manifest,
        ConditionName::Checksums,
        ConditionName::NewContent,
    ];
    (subsequence(names, 0..=9), any::<bool>(), text(), instant())
        .prop_map(|(names, holds, detail, since)| {
            let condition = |name| Condition { name, holds, detail: detail.clone(), since };
            names.into_iter().map(condition).collect()
        })
        .boxed()
}

fn hold() -> BoxedStrategy<Hold> {
    let why = select(vec![
        HoldWhy::Asked,
        HoldWhy::Baseline,
        HoldWhy::Trouble,
        HoldWhy::Lost,
        HoldWhy::Unconfirmed,
        HoldWhy::Impossible,
        HoldWhy::Removed,
        HoldWhy::Panic,
        HoldWhy::Adopted,
    ]);
    (why, text(), instant(), text())
        .prop_map(|(why, reason, since, by)| Hold { why, reason, since, by: Actor::new(by) })
        .boxed()
}

fn trouble() -> BoxedStrategy<Trouble> {
    let step = select(vec![
        StepName::Scan,
        StepName::Hash,
        StepName::Manifest,
        StepName::Ship,
        StepName::Submit,
        StepName::Look,
        StepName::Claim,
        StepName::End,
        StepName::Stop,
        StepName::Return,
    ]);
    let class = select(vec![
        FaultClass::TransientHost,
        FaultClass::TransientStep,
        FaultClass::NoSpace,
        FaultClass::Throttled,
        FaultClass::Ambiguous,
        FaultClass::FatalHost,
        FaultClass::FatalCase,
        FaultClass::NeedsPerson,
    ]);
    (step, class, text(), any::<u32>(), instant(), instant())
        .prop_map(|(step, class, text, tries, first_at, last_at)| Trouble {
            step,
            class,
            text,
            tries,
            first_at,
            last_at,
        })
        .boxed()
}

fn workset() -> BoxedStrategy<WorksetRun> {
    (of(vec(text(), 0..3)), text(), of(text()), text(), params())
        .prop_map(|(clone, workdir_name, run_directory, command, environment)| WorksetRun {
            clone,
            workdir_name,
            run_directory,
            tables: vec![TableCopy { from: command.clone(), to: "config/samples.tsv".to_owned() }],
            dy_a_args: vec![command.clone()],
            command,
            environment,
        })
        .boxed()
}

/// Any case with this id. Its attempts have the ids `dw-<id>-1` and so on.
pub(super) fn case(id: &'static str) -> BoxedStrategy<Case> {
    let priority = select(vec![Priority::Low, Priority::Normal, Priority::Urgent]);
    let said = (params(), vec(text(), 0..3), of(text()), of(text()), of(workset()));
    let order =
        (priority, of(text()), 0_u32..9, said).prop_map(|(priority, group, gpus, said)| Order {
            pipeline: PipelineName::new("default"),
            priority,
            headnode: HeadnodeName::new("hpc"),
            group: group.map(GroupName::new),
            gpus,
            params: said.0,
            notify: said.1,
            rule: said.2,
            priority_by: said.3.map(Actor::new),
            workset: said.4.map(Box::new),
        });
    let compared = (text(), text(), vec(text(), 0..3)).prop_map(|(manifest, print, problems)| {
        Compared { manifest, fingerprint: Fingerprint::new(print), problems }
    });
    let content =
        (count(), count(), of(text()), of(text())).prop_map(|(files, bytes, f, d)| Content {
            files,
            bytes: ByteCount(bytes),
            fingerprint: f.map(Fingerprint::new),
            digest: d.map(Digest::new),
        });
    let prior = (text(), of(text())).prop_map(|(case, digest)| Prior {
        case: CaseId::new(case),
        digest: digest.map(Digest::new),
    });
    let last_change = (text(), instant()).prop_map(|(path, at)| LastChange { path, at });
    let word = (instant(), text(), of(text())).prop_map(|(at, by, reason)| Word {
        at,
        by: Actor::new(by),
        reason,
    });
    let changed = (instant(), text()).prop_map(|(since, path)| Changed { since, path });
    let first =
        (order, of(text()), content, of(prior), conditions(), of(last_change), of(compared));
    let second =
        (state(), vec(attempt(), 0..3), of(hold()), vec(trouble(), 0..3), of(word), of(changed));
    let times = (of(instant()), of(instant()), instant(), of(instant()), of(instant()));
    let more = (of(instant()), instant(), count(), text());
    (first, second, times, more, Just(id))
        .prop_map(|(first, second, times, more, id)| {
            let (order, folder, content, prior, conditions, last_change, compared) = first;
            let (mut state, mut past, hold, troubles, accepted, changed) = second;
            let attempts = past.iter_mut().chain(state.attempt_mut());
            for (number, attempt) in (1..).zip(attempts) {
                attempt.id = AttemptId::new(format!("dw-{id}-{number}"));
                attempt.number = number;
            }
            Case {
                id: CaseId::new(id),
                intake: IntakeName::new("new_cases"),
                name: CaseName::new(more.3.clone()),
                arrival: Arrival::FIRST,
                path: more.3,
                kind: CaseKind::Folder,
                order,
                folder: folder.map(FolderIdentity::new),
                content,
                prior,
                conditions,
                last_change,
                compared,
                settles_at: times.0,
                state,
                past,
                hold,
                troubles: troubles.into_iter().collect(),
                accepted,
                changed,
                vanished_at: times.1,
                first_seen: times.2,
                ready_at: times.3,
                started_at: times.4,
                finished_at: more.0,
                updated_at: more.1,
                version: more.2,
            }
        })
        .boxed()
}
