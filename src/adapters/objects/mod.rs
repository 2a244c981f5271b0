//! The contract of a bucket: objects under keys, read, listed and written over S3.
//!
//! Every method may be called again after an answer was lost. What reads is a
//! [`TransientHost`](daylily_lifecycle::outcome::FaultClass) then, and so is what
//! comes to the same when it is repeated (`delete`, `put_part`, `abort_upload`).
//! `put` and `complete_upload` are `Ambiguous`: look before writing again.
//!
//! | what happened | class |
//! |---|---|
//! | no route, no answer in time, an answer that breaks off, 5xx | `TransientHost` |
//! | the same after a `put` or `complete_upload` was sent | `Ambiguous` |
//! | 429, `SlowDown`, `Throttling…`, 503 without a word | `Throttled` |
//! | credentials missing, expired, or refused; a clock that is too far off | `NeedsPerson` |
//! | the bucket does not exist, is in another region, or refuses listing or writing | `FatalHost` |
//! | reading one object is refused, or it is archived | `FatalCase` |
//! | an answer that is not S3's | `FatalHost` |
//! | a body that is cut short or not what its checksum says | `TransientStep` |
//!
//! That an object is missing, forbidden or another one by now is an answer, not a fault.
//!
//! Stores differ in what they make of conditions; [`Condition`] says what may be relied
//! on, and a store is asked before it is relied on ([`probe`]). On top of the contract, and
//! the same for every store: [`sentinels`] and the [`lease`] of a workset, the [`mirror`]
//! and the [`export`].

pub mod name;
pub mod s3;
pub mod fake;
pub mod probe;
pub mod sentinels;
pub mod lease;
pub mod mirror;
pub mod export;
pub mod pace;
mod patience;
mod sum;

use std::collections::BTreeMap;

use bytes::Bytes;
use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use jiff::Timestamp;

use self::name::{ETag, Key, Prefix};

#[async_trait::async_trait]
pub trait Bucket: Send + Sync + 'static {
    /// The name of the bucket, as it stands in `s3://<name>/`.
    fn name(&self) -> &str;

    /// One page of what is there, at most 1,000 entries, with most stores in the order of
    /// the bytes of their keys. `from` goes on where the page before ended. A prefix under which
    /// nothing is has an empty page.
    async fn list(&self, what: &Listing, from: Option<&PageToken>) -> Result<Page, Fault>;

    /// What there is to know of an object without reading it.
    async fn head(&self, key: &Key) -> Result<Head, Fault>;

    /// An object of at most `most` bytes, whole; a larger one is `FatalCase` and is not
    /// read. None: it is not there.
    async fn get(&self, key: &Key, most: ByteCount) -> Result<Option<Whole>, Fault>;

    /// The bytes from `first` (counted from 0), at most `length` of them, of the version
    /// with this ETag. `first` lies in the object, or both are 0 for an empty one.
    async fn read(&self, key: &Key, etag: &ETag, first: u64, length: u64)
    -> Result<Reading, Fault>;

    /// Writes an object whole. It is there as a whole or not at all.
    async fn put(&self, put: &Put) -> Result<Stored, Fault>;

    /// Removes an object; one that is not there is success. With `only` a store that
    /// knows the condition removes this version alone; one that does not removes any.
    async fn delete(&self, key: &Key, only: Option<&ETag>) -> Result<Deleted, Fault>;

    /// Begins an upload in parts. Nothing is at the key before it is completed. Called
    /// again, it begins another one: look for the first with `uploads`.
    async fn begin_upload(
        &self,
        key: &Key,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Upload, Fault>;

    /// Parts are counted from 1; all but the last have at least 5 MiB. The same number
    /// again replaces the part. An upload that is over is `TransientStep`.
    async fn put_part(&self, upload: &Upload, number: i32, body: Bytes) -> Result<Part, Fault>;

    /// Makes the object of these parts, in the order of their numbers. An upload that is
    /// over is `Ambiguous`, since an earlier call may have completed it, or the same answer
    /// once more.
    async fn complete_upload(&self, upload: &Upload, parts: &[Part]) -> Result<ETag, Fault>;

    /// Gives up an upload with all its parts; one that is over is success, where the store
    /// can tell that from one that is not ours.
    async fn abort_upload(&self, upload: &Upload) -> Result<(), Fault>;

    /// Uploads that were begun under this prefix and are not over, whoever began them.
    /// None: the store does not tell.
    async fn uploads(&self, under: &Prefix) -> Result<Option<Vec<Upload>>, Fault>;
}

/// What of a bucket is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Always ends with `/` or is empty, so that `ws1` is never taken for `ws10`.
    pub under: Prefix,
    /// Only names that start with this.
    pub starts: String,
    pub depth: Depth,
}

impl Listing {
    pub fn all(under: &Prefix) -> Self {
        Self { under: under.clone(), starts: String::new(), depth: Depth::All }
    }

    pub fn one_level(under: &Prefix) -> Self {
        Self { depth: Depth::OneLevel, ..Self::all(under) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    All,
    /// What lies deeper is told by the prefix it has in common, once.
    OneLevel,
}

/// Everything that is listed, a page at a time, so that memory does not grow with it. What
/// `see` refuses ends the walk.
pub async fn walk(
    bucket: &dyn Bucket,
    what: &Listing,
    mut see: impl FnMut(Page) -> Result<(), Fault> + Send,
) -> Result<(), Fault> {
    let mut from: Option<PageToken> = None;
    loop {
        let mut page = bucket.list(what, from.as_ref()).await?;
        let next = page.next.take();
        see(page)?;
        if next.is_some() && next == from {
            let (name, under) = (bucket.name(), &what.under);
            let text = format!("list s3://{name}/{under}: the store gives the same page for ever");
            return Err(Fault::new(FaultClass::FatalHost, text));
        }
        match next {
            Some(next) => from = Some(next),
            None => return Ok(()),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<Listed>,
    /// With [`Depth::OneLevel`]: the prefixes one level below.
    pub folders: Vec<Prefix>,
    /// None: this was the last page.
    pub next: Option<PageToken>,
}

/// Where a listing goes on; only the store that gave it can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(pub String);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: Key,
    pub size: ByteCount,
    /// None: the store does not tell it in a list; ask with `head`.
    pub etag: Option<ETag>,
    /// By the store's clock, in whole seconds with most.
    pub modified: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    Found(Meta),
    /// It is not there, or its bucket is not.
    Missing,
    /// Reading it is refused, or listing is and it may be missing; our credentials are
    /// known all the same.
    Forbidden,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    pub size: ByteCount,
    pub etag: ETag,
    pub modified: Option<Timestamp>,
    /// Names are in lower case, whatever they were written as.
    pub metadata: BTreeMap<String, String>,
    /// What the store itself keeps of the content.
    pub checksum: Option<Checksum>,
}

/// A checksum of a whole object, base64 as S3 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    Crc32(String),
    Crc32c(String),
    Crc64Nvme(String),
    Sha256(String),
    /// The CRC32 of the CRC32s of its parts, each as four bytes, `-` and how many parts.
    Crc32OfParts(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub meta: Meta,
    pub bytes: Bytes,
}

pub enum Reading {
    Bytes(Box<dyn Chunks>),
    /// Another version is at the key by now.
    Changed,
    Missing,
}

/// Bytes as they come. It is told as a fault when fewer come than were announced.
#[async_trait::async_trait]
pub trait Chunks: Send {
    /// None: that was all.
    async fn next(&mut self) -> Result<Option<Bytes>, Fault>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    pub key: Key,
    pub body: Bytes,
    pub condition: Condition,
    /// Names are lower case ASCII letters, digits and `-`; values are printable ASCII.
    pub metadata: BTreeMap<String, String>,
}

impl Put {
    pub fn new(key: Key, body: impl Into<Bytes>, condition: Condition) -> Self {
        Self { key, body: body.into(), condition, metadata: BTreeMap::new() }
    }
}

/// On what a `put` depends. A store that honours it decides and writes in one step. Some
/// ignore it, and some look first and write later; only the former can be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// Nothing is at the key: `If-None-Match: *`.
    Absent,
    /// This version is: `If-Match`.
    Version(ETag),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    Yes(ETag),
    /// The condition does not hold. Where an earlier answer was lost, what is there may
    /// be our own: read it before believing that somebody else was first.
    Refused,
    /// The store does not know the condition, and nothing was written.
    NoConditions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    Gone,
    /// Another version is there, and it still is.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub key: Key,
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub number: i32,
    pub etag: ETag,
    /// What the store made of its content, where it says.
    pub crc32: Option<String>,
}
