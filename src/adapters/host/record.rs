//! Owns `case.json`: what an attempt's directory says of its case, enough to rebuild
//! the rows of a lost database. Of a removed attempt it is all that stays. Files of
//! earlier versions say less, and what is not understood counts as not said.

use std::collections::BTreeMap;

use daylily_lifecycle::attempt::{Attempt, AttemptResult, End, QueueKind, Stored};
use daylily_lifecycle::case::{Case, Priority};
use daylily_lifecycle::ids::{
    Arrival, AttemptId, ByteCount, CaseId, CaseName, Digest, Fingerprint, FolderIdentity,
    GroupName, HeadnodeName, IntakeName, PipelineName, Slot,
};
use daylily_lifecycle::workset_run::WorksetRun;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// A longer command is left out: the whole text is one argument of a program.
const COMMAND_MAX: usize = 32 * 1024;

/// What a workset says of its run is left out where it is longer, as JSON. Its folder says it
/// again before it is run again.
const WORKSET_MAX: usize = 16 * 1024;

fn is_short(run: &WorksetRun) -> bool {
    serde_json::to_string(run).is_ok_and(|text| text.len() <= WORKSET_MAX)
}

macro_rules! record {
    ($($(#[doc = $doc:literal])* $field:ident: $kind:ty,)+) => {
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct CaseRecord {
            pub attempt: AttemptId,
            pub number: u32,
            pub intake: IntakeName,
            pub name: CaseName,
            pub arrival: Arrival,
            pub digest: Option<Digest>,
            /// The name of the case's folder on the headnode.
            pub remote_name: String,
            pub dir: String,
            $($(#[doc = $doc])*
            #[serde(default, deserialize_with = "if_understood", skip_serializing_if = "Option::is_none")]
            pub $field: Option<$kind>,)+
        }
    };
}

record! {
    case: CaseId,
    /// Where the folder was on the machine of the daemon.
    path: String,
    folder: FolderIdentity,
    fingerprint: Fingerprint,
    files: u64,
    bytes: ByteCount,
    pipeline: PipelineName,
    priority: Priority,
    group: GroupName,
    gpus: u32,
    headnode: HeadnodeName,
    work_dir: String,
    queue: QueueKind,
    slots: Vec<Slot>,
    command: String,
    stop: String,
    params: BTreeMap<String, String>,
    rule: String,
    notify: Vec<String>,
    workset: WorksetRun,
    config_hash: String,
    made_at: Timestamp,
    /// A tombstone: the data was removed then.
    cleaned_at: Timestamp,
    /// Of a tombstone: how it had ended.
    end: End,
    result: AttemptResult,
    stored: Stored,
}

impl CaseRecord {
    pub fn of(case: &Case, attempt: &Attempt) -> Self {
        let place = &attempt.place;
        let (content, order) = (&case.content, &case.order);
        Self {
            attempt: attempt.id.clone(),
            number: attempt.number,
            intake: case.intake.clone(),
            name: case.name.clone(),
            arrival: case.arrival,
            digest: content.digest.clone(),
            remote_name: place.remote_dir.rsplit('/').next().unwrap_or_default().to_owned(),
            dir: place.remote_dir.clone(),
            case: Some(case.id.clone()),
            path: Some(case.path.clone()),
            folder: case.folder.clone(),
            fingerprint: content.fingerprint.clone(),
            files: Some(content.files),
            bytes: Some(content.bytes),
            pipeline: Some(order.pipeline.clone()),
            priority: Some(order.priority),
            group: order.group.clone(),
            gpus: Some(order.gpus),
            headnode: Some(place.headnode.clone()),
            work_dir: Some(place.work_dir.clone()),
            queue: Some(place.queue),
            slots: Some(attempt.tenure.slots().to_vec()),
            command: Some(place.command.clone()).filter(|text| text.len() <= COMMAND_MAX),
            stop: place.stop.clone().filter(|text| text.len() <= COMMAND_MAX),
            params: Some(place.params.clone()),
            rule: order.rule.clone(),
            notify: Some(order.notify.clone()),
            workset: order.workset.as_deref().filter(|run| is_short(run)).cloned(),
            config_hash: Some(place.config_hash.clone()),
            made_at: Some(attempt.made_at),
            cleaned_at: None,
            end: None,
            result: None,
            stored: None,
        }
    }

    /// What stays when the data of an attempt that has ended is removed.
    pub fn tombstone(case: &Case, attempt: &Attempt, at: Timestamp) -> Self {
        let log_tail = String::new();
        Self {
            slots: None,
            cleaned_at: Some(at),
            end: attempt.end.clone(),
            result: attempt.result,
            stored: attempt.stored.clone().map(|stored| Stored { log_tail, ..stored }),
            ..Self::of(case, attempt)
        }
    }

    /// One line.
    pub fn to_line(&self) -> String {
        // It has no map whose keys are not text, which is all that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn if_understood<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests;
