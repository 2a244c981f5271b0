//! Owns what is known to be here already, kept in a file beside the folder: files that are
//! whole, and ranges of files that are not. After a crash of the program all of it counts,
//! since the kernel has what was written; after one of the machine what was synced counts.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::adapters::objects::name::ETag;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// So much is recorded before what was written is synced.
const BYTES_BETWEEN_SYNCS: u64 = 1 << 30;
const FILES_BETWEEN_SYNCS: u64 = 5000;

/// A version of an object at a path: whoever has the hash has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Version(u128);

impl Version {
    pub(super) fn of(path: &str, etag: &ETag, size: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(path.as_bytes()).update(&[0]).update(etag.as_str().as_bytes());
        Self(first(hasher.update(&size.to_le_bytes())))
    }

    /// The name of its half-fetched file.
    pub(super) fn part(self) -> String {
        format!("{:032x}.part", self.0)
    }
}

fn first(hasher: &blake3::Hasher) -> u128 {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    u128::from_le_bytes(bytes)
}

pub(super) struct Ledger {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    file: File,
    whole: HashSet<Version>,
    ranges: HashMap<Version, Vec<u64>>,
    /// Paths that were met in this run, hashed.
    met: HashSet<u128>,
    /// Whether an earlier run has left anything.
    had_any: bool,
    bytes: u64,
    files: u64,
}

enum Line<'a> {
    Boot(&'a str),
    Whole(Version, &'a str),
    /// Nothing of it is here: ranges that were recorded before are of a file that is gone.
    Begin(Version),
    Range(Version, u64),
    Synced,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let version = |text: &str| u128::from_str_radix(text, 16).ok().map(Version);
        let mut words = line.splitn(3, '\t');
        Some(match (words.next()?, words.next(), words.next()) {
            ("boot", Some(id), None) => Self::Boot(id),
            ("whole", Some(of), Some(path)) => Self::Whole(version(of)?, path),
            ("begin", Some(of), None) => Self::Begin(version(of)?),
            ("range", Some(of), Some(index)) => Self::Range(version(of)?, index.parse().ok()?),
            ("synced", None, None) => Self::Synced,
            _ => return None,
        })
    }
}

impl Ledger {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let trusted = trusted(&path, &boot)?;
        let (mut whole, mut ranges) = (HashSet::new(), HashMap::<_, Vec<_>>::new());
        // Written anew with what counts alone, so that a later sync vouches for no more.
        let new = path.with_extension("new");
        let mut file = BufWriter::new(File::create(&new)?);
        writeln!(file, "boot\t{boot}")?;
        each_line(&path, |number, text| {
            let counts = number < trusted;
            match Line::read(text) {
                Some(Line::Whole(version, _)) if counts => drop(whole.insert(version)),
                Some(Line::Range(version, index)) if counts => {
                    ranges.entry(version).or_default().push(index);
                }
                Some(Line::Begin(version)) => drop(ranges.remove(&version)),
                Some(Line::Synced) if counts => {}
                _ => return Ok(()),
            }
            writeln!(file, "{text}")
        })?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&new, &path)?;
        let file = OpenOptions::new().append(true).open(&path)?;
        let (had_any, met) = (!whole.is_empty(), HashSet::new());
        let state = State { file, whole, ranges, met, had_any, bytes: 0, files: 0 };
        Ok(Self { path, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this version was brought here whole. The path is one of this run from now on.
    pub(super) fn meet(&self, path: &str, version: Version) -> bool {
        let mut state = self.state();
        state.met.insert(hash_of(path));
        state.whole.contains(&version)
    }

    pub(super) fn ranges(&self, version: Version) -> Vec<u64> {
        self.state().ranges.get(&version).cloned().unwrap_or_default()
    }

    /// A file for it was made just now.
    pub(super) fn begin(&self, version: Version) -> io::Result<()> {
        let mut state = self.state();
        state.ranges.remove(&version);
        writeln!(state.file, "begin\t{:032x}", version.0)?;
        state.file.sync_data()
    }

    pub(super) fn range(&self, version: Version, index: u64) -> io::Result<()> {
        writeln!(self.state().file, "range\t{:032x}\t{index}", version.0)
    }

    pub(super) fn whole(&self, version: Version, path: &str, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        writeln!(state.file, "whole\t{:032x}\t{path}", version.0)?;
        state.bytes += bytes;
        state.files += 1;
        if state.bytes >= BYTES_BETWEEN_SYNCS || state.files >= FILES_BETWEEN_SYNCS {
            sync(&mut state)?;
        }
        Ok(())
    }

    /// Returns when all of it is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&mut self.state())
    }

    /// Calls with each path that an earlier run has brought here and this one did not meet.
    pub(super) fn each_left_over(&self, mut see: impl FnMut(&str)) -> io::Result<()> {
        let state = self.state();
        if !state.had_any {
            return Ok(());
        }
        each_line(&self.path, |_, line| {
            if let Some(Line::Whole(_, path)) = Line::read(line)
                && !state.met.contains(&hash_of(path))
            {
                see(path);
            }
            Ok(())
        })
    }
}

/// The whole file system: a call for each of many small files takes far longer.
fn sync(state: &mut State) -> io::Result<()> {
    nix::unistd::syncfs(state.file.as_fd())?;
    writeln!(state.file, "synced")?;
    state.file.sync_data()?;
    (state.bytes, state.files) = (0, 0);
    Ok(())
}

/// How many of its lines count: all of them while the machine has not been started anew.
fn trusted(path: &Path, boot: &str) -> io::Result<u64> {
    let (mut count, mut synced, mut same_boot) = (0, 0, false);
    each_line(path, |number, line| {
        count = number + 1;
        match Line::read(line) {
            Some(Line::Boot(id)) => same_boot = id == boot && !boot.is_empty(),
            Some(Line::Synced) => synced = count,
            Some(Line::Whole(..) | Line::Begin(_) | Line::Range(..)) | None => {}
        }
        Ok(())
    })?;
    Ok(if same_boot { count } else { synced })
}

/// Nothing where there is no ledger yet. A last line that was cut is none.
fn each_line(path: &Path, mut see: impl FnMut(u64, &str) -> io::Result<()>) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let (mut reader, mut line) = (BufReader::new(file), String::new());
    for number in 0.. {
        line.clear();
        reader.read_line(&mut line)?;
        match line.strip_suffix('\n') {
            Some(line) => see(number, line)?,
            None => break,
        }
    }
    Ok(())
}

fn hash_of(path: &str) -> u128 {
    first(blake3::Hasher::new().update(path.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(path: &str) -> Version {
        Version::of(path, &ETag::new("e"), 1)
    }

    #[test]
    fn what_was_recorded_is_there_after_a_crash_of_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let ledger = Ledger::open(path.clone()).unwrap();
        ledger.whole(version("a"), "a", 1).unwrap();
        ledger.range(version("b"), 3).unwrap();
        drop(ledger);
        // The last line was cut.
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("whole\t12");
        std::fs::write(&path, text).unwrap();
        for _ in 0..2 {
            let ledger = Ledger::open(path.clone()).unwrap();
            assert!(ledger.meet("a", version("a")));
            assert!(!ledger.meet("b", version("b")));
            assert!(!ledger.meet("a", Version::of("a", &ETag::new("another"), 1)));
            assert_eq!(ledger.ranges(version("b")), [3]);
        }
        Ledger::open(path.clone()).unwrap().begin(version("b")).unwrap();
        assert_eq!(Ledger::open(path).unwrap().ranges(version("b")), Vec::<u64>::new());
    }

    #[test]
    fn after_a_crash_of_the_machine_only_what_was_synced_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let ledger = Ledger::open(path.clone()).unwrap();
        ledger.whole(version("a"), "a", 1).unwrap();
        ledger.sync().unwrap();
        ledger.whole(version("b"), "b", 1).unwrap();
        ledger.range(version("c"), 0).unwrap();
        drop(ledger);
        let boot = std::fs::read_to_string(BOOT_ID).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(boot.trim(), "an-earlier-one")).unwrap();
        for _ in 0..2 {
            let ledger = Ledger::open(path.clone()).unwrap();
            assert!(ledger.meet("a", version("a")));
            assert!(!ledger.meet("b", version("b")));
            assert_eq!(ledger.ranges(version("c")), Vec::<u64>::new());
        }
    }

    #[test]
    fn what_is_not_met_any_more_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let ledger = Ledger::open(path.clone()).unwrap();
        for name in ["a", "b"] {
            ledger.whole(version(name), name, 1).unwrap();
        }
        drop(ledger);
        let ledger = Ledger::open(path).unwrap();
        ledger.meet("a", version("a"));
        let mut left = Vec::new();
        ledger.each_left_over(|path| left.push(path.to_owned())).unwrap();
        assert_eq!(left, ["b"]);
    }
}
