//! Folders and orders for what moves them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daylily_lifecycle::outcome::Fault;
use daylily_watch::adapters::host::Progress;
use daylily_watch::adapters::objects::Bucket;
use daylily_watch::adapters::objects::export::{ExportOrder, Exported, export};
use daylily_watch::adapters::objects::mirror::inventory::Scope;
use daylily_watch::adapters::objects::mirror::{MirrorOrder, Mirrored, mirror};
use daylily_watch::adapters::objects::name::Prefix;
use daylily_watch::adapters::objects::pace::Pace;
use daylily_watch::clock::SystemClock;
use tokio_util::sync::CancellationToken;

pub(super) fn pace() -> Arc<Pace> {
    Arc::new(Pace::new(Arc::new(SystemClock), None))
}

pub(super) fn mirror_order(to: &Path) -> MirrorOrder {
    MirrorOrder {
        under: Prefix::new("root/ws"),
        scope: Scope::All,
        to: to.to_owned(),
        parallel: 8,
        pace: pace(),
        judged: None,
    }
}

pub(super) fn export_order(from: &Path) -> ExportOrder {
    let (from, to) = (from.to_owned(), Prefix::new("root/ws"));
    ExportOrder { from, to, parallel: 8, pace: pace() }
}

pub(super) async fn mirrored(
    bucket: &Arc<dyn Bucket>,
    order: &MirrorOrder,
) -> Result<Mirrored, Fault> {
    mirror(bucket, order, &Progress::default(), &CancellationToken::new()).await
}

pub(super) async fn exported(
    bucket: &Arc<dyn Bucket>,
    order: &ExportOrder,
) -> Result<Exported, Fault> {
    export(bucket, order, &Progress::default(), &CancellationToken::new()).await
}

/// Bytes that are nowhere the same.
pub(super) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let mut noise = vec![0; bytes];
    hasher.finalize_xof().fill(&mut noise);
    noise
}

/// Every file below, by its path.
pub(super) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

pub(super) fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Some small files, an empty one, and one that goes in parts.
pub(super) fn a_folder(root: &Path) -> BTreeMap<String, Vec<u8>> {
    for n in 0..40 {
        write(root, &format!("d{}/f{n}", n % 3), &noise(n * 100, n as u64));
    }
    write(root, "medium", &noise(3 << 20, 98));
    write(root, "sub/large.bam", &noise(35 << 20, 99));
    files(root)
}
