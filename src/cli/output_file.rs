//! Owns reading a file that a job writes: bounded, and only a regular file. Anybody with
//! the pipeline's account may have put something else in its place.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Of the end of a file; more than a person reads.
const MOST: u64 = 16 << 20;

/// Read at once when following.
const CHUNK: u64 = 1 << 20;

pub(super) struct OutputFile {
    file: File,
    /// Everything before was printed.
    at: u64,
}

impl OutputFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Neither a link nor a pipe that nobody writes to.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(Self { file, at: 0 })
    }

    /// The last lines, of at most the last 16 MiB. What follows goes on behind them; then
    /// a line that is still being written is left for later.
    pub(super) fn end(&mut self, lines: usize, to_follow: bool) -> io::Result<String> {
        let len = self.file.metadata()?.len();
        let from = len.saturating_sub(MOST);
        self.file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        (&self.file).take(len - from).read_to_end(&mut bytes)?;
        if to_follow {
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            bytes.truncate(whole);
        }
        self.at = from + bytes.len() as u64;
        if from > 0
            && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
        {
            bytes.drain(..=end);
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let newlines = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        let start = newlines.map(|(at, _)| at + 1).nth(lines.saturating_sub(1)).unwrap_or(0);
        Ok(String::from_utf8_lossy(&text[start..]).into_owned())
    }

    /// What has come since, up to the last whole line, or all of it where no more comes.
    /// None: nothing.
    pub(super) fn whole_lines(&mut self, no_more_comes: bool) -> io::Result<Option<String>> {
        if self.file.metadata()?.len() < self.at {
            // Somebody emptied it: what is there now was written after.
            self.at = 0;
        }
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        (&self.file).take(CHUNK).read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        // A line longer than a chunk is printed in pieces rather than never.
        let full = bytes.len() as u64 == CHUNK;
        if whole > 0 {
            bytes.truncate(whole);
        } else if !no_more_comes && !full {
            bytes.clear();
        }
        self.at += bytes.len() as u64;
        Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }
}
