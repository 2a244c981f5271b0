//! Owns bringing one object here.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use super::fault;
use super::ledger::{Ledger, Version};
use crate::adapters::objects::name::{ETag, Key};
use crate::adapters::objects::pace::Pace;
use crate::adapters::objects::patience::{again, blocking};
use crate::adapters::objects::{Bucket, Checksum, Head, Listed, Reading, sum};

/// What is read in one go and kept in memory until it is written.
const SMALL: u64 = 1 << 20;

/// What is read by one request of a larger object.
const RANGE: u64 = 16 << 20;

/// Ranges of one object that are on their way at a time.
const RANGES: usize = 8;

pub(super) struct Fetch {
    pub(super) bucket: Arc<dyn Bucket>,
    pub(super) to: PathBuf,
    pub(super) parts: PathBuf,
    pub(super) ledger: Ledger,
    pub(super) pace: Arc<Pace>,
    /// One of each request that brings bytes.
    pub(super) places: Semaphore,
}

pub(super) enum Fetched {
    /// It was here already.
    Here,
    Now {
        by_checksum: bool,
    },
}

impl Fetch {
    pub(super) async fn object(
        self: &Arc<Self>,
        listed: &Listed,
        path: &str,
    ) -> Result<Fetched, Fault> {
        let etag = match &listed.etag {
            Some(etag) => etag.clone(),
            None => self.head(listed).await?.0,
        };
        let version = Version::of(path, &etag, listed.size.0);
        let dest = self.to.join(path);
        if self.ledger.meet(path, version) && is_whole(&dest, listed.size.0) {
            return Ok(Fetched::Here);
        }
        let by_checksum = match listed.size.0 <= SMALL {
            true => self.small(listed, &etag, version, &dest).await?,
            false => self.large(listed, &etag, version, &dest).await?,
        };
        let recorded = self.ledger.whole(version, path, listed.size.0);
        recorded.map_err(|error| fault("record in", &self.parts, &error))?;
        Ok(Fetched::Now { by_checksum })
    }

    async fn small(
        self: &Arc<Self>,
        listed: &Listed,
        etag: &ETag,
        version: Version,
        dest: &Path,
    ) -> Result<bool, Fault> {
        let whole = {
            let _place = self.place().await;
            self.pace.take(listed.size.0).await;
            again(async || self.bucket.get(&listed.key, ByteCount(SMALL)).await).await?
        };
        let Some(whole) = whole else { return Err(self.gone(&listed.key)) };
        if whole.meta.etag != *etag || whole.meta.size != listed.size {
            return Err(self.another(&listed.key));
        }
        let told = whole.meta.checksum.as_ref();
        let holds = told.and_then(|checksum| sum::holds_of(checksum, &whole.bytes));
        if holds == Some(false) {
            return Err(self.corrupt(&listed.key));
        }
        let part = self.parts.join(version.part());
        let dest = dest.to_owned();
        blocking(move || {
            fs::write(&part, &whole.bytes).map_err(|error| fault("write", &part, &error))?;
            place(&part, &dest)
        })
        .await?;
        Ok(holds.is_some())
    }

    async fn large(
        self: &Arc<Self>,
        listed: &Listed,
        etag: &ETag,
        version: Version,
        dest: &Path,
    ) -> Result<bool, Fault> {
        let (now, checksum) = self.head(listed).await?;
        if now != *etag {
            return Err(self.another(&listed.key));
        }
        let part = self.parts.join(version.part());
        if !is_whole(&part, listed.size.0) {
            let begun = self.ledger.begin(version);
            begun.map_err(|error| fault("record in", &self.parts, &error))?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&part);
        let file = Arc::new(file.map_err(|error| fault("write", &part, &error))?);
        file.set_len(listed.size.0).map_err(|error| fault("write", &part, &error))?;
        let here = self.ledger.ranges(version);
        let mut todo = (0..listed.size.0.div_ceil(RANGE)).filter(|index| !here.contains(index));
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < RANGES
                && let Some(index) = todo.next()
            {
                let (fetch, file, part) = (Arc::clone(self), Arc::clone(&file), part.clone());
                running.push(async move {
                    again(async || fetch.range(listed, etag, index, &file, &part).await).await?;
                    let recorded = fetch.ledger.range(version, index);
                    recorded.map_err(|error| fault("record in", &fetch.parts, &error))
                });
            }
            match running.next().await {
                Some(done) => done?,
                None => break,
            }
        }
        drop(running);
        drop(file);
        let dest = dest.to_owned();
        let corrupt = self.corrupt(&listed.key);
        blocking(move || {
            let read = |error| fault("read", &part, &error);
            let holds = match &checksum {
                Some(checksum) => sum::holds_of_file(checksum, &part).map_err(read)?,
                None => None,
            };
            if holds == Some(false) {
                // Which range it is nobody can tell.
                fs::remove_file(&part).map_err(|error| fault("remove", &part, &error))?;
                return Err(corrupt);
            }
            place(&part, &dest)?;
            Ok(holds.is_some())
        })
        .await
    }

    async fn range(
        &self,
        listed: &Listed,
        etag: &ETag,
        index: u64,
        file: &Arc<File>,
        part: &Path,
    ) -> Result<(), Fault> {
        let _place = self.place().await;
        let mut at = index * RANGE;
        let end = (at + RANGE).min(listed.size.0);
        let mut chunks = match self.bucket.read(&listed.key, etag, at, end - at).await? {
            Reading::Bytes(chunks) => chunks,
            Reading::Changed => return Err(self.another(&listed.key)),
            Reading::Missing => return Err(self.gone(&listed.key)),
        };
        let mut gathered = Gathered::default();
        while let Some(chunk) = chunks.next().await? {
            self.pace.take(chunk.len() as u64).await;
            gathered.add(chunk);
            if gathered.bytes as u64 >= SMALL {
                at = gathered.write(file, part, at).await?;
            }
        }
        at = gathered.write(file, part, at).await?;
        if at != end {
            let (left, key) = (ByteCount(end.saturating_sub(at)), &listed.key);
            let text = format!("read s3://{}/{key}: {left} did not come", self.bucket.name());
            return Err(Fault::new(FaultClass::TransientStep, text));
        }
        Ok(())
    }

    async fn head(&self, listed: &Listed) -> Result<(ETag, Option<Checksum>), Fault> {
        let _place = self.place().await;
        match again(async || self.bucket.head(&listed.key).await).await? {
            Head::Found(meta) if meta.size == listed.size => Ok((meta.etag, meta.checksum)),
            Head::Found(_) => Err(self.another(&listed.key)),
            Head::Missing => Err(self.gone(&listed.key)),
            Head::Forbidden => {
                let text =
                    format!("read s3://{}/{}: it is refused", self.bucket.name(), listed.key);
                Err(Fault::new(FaultClass::FatalCase, text))
            }
        }
    }

    async fn place(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // It is never closed.
        self.places.acquire().await.ok()
    }

    fn another(&self, key: &Key) -> Fault {
        self.odd(key, "changed while it was brought here")
    }

    fn gone(&self, key: &Key) -> Fault {
        self.odd(key, "vanished while it was brought here")
    }

    fn corrupt(&self, key: &Key) -> Fault {
        self.odd(key, "is not what the checksum of the store says")
    }

    fn odd(&self, key: &Key, what: &str) -> Fault {
        let text = format!("s3://{}/{key} {what}", self.bucket.name());
        Fault::new(FaultClass::TransientStep, text)
    }

    /// Removes what earlier tries have left and nothing needs, and returns when the rest is
    /// on the disk.
    pub(super) fn clean_up(&self) -> io::Result<()> {
        let mut left = Vec::new();
        self.ledger.each_left_over(|path| left.push(path.to_owned()))?;
        for path in left {
            match fs::remove_file(self.to.join(path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        for entry in fs::read_dir(&self.parts)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(entry.path())?;
            }
        }
        self.ledger.sync()
    }
}

/// Chunks that are written in one go.
#[derive(Default)]
struct Gathered {
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl Gathered {
    fn add(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        self.chunks.push(chunk);
    }

    /// Returns where the next byte goes.
    async fn write(&mut self, file: &Arc<File>, part: &Path, at: u64) -> Result<u64, Fault> {
        let (chunks, file, part) =
            (std::mem::take(&mut self.chunks), Arc::clone(file), part.to_owned());
        self.bytes = 0;
        blocking(move || {
            let mut at = at;
            for chunk in chunks {
                file.write_all_at(&chunk, at).map_err(|error| fault("write", &part, &error))?;
                at += chunk.len() as u64;
            }
            Ok(at)
        })
        .await
    }
}

fn is_whole(dest: &Path, size: u64) -> bool {
    fs::symlink_metadata(dest).is_ok_and(|meta| meta.is_file() && meta.len() == size)
}

fn place(part: &Path, dest: &Path) -> Result<(), Fault> {
    if let Some(folder) = dest.parent() {
        fs::create_dir_all(folder).map_err(|error| fault("make", folder, &error))?;
    }
    fs::rename(part, dest).map_err(|error| fault("place", dest, &error))
}
