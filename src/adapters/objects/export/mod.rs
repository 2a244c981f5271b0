//! Owns bringing a folder of this machine under a prefix: in parallel, large files in parts,
//! and looked at again when all are there. What is under the prefix besides stays.
//!
//! A later try goes on with the files that are not there yet, by their content. Uploads in
//! parts that a crash has left are given up first: those that a record beside the folder
//! (`.<name>.uploads`) names, and those that the store lists for the very same keys.

mod local;
mod record;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use self::local::{Local, local_files};
use self::record::Record;
use self::upload::{Sent, Uploader};
use super::name::{ETag, Prefix};
use super::pace::Pace;
use super::patience::{again, blocking};
use super::{Bucket, Head, Listing, walk};
use crate::adapters::host::Progress;

#[derive(Clone)]
pub struct ExportOrder {
    pub from: PathBuf,
    pub to: Prefix,
    /// Files at a time, at least 1.
    pub parallel: usize,
    pub pace: Arc<Pace>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub objects: u64,
    pub bytes: ByteCount,
    /// Files that were not there before.
    pub uploaded: u64,
    /// What has no place in a bucket, each with the reason: links that lead to no file of the
    /// folder, sockets and devices, and files named like a sentinel.
    pub left_out: Vec<String>,
}

/// Uploads everything and returns when every object is there with its size and the version
/// that its upload was answered with; of what went in parts the checksum of the store is
/// compared too, where it tells one. A file that changes meanwhile is `TransientStep`, one
/// that cannot be read `FatalCase`. `stop` ends it soon with `TransientStep`. May be called
/// again after any of them, and goes on.
pub async fn export(
    bucket: &Arc<dyn Bucket>,
    order: &ExportOrder,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Exported, Fault> {
    let run = Box::pin(run(bucket, order, progress));
    tokio::select! {
        biased;
        () = stop.cancelled() => {
            let text = format!("export {}: it was stopped", order.from.display());
            Err(Fault::new(FaultClass::TransientStep, text))
        }
        done = run => done,
    }
}

/// A file and what is known of its object.
struct File {
    local: Local,
    there: Option<There>,
}

/// An object as it was last told of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct There {
    size: u64,
    etag: Option<ETag>,
}

async fn run(
    bucket: &Arc<dyn Bucket>,
    order: &ExportOrder,
    progress: &Progress,
) -> Result<Exported, Fault> {
    let from = order.from.clone();
    let (files, left_out) = blocking(move || local_files(&from)).await?;
    let files = files.into_iter().map(|local| File { local, there: None });
    let mut files: Vec<File> = files.collect();
    let record = Arc::new(Record::open(&order.from)?);
    give_up_left_uploads(bucket, order, &files, &record).await?;
    look(bucket, order, &mut files).await?;
    let uploader = Arc::new(Uploader::new(Arc::clone(bucket), order, Arc::clone(&record)));
    let mut todo = 0..files.len();
    let mut running = FuturesUnordered::new();
    let mut sent: Vec<Option<Sent>> = Vec::new();
    sent.resize_with(files.len(), || None);
    let mut uploaded = 0;
    loop {
        while running.len() < order.parallel.max(1)
            && let Some(at) = todo.next()
        {
            let (uploader, file) = (Arc::clone(&uploader), &files[at]);
            running
                .push(async move { (at, uploader.file(&file.local, file.there.as_ref()).await) });
        }
        let Some((at, done)) = running.next().await else { break };
        let done = done?;
        uploaded += u64::from(done.now);
        progress.files.fetch_add(1, Ordering::Relaxed);
        progress.bytes.fetch_add(files[at].local.size, Ordering::Relaxed);
        sent[at] = Some(done);
    }
    drop(running);
    look(bucket, order, &mut files).await?;
    for (file, sent) in files.iter().zip(&sent) {
        if let Some(sent) = sent {
            verify(bucket, order, file, sent).await?;
        }
    }
    record.remove()?;
    let bytes = ByteCount(files.iter().map(|file| file.local.size).sum());
    Ok(Exported { objects: files.len() as u64, bytes, uploaded, left_out })
}

/// Notes what is there of our files.
async fn look(
    bucket: &Arc<dyn Bucket>,
    order: &ExportOrder,
    files: &mut [File],
) -> Result<(), Fault> {
    files.iter_mut().for_each(|file| file.there = None);
    walk(&**bucket, &Listing::all(&order.to), |page| {
        for listed in page.objects {
            let Some(path) = listed.key.below(&order.to) else { continue };
            if let Ok(at) = files.binary_search_by(|file| file.local.path.as_str().cmp(path)) {
                files[at].there = Some(There { size: listed.size.0, etag: listed.etag });
            }
        }
        Ok(())
    })
    .await
}

/// Whether what is listed is what was sent.
async fn verify(
    bucket: &Arc<dyn Bucket>,
    order: &ExportOrder,
    file: &File,
    sent: &Sent,
) -> Result<(), Fault> {
    let key = order.to.key(&file.local.path);
    let wrong = |what: &str| {
        let text = format!("s3://{}/{key} {what}", bucket.name());
        Err(Fault::new(FaultClass::TransientStep, text))
    };
    let Some(there) = &file.there else { return wrong("is not there after it was uploaded") };
    if there.size != file.local.size {
        let (has, sent) = (ByteCount(there.size), ByteCount(file.local.size));
        return wrong(&format!("has {has} after {sent} were uploaded"));
    }
    let mut etag = there.etag.clone();
    if etag.is_none() || sent.of_parts.is_some() {
        match again(async || bucket.head(&key).await).await? {
            Head::Found(meta) => {
                etag = Some(meta.etag);
                let other = |told| sent.of_parts.as_ref().is_some_and(|ours| ours.differs(told));
                if meta.checksum.as_ref().is_some_and(other) {
                    return wrong("has another checksum than what was uploaded");
                }
            }
            Head::Missing | Head::Forbidden => return wrong("is not there after it was uploaded"),
        }
    }
    match etag == Some(sent.etag.clone()) {
        true => Ok(()),
        false => wrong("is another version than the one that was uploaded"),
    }
}

async fn give_up_left_uploads(
    bucket: &Arc<dyn Bucket>,
    order: &ExportOrder,
    files: &[File],
    record: &Record,
) -> Result<(), Fault> {
    let listed = again(async || bucket.uploads(&order.to).await).await?;
    let is_ours = |path: &str| files.binary_search_by(|f| f.local.path.as_str().cmp(path)).is_ok();
    let mut left = record.left()?;
    match listed {
        // Those that are over are not listed: only what is there is given up.
        Some(listed) => {
            left.retain(|upload| listed.contains(upload));
            let new = |upload: &super::Upload| !left.contains(upload);
            let ours = |upload: &super::Upload| upload.key.below(&order.to).is_some_and(is_ours);
            let more: Vec<_> = listed.into_iter().filter(|u| new(u) && ours(u)).collect();
            left.extend(more);
        }
        // One that is over cannot be told from one that was never ours.
        None => {
            for upload in &left {
                match again(async || bucket.abort_upload(upload).await).await {
                    Err(fault) if fault.class != FaultClass::FatalHost => return Err(fault),
                    Ok(()) | Err(_) => {}
                }
            }
            return record.clear();
        }
    }
    for upload in &left {
        again(async || bucket.abort_upload(upload).await).await?;
    }
    record.clear()
}
