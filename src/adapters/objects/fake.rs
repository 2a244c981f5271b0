//! Owns a bucket in memory, for tests: it does what S3 does, or what other stores do
//! instead, and fails when it is told to. With `steps` each call lets others go first, so
//! that a test decides the order of what happens.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use jiff::Timestamp;
use md5::{Digest as _, Md5};

use super::name::{ETag, Key, Prefix};
use super::{
    Bucket, Checksum, Chunks, Condition, Deleted, Depth, Head, Listed, Listing, Meta, Page,
    PageToken, Part, Put, Reading, Stored, Upload, Whole,
};

/// What a store makes of conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Conditions {
    /// It decides and writes in one step.
    #[default]
    Honoured,
    /// It looks, and writes in a later step.
    NotAtomic,
    Ignored,
    /// It answers that it has no such thing.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    List,
    Head,
    Get,
    Read,
    Put,
    Delete,
    BeginUpload,
    PutPart,
    CompleteUpload,
    AbortUpload,
    Uploads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing happened.
    Before,
    /// It happened, and the answer was lost; of what is read, half came.
    After,
}

#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Bytes,
    pub etag: ETag,
    pub metadata: BTreeMap<String, String>,
    pub checksum: Option<Checksum>,
    /// Reading it is refused.
    pub forbidden: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Begun {
    pub key: String,
    pub metadata: BTreeMap<String, String>,
    pub parts: BTreeMap<i32, Bytes>,
}

/// Everything that is there, to be looked at or changed between calls.
#[derive(Default)]
pub struct State {
    pub objects: BTreeMap<String, Object>,
    pub uploads: BTreeMap<String, Begun>,
    pub conditions: Conditions,
    /// Each call lets others go first, and again between looking and writing.
    pub steps: bool,
    /// Each call takes so long, by tokio's clock.
    pub latency: Duration,
    /// Entries of a page. 0: 1,000.
    pub page: usize,
    pub lists_no_etags: bool,
    /// What goes wrong: each with the next call of its kind.
    pub faults: VecDeque<(Call, Moment, Fault)>,
    /// What happens before the next call of its kind, once.
    pub events: VecDeque<(Call, Event)>,
    pub calls: Vec<Call>,
    upload_ids: u64,
}

pub type Event = Box<dyn FnOnce(&mut State) + Send>;

impl State {
    /// Puts an object there as somebody else would.
    pub fn store(&mut self, key: &str, body: impl Into<Bytes>) -> ETag {
        let bytes = body.into();
        let etag = ETag::new(&hex(&Md5::digest(&bytes)));
        let crc32 = Some(Checksum::Crc32(crc32(&bytes)));
        let metadata = BTreeMap::new();
        let object =
            Object { bytes, etag: etag.clone(), metadata, checksum: crc32, forbidden: false };
        self.objects.insert(key.to_owned(), object);
        etag
    }

    /// The content of an object as text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.objects.get(key).map(|object| String::from_utf8_lossy(&object.bytes).into_owned())
    }

    fn holds(&self, key: &Key, condition: &Condition) -> bool {
        let there = self.objects.get(key.as_str());
        match condition {
            Condition::Always => true,
            Condition::Absent => there.is_none(),
            Condition::Version(etag) => there.is_some_and(|object| object.etag == *etag),
        }
    }
}

#[derive(Default)]
pub struct FakeBucket {
    state: Mutex<State>,
}

impl FakeBucket {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next call of this kind goes wrong.
    pub fn fail(&self, call: Call, moment: Moment, class: FaultClass) {
        let fault = Fault::new(class, format!("{call:?}: told to fail"));
        self.state().faults.push_back((call, moment, fault));
    }

    /// Happens just before the next call of this kind.
    pub fn before(&self, call: Call, event: impl FnOnce(&mut State) + Send + 'static) {
        self.state().events.push_back((call, Box::new(event)));
    }

    /// What is to go wrong with this call.
    async fn begin(&self, call: Call) -> Result<Option<Fault>, Fault> {
        let (steps, latency) = {
            let state = self.state();
            (state.steps, state.latency)
        };
        if steps {
            Turn::default().await;
        }
        if latency > Duration::ZERO {
            tokio::time::sleep(latency).await;
        }
        let mut state = self.state();
        state.calls.push(call);
        let event = state.events.iter().position(|(of, _)| *of == call);
        if let Some((_, event)) = event.and_then(|at| state.events.remove(at)) {
            event(&mut state);
        }
        let fault = state.faults.iter().position(|(of, ..)| *of == call);
        match fault.and_then(|at| state.faults.remove(at)) {
            Some((_, Moment::Before, fault)) => Err(fault),
            Some((_, Moment::After, fault)) => Ok(Some(fault)),
            None => Ok(None),
        }
    }

    /// A call that is one step of the store.
    async fn act<T>(
        &self,
        call: Call,
        act: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let lost = self.begin(call).await?;
        let answer = act(&mut self.state());
        lost.map_or(answer, Err)
    }
}

/// Lets others go first, once.
#[derive(Default)]
struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[async_trait::async_trait]
impl Bucket for FakeBucket {
    fn name(&self) -> &str {
        "fake"
    }

    async fn list(&self, what: &Listing, from: Option<&PageToken>) -> Result<Page, Fault> {
        self.act(Call::List, |state| Ok(list(state, what, from))).await
    }

    async fn head(&self, key: &Key) -> Result<Head, Fault> {
        self.act(Call::Head, |state| {
            Ok(match state.objects.get(key.as_str()) {
                None => Head::Missing,
                Some(object) if object.forbidden => Head::Forbidden,
                Some(object) => Head::Found(meta(object)),
            })
        })
        .await
    }

    async fn get(&self, key: &Key, most: ByteCount) -> Result<Option<Whole>, Fault> {
        self.act(Call::Get, |state| {
            let Some(object) = state.objects.get(key.as_str()) else { return Ok(None) };
            let meta = meta(object);
            if object.forbidden {
                return Err(refused(key));
            }
            if meta.size > most {
                let text = format!("s3://fake/{key} has {} and may have {most}", meta.size);
                return Err(Fault::new(FaultClass::FatalCase, text));
            }
            Ok(Some(Whole { meta, bytes: object.bytes.clone() }))
        })
        .await
    }

    async fn read(
        &self,
        key: &Key,
        etag: &ETag,
        first: u64,
        length: u64,
    ) -> Result<Reading, Fault> {
        let lost = self.begin(Call::Read).await?;
        let state = self.state();
        let Some(object) = state.objects.get(key.as_str()) else { return Ok(Reading::Missing) };
        if object.forbidden {
            return Err(refused(key));
        }
        if object.etag != *etag {
            return Ok(Reading::Changed);
        }
        let whole = object.bytes.len();
        let first = usize::try_from(first).unwrap_or(usize::MAX).min(whole);
        let end = first.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(whole);
        let bytes = object.bytes.slice(first..end);
        let half = bytes.slice(..bytes.len() / 2);
        let mut chunks: VecDeque<Result<Bytes, Fault>> = VecDeque::new();
        let shown = if lost.is_some() { half } else { bytes };
        chunks.extend(pieces(&shown).map(Ok));
        chunks.extend(lost.map(Err));
        Ok(Reading::Bytes(Box::new(Pieces(chunks))))
    }

    async fn put(&self, put: &Put) -> Result<Stored, Fault> {
        let lost = self.begin(Call::Put).await?;
        let conditions = self.state().conditions;
        let answer = match (conditions, &put.condition) {
            (Conditions::Ignored, _) | (_, Condition::Always) => {
                Stored::Yes(write(&mut self.state(), put))
            }
            (Conditions::Unknown, _) => Stored::NoConditions,
            (Conditions::Honoured, condition) => {
                let mut state = self.state();
                match state.holds(&put.key, condition) {
                    true => Stored::Yes(write(&mut state, put)),
                    false => Stored::Refused,
                }
            }
            (Conditions::NotAtomic, condition) => {
                let holds = self.state().holds(&put.key, condition);
                Turn::default().await;
                match holds {
                    true => Stored::Yes(write(&mut self.state(), put)),
                    false => Stored::Refused,
                }
            }
        };
        lost.map_or(Ok(answer), Err)
    }

    async fn delete(&self, key: &Key, only: Option<&ETag>) -> Result<Deleted, Fault> {
        self.act(Call::Delete, |state| {
            let there = state.objects.get(key.as_str());
            let heeded = state.conditions == Conditions::Honoured;
            let another = |object: &Object| only.is_some_and(|etag| object.etag != *etag);
            if heeded && there.is_some_and(another) {
                return Ok(Deleted::Refused);
            }
            state.objects.remove(key.as_str());
            Ok(Deleted::Gone)
        })
        .await
    }

    async fn begin_upload(
        &self,
        key: &Key,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Upload, Fault> {
        self.act(Call::BeginUpload, |state| {
            state.upload_ids += 1;
            let id = format!("upload-{}", state.upload_ids);
            let begun = Begun {
                key: key.as_str().to_owned(),
                metadata: metadata.clone(),
                ..Begun::default()
            };
            state.uploads.insert(id.clone(), begun);
            Ok(Upload { key: key.clone(), id })
        })
        .await
    }

    async fn put_part(&self, upload: &Upload, number: i32, body: Bytes) -> Result<Part, Fault> {
        self.act(Call::PutPart, |state| {
            let Some(begun) = state.uploads.get_mut(&upload.id) else {
                let text = format!("upload a part of s3://fake/{}: NoSuchUpload", upload.key);
                return Err(Fault::new(FaultClass::TransientStep, text));
            };
            let etag = ETag::new(&hex(&Md5::digest(&body)));
            let crc32 = Some(crc32(&body));
            begun.parts.insert(number, body);
            Ok(Part { number, etag, crc32 })
        })
        .await
    }

    async fn complete_upload(&self, upload: &Upload, parts: &[Part]) -> Result<ETag, Fault> {
        self.act(Call::CompleteUpload, |state| {
            let Some(begun) = state.uploads.remove(&upload.id) else {
                let text = format!("complete the upload of s3://fake/{}: NoSuchUpload", upload.key);
                return Err(Fault::new(FaultClass::Ambiguous, text));
            };
            let (mut whole, mut sums, mut crcs) = (Vec::new(), Vec::new(), Vec::new());
            for part in parts {
                let body = begun.parts.get(&part.number).cloned().unwrap_or_default();
                sums.extend_from_slice(&Md5::digest(&body));
                crcs.extend_from_slice(&crc32_bytes(&body));
                whole.extend_from_slice(&body);
            }
            state.store(upload.key.as_str(), whole);
            let count = parts.len();
            let etag = ETag::new(&format!("{}-{count}", hex(&Md5::digest(&sums))));
            if let Some(object) = state.objects.get_mut(upload.key.as_str()) {
                object.etag = etag.clone();
                object.metadata = begun.metadata;
                let of_parts = format!("{}-{count}", crc32(&crcs));
                object.checksum = Some(Checksum::Crc32OfParts(of_parts));
            }
            Ok(etag)
        })
        .await
    }

    async fn abort_upload(&self, upload: &Upload) -> Result<(), Fault> {
        self.act(Call::AbortUpload, |state| {
            state.uploads.remove(&upload.id);
            Ok(())
        })
        .await
    }

    async fn uploads(&self, under: &Prefix) -> Result<Option<Vec<Upload>>, Fault> {
        self.act(Call::Uploads, |state| {
            let under = |begun: &&Begun| begun.key.starts_with(under.as_str());
            let ours = state.uploads.iter().filter(|(_, begun)| under(begun));
            let upload = |(id, begun): (&String, &Begun)| Upload {
                key: Key::new(&begun.key),
                id: id.clone(),
            };
            Ok(Some(ours.map(upload).collect()))
        })
        .await
    }
}

fn write(state: &mut State, put: &Put) -> ETag {
    let etag = state.store(put.key.as_str(), put.body.clone());
    if let Some(object) = state.objects.get_mut(put.key.as_str()) {
        object.metadata = put.metadata.clone();
    }
    etag
}

fn list(state: &State, what: &Listing, from: Option<&PageToken>) -> Page {
    let prefix = format!("{}{}", what.under, what.starts);
    let most = if state.page == 0 { 1000 } else { state.page };
    let mut page = Page::default();
    let mut last: Option<String> = None;
    for (key, object) in state.objects.range(prefix.clone()..) {
        if !key.starts_with(&prefix) {
            break;
        }
        // What the page before ended with: a key, or a folder with all that is in it.
        if from.is_some_and(|token| *key <= token.0 || is_in(key, &token.0)) {
            continue;
        }
        if page.objects.len() + page.folders.len() == most {
            page.next = last.map(PageToken);
            return page;
        }
        let below = &key[prefix.len()..];
        let folder = below.split_once('/').map(|(name, _)| format!("{prefix}{name}/"));
        match folder.filter(|_| what.depth == Depth::OneLevel) {
            Some(folder) if page.folders.last().is_some_and(|f| f.as_str() == folder) => {}
            Some(folder) => {
                last = Some(folder.clone());
                page.folders.push(Prefix::as_told(&folder));
            }
            None => {
                last = Some(key.clone());
                let Meta { size, etag, modified, .. } = meta(object);
                let etag = Some(etag).filter(|_| !state.lists_no_etags);
                page.objects.push(Listed { key: Key::new(key), size, etag, modified });
            }
        }
    }
    page
}

fn is_in(key: &str, folder: &str) -> bool {
    folder.ends_with('/') && key.starts_with(folder)
}

fn meta(object: &Object) -> Meta {
    Meta {
        size: ByteCount(object.bytes.len() as u64),
        etag: object.etag.clone(),
        modified: Some(Timestamp::UNIX_EPOCH),
        metadata: object.metadata.clone(),
        checksum: object.checksum.clone(),
    }
}

fn refused(key: &Key) -> Fault {
    Fault::new(FaultClass::FatalCase, format!("read s3://fake/{key}: access denied"))
}

fn pieces(bytes: &Bytes) -> impl Iterator<Item = Bytes> {
    const PIECE: usize = 64 << 10;
    let starts = (0..bytes.len()).step_by(PIECE);
    starts.map(|at| bytes.slice(at..bytes.len().min(at + PIECE)))
}

struct Pieces(VecDeque<Result<Bytes, Fault>>);

#[async_trait::async_trait]
impl Chunks for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        self.0.pop_front().transpose()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As S3 has it: base64 of four bytes, the highest first.
fn crc32(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(crc32_bytes(bytes))
}

fn crc32_bytes(bytes: &[u8]) -> [u8; 4] {
    let sum = checksum(CrcAlgorithm::Crc32IsoHdlc, bytes);
    let [.., a, b, c, d] = sum.to_be_bytes();
    [a, b, c, d]
}
