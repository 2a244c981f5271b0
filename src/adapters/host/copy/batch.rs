//! Owns making written files durable and then visible, several at a time: a sync
//! waits for the journal of the file system, and those that wait together are
//! written together. With one at a time ten thousand small files take minutes on a
//! plain disk.

use std::fs::File;

use daylily_lifecycle::outcome::Fault;

use super::Mover;
use super::content::hash_back;
use super::fault::{Side, fault, transient};
use super::folder::Folder;

/// What a killed copy may have to copy again.
const MOST_FILES: usize = 128;
const MOST_BYTES: u64 = 16 * 1024 * 1024;
const AT_ONCE: usize = 16;

/// A file that is whole under its temporary name.
pub(super) struct Written {
    pub(super) file: File,
    pub(super) folder: Folder,
    pub(super) temporary: String,
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) hash: blake3::Hash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadBack {
    /// Before the file gets its name.
    Now,
    /// By the second look.
    Later,
}

pub(super) struct Batch<'m> {
    mover: &'m Mover,
    read_back: ReadBack,
    written: Vec<Written>,
    bytes: u64,
}

impl<'m> Batch<'m> {
    pub(super) fn new(mover: &'m Mover, read_back: ReadBack) -> Self {
        Self { mover, read_back, written: Vec::new(), bytes: 0 }
    }

    /// To be asked before a file is written, so that small ones need not wait for a
    /// large one.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), Fault> {
        if self.bytes.saturating_add(bytes) > MOST_BYTES { self.finish() } else { Ok(()) }
    }

    pub(super) fn add(&mut self, written: Written) -> Result<(), Fault> {
        self.bytes += written.bytes;
        self.written.push(written);
        if self.written.len() >= MOST_FILES || self.bytes >= MOST_BYTES {
            self.finish()
        } else {
            Ok(())
        }
    }

    /// Makes all that was written durable, then visible, and that durable too.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        let written = std::mem::take(&mut self.written);
        self.bytes = 0;
        at_once(&written, &|written| self.settle(written))?;
        for written in &written {
            written.folder.rename(&written.temporary, &written.name)?;
        }
        let mut folders: Vec<&Folder> = written.iter().map(|written| &written.folder).collect();
        folders.dedup_by(|a, b| a.path == b.path);
        at_once(&folders, &|folder| folder.sync())
    }

    fn settle(&self, written: &Written) -> Result<(), Fault> {
        self.mover.go_on()?;
        let shown = written.folder.path.join(&written.name);
        let synced = written.file.sync_all();
        synced.map_err(|error| fault(Side::Dest, "write", &shown, error))?;
        match self.read_back {
            ReadBack::Later => Ok(()),
            ReadBack::Now => {
                let back = hash_back(&written.folder, &written.temporary, self.mover)?;
                if back == written.hash {
                    return Ok(());
                }
                let shown = shown.display();
                Err(transient(format_args!(
                    "{shown} reads back as something else than was written"
                )))
            }
        }
    }
}

fn at_once<T: Sync>(
    items: &[T],
    work: &(impl Fn(&T) -> Result<(), Fault> + Sync),
) -> Result<(), Fault> {
    if items.len() < 2 {
        return items.iter().try_for_each(work);
    }
    let share = items.len().div_ceil(AT_ONCE);
    std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(share)
            .map(|items| scope.spawn(move || items.iter().try_for_each(work)))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}
