//! Owns reading what rsync prints: how far it is (`--info=progress2`) and, at its end,
//! what it sent (`--stats`). Lines that are neither are passed over.

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Far {
    /// Of the files it was given, as large as they become.
    pub(super) bytes: u64,
    pub(super) files: u64,
}

/// What went over the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sent {
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Content that was not there before.
    pub(super) literal: u64,
    /// Content that was found there.
    pub(super) matched: u64,
}

/// Longer lines are not rsync's.
const LINE_MAX: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    pub(super) far: Far,
    pub(super) sent: Sent,
}

impl Reader {
    /// Takes what was printed, wherever it is cut. True: it is further than before.
    pub(super) fn take(&mut self, printed: &[u8]) -> bool {
        let before = self.far;
        for &byte in printed {
            match byte {
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    self.line_of(&String::from_utf8_lossy(&line));
                }
                _ if self.line.len() < LINE_MAX => self.line.push(byte),
                _ => {}
            }
        }
        self.far != before
    }

    fn line_of(&mut self, line: &str) {
        if let Some(far) = far(line) {
            // A line that says less than an earlier one is of a file that was sent again.
            self.far.bytes = self.far.bytes.max(far.bytes);
            self.far.files = self.far.files.max(far.files);
        } else if let Some((name, value)) = line.split_once(':') {
            let to = match name {
                "Total bytes sent" => &mut self.sent.sent,
                "Total bytes received" => &mut self.sent.received,
                "Literal data" => &mut self.sent.literal,
                "Matched data" => &mut self.sent.matched,
                _ => return,
            };
            if let Some(value) = value.split_whitespace().next().and_then(number) {
                *to = value;
            }
        }
    }
}

/// `1234567  12%   1.23MB/s    0:00:01 (xfr#5, to-chk=10/20)`, the last part only
/// between files.
fn far(line: &str) -> Option<Far> {
    let mut words = line.split_whitespace();
    let bytes = words.next().and_then(number)?;
    let percent = words.next()?.strip_suffix('%')?;
    percent.parse::<u8>().ok()?;
    let files = line.split_once("(xfr#").and_then(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|files| files.parse().ok())
    });
    Some(Far { bytes, files: files.unwrap_or(0) })
}

/// With separators or without: a version may ignore `--no-human-readable`.
fn number(word: &str) -> Option<u64> {
    let plain = word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'.'));
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
