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
            keep_whole_lines(&mut bytes);
        }
        self.at = from + bytes.len() as u64;
        Ok(last_lines(bytes, from > 0, lines))
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
        let full = bytes.len() as u64 == CHUNK;
        keep_what_may_be_printed(&mut bytes, no_more_comes || full);
        self.at += bytes.len() as u64;
        Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Leaves a line that is still being written for later.
pub(super) fn keep_whole_lines(bytes: &mut Vec<u8>) {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes.truncate(whole);
}

/// Whole lines; without any all of it, where no more is to be waited for. A line longer
/// than what is read at once is printed in pieces rather than never.
pub(super) fn keep_what_may_be_printed(bytes: &mut Vec<u8>, without_waiting: bool) {
    if !without_waiting || bytes.contains(&b'\n') {
        keep_whole_lines(bytes);
    }
}

/// The last lines. Where the beginning was cut off, so was the first of them.
pub(super) fn last_lines(mut bytes: Vec<u8>, is_cut: bool, lines: usize) -> String {
    if is_cut && let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        bytes.drain(..=end);
    }
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let newlines = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let start = newlines.map(|(at, _)| at + 1).nth(lines.saturating_sub(1)).unwrap_or(0);
    String::from_utf8_lossy(&text[start..]).into_owned()
}
