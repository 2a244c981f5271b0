//! Owns bringing one file there.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use md5::{Digest as _, Md5};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::local::Local;
use super::record::Record;
use super::{ExportOrder, There};
use crate::adapters::host::copy::fault::{Side, classify};
use crate::adapters::objects::name::{ETag, Key, Prefix};
use crate::adapters::objects::pace::Pace;
use crate::adapters::objects::patience::{again, blocking};
use crate::adapters::objects::{Bucket, Checksum, Condition, Head, Part, Put, Stored, Upload, sum};

/// A larger file goes in parts of at least this.
const PART: u64 = 8 << 20;

/// S3 takes 10,000.
const MOST_PARTS: u64 = 9000;

const MIB: u64 = 1 << 20;

/// What is read and not yet sent, of all files together. One part of a file of more than
/// 500 GiB is larger, and then goes alone.
const IN_MEMORY_MIB: u32 = 64;

/// Parts of one file on their way at a time.
const PARTS: usize = 4;

pub(super) struct Uploader {
    bucket: Arc<dyn Bucket>,
    from: PathBuf,
    to: Prefix,
    pace: Arc<Pace>,
    memory: Semaphore,
    record: Arc<Record>,
}

/// A file that is there.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) etag: ETag,
    /// Set where it went in parts.
    pub(super) of_parts: Option<OfParts>,
    /// In this run.
    pub(super) now: bool,
}

/// The checksum that a store has of what was sent in parts, if it has one.
#[derive(Debug, Clone)]
pub(super) struct OfParts(String);

impl OfParts {
    pub(super) fn differs(&self, told: &Checksum) -> bool {
        matches!(told, Checksum::Crc32OfParts(told) if *told != self.0)
    }
}

/// What content is called by stores.
struct Known {
    etag: ETag,
    crc32: String,
}

impl Uploader {
    pub(super) fn new(bucket: Arc<dyn Bucket>, order: &ExportOrder, record: Arc<Record>) -> Self {
        let (from, to, pace) = (order.from.clone(), order.to.clone(), Arc::clone(&order.pace));
        let memory = Semaphore::new(IN_MEMORY_MIB as usize);
        Self { bucket, from, to, pace, memory, record }
    }

    pub(super) async fn file(&self, local: &Local, there: Option<&There>) -> Result<Sent, Fault> {
        let key = self.to.key(&local.path);
        if let Some(there) = there.filter(|there| there.size == local.size)
            && let Some(sent) = self.is_there(local, &key, there).await?
        {
            return Ok(sent);
        }
        match local.size <= PART {
            true => self.whole(local, key).await,
            false => self.in_parts(local, key).await,
        }
    }

    /// Whether an object of the same size has the same content.
    async fn is_there(
        &self,
        local: &Local,
        key: &Key,
        there: &There,
    ) -> Result<Option<Sent>, Fault> {
        let (path, size) = (self.path(local), local.size);
        let known = blocking(move || known(&path, size)).await?;
        let in_parts = local.size > PART;
        let of_parts = in_parts.then(|| OfParts(known.crc32.clone()));
        let same = |etag: ETag| Some(Sent { etag, of_parts, now: false });
        match &there.etag {
            Some(etag) if *etag == known.etag => return Ok(same(etag.clone())),
            Some(_) | None => {}
        }
        let Head::Found(meta) = again(async || self.bucket.head(key).await).await? else {
            return Ok(None);
        };
        Ok(match meta.checksum {
            Some(Checksum::Crc32(told)) if !in_parts && told == known.crc32 => same(meta.etag),
            Some(Checksum::Crc32OfParts(told)) if told == known.crc32 => same(meta.etag),
            None if meta.etag == known.etag => same(meta.etag),
            _ => None,
        })
    }

    async fn whole(&self, local: &Local, key: Key) -> Result<Sent, Fault> {
        let _room = self.room(local.size).await;
        let file = self.open(local).await?;
        let body = self.read(local, &file, 0, local.size).await?;
        self.is_unchanged(local, &file)?;
        self.pace.take(local.size).await;
        let put = Put::new(key, body, Condition::Always);
        match again(async || self.bucket.put(&put).await).await? {
            Stored::Yes(etag) => Ok(Sent { etag, of_parts: None, now: true }),
            Stored::Refused | Stored::NoConditions => {
                let (name, key) = (self.bucket.name(), &put.key);
                let text = format!("write s3://{name}/{key}: refused, and nothing was asked");
                Err(Fault::new(FaultClass::FatalHost, text))
            }
        }
    }

    async fn in_parts(&self, local: &Local, key: Key) -> Result<Sent, Fault> {
        let file = self.open(local).await?;
        let upload = self.bucket.begin_upload(&key, &BTreeMap::new()).await?;
        self.record.begun(&upload)?;
        let done = self.parts(local, &file, &upload).await;
        if done.is_err() {
            // What this leaves is given up at the next start.
            let _ = self.bucket.abort_upload(&upload).await;
        }
        done
    }

    async fn parts(&self, local: &Local, file: &Arc<File>, upload: &Upload) -> Result<Sent, Fault> {
        let length = part_length(local.size);
        let mut todo = (0..local.size.div_ceil(length)).zip(1..);
        let mut running = FuturesUnordered::new();
        let mut sent: Vec<(Part, [u8; 4])> = Vec::new();
        loop {
            while running.len() < PARTS
                && let Some((index, number)) = todo.next()
            {
                let first = index * length;
                let size = length.min(local.size - first);
                running.push(async move {
                    let _room = self.room(size).await;
                    let body = self.read(local, file, first, size).await?;
                    let crc32 = sum::crc32(&body);
                    self.pace.take(size).await;
                    let put = async || self.bucket.put_part(upload, number, body.clone()).await;
                    Ok((again(put).await?, crc32))
                });
            }
            match running.next().await {
                Some(part) => sent.push(part?),
                None => break,
            }
        }
        drop(running);
        self.is_unchanged(local, file)?;
        sent.sort_unstable_by_key(|(part, _)| part.number);
        let (parts, crcs): (Vec<Part>, Vec<[u8; 4]>) = sent.into_iter().unzip();
        let of_parts = sum::crc32_of_parts(&crcs);
        let etag = match self.bucket.complete_upload(upload, &parts).await {
            Ok(etag) => etag,
            Err(fault) if fault.class == FaultClass::Ambiguous => {
                self.completed(upload, local, &of_parts).await?.ok_or(fault)?
            }
            Err(fault) => return Err(fault),
        };
        Ok(Sent { etag, of_parts: Some(OfParts(of_parts)), now: true })
    }

    /// The object, where the answer was lost and it is there all the same.
    async fn completed(
        &self,
        upload: &Upload,
        local: &Local,
        of_parts: &str,
    ) -> Result<Option<ETag>, Fault> {
        let (path, size) = (self.path(local), local.size);
        let known = blocking(move || known(&path, size)).await?;
        let Head::Found(meta) = again(async || self.bucket.head(&upload.key).await).await? else {
            return Ok(None);
        };
        let by_sum = meta.checksum == Some(Checksum::Crc32OfParts(of_parts.to_owned()));
        let same = meta.size.0 == local.size && (by_sum || meta.etag == known.etag);
        Ok(same.then_some(meta.etag))
    }

    async fn room(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let wanted = u32::try_from(bytes.div_ceil(MIB)).unwrap_or(IN_MEMORY_MIB);
        // It is never closed.
        self.memory.acquire_many(wanted.clamp(1, IN_MEMORY_MIB)).await.ok()
    }

    fn path(&self, local: &Local) -> PathBuf {
        self.from.join(&local.path)
    }

    async fn open(&self, local: &Local) -> Result<Arc<File>, Fault> {
        let path = self.path(local);
        let file = blocking(move || File::open(&path).map_err(|error| fault(&path, &error)));
        let file = Arc::new(file.await?);
        self.is_unchanged(local, &file)?;
        Ok(file)
    }

    async fn read(
        &self,
        local: &Local,
        file: &Arc<File>,
        first: u64,
        bytes: u64,
    ) -> Result<Bytes, Fault> {
        let (file, path) = (Arc::clone(file), self.path(local));
        blocking(move || {
            let mut body = vec![0; usize::try_from(bytes).unwrap_or_default()];
            match file.read_exact_at(&mut body, first) {
                Ok(()) => Ok(Bytes::from(body)),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    Err(changed(&path))
                }
                Err(error) => Err(fault(&path, &error)),
            }
        })
        .await
    }

    fn is_unchanged(&self, local: &Local, file: &File) -> Result<(), Fault> {
        let path = self.path(local);
        let meta = file.metadata().map_err(|error| fault(&path, &error))?;
        if local.is_as(&meta) { Ok(()) } else { Err(changed(&path)) }
    }
}

fn part_length(size: u64) -> u64 {
    PART.max(size.div_ceil(MOST_PARTS).next_multiple_of(MIB))
}

/// Reads a file and says what a store calls it that was sent it as we do.
fn known(path: &Path, size: u64) -> Result<Known, Fault> {
    let file = File::open(path).map_err(|error| fault(path, &error))?;
    let length = part_length(size);
    let (mut sums, mut crcs) = (Vec::new(), Vec::new());
    for index in 0..size.div_ceil(length).max(1) {
        let first = index * length;
        let bytes = length.min(size - first);
        let mut body = vec![0; usize::try_from(bytes).unwrap_or_default()];
        file.read_exact_at(&mut body, first).map_err(|error| fault(path, &error))?;
        sums.push(Md5::digest(&body));
        crcs.push(sum::crc32(&body));
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if size <= PART {
        let etag = ETag::new(&hex(&sums[0]));
        return Ok(Known { etag, crc32: aws_smithy_types::base64::encode(crcs[0]) });
    }
    let etag = ETag::new(&format!("{}-{}", hex(&Md5::digest(sums.concat())), sums.len()));
    Ok(Known { etag, crc32: sum::crc32_of_parts(&crcs) })
}

fn changed(path: &Path) -> Fault {
    let text = format!("{} changed while it was uploaded", path.display());
    Fault::new(FaultClass::TransientStep, text)
}

fn fault(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(classify(error, Side::Source), format!("read {}: {error}", path.display()))
}
