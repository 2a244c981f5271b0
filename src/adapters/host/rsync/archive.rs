//! Owns the archive in which a small case travels: POSIX pax, with all that matters of an
//! entry in its extended header, where neither a length nor an encoding is a limit. Owners
//! are not in it, and of modes only whether a file is a program.

use crate::adapters::host::copy::list::Stamp;

const BLOCK: usize = 512;

/// In place of a name for a program that passes over the extended header.
const NAME: &[u8] = b"daylily-watch";

#[derive(Debug, Default)]
pub(super) struct Archive(Vec<u8>);

/// What a header says besides what every entry has.
struct Entry<'a> {
    kind: u8,
    path: &'a str,
    mode: u32,
    modified: Stamp,
    target: Option<&'a str>,
    content: &'a [u8],
}

impl Archive {
    pub(super) fn folder(&mut self, path: &str, modified: Stamp) {
        let (kind, mode, target, content) = (b'5', 0o777, None, &[] as &[u8]);
        self.add(&Entry { kind, path, mode, modified, target, content });
    }

    pub(super) fn symlink(&mut self, path: &str, modified: Stamp, target: &str) {
        let (kind, mode, target, content) = (b'2', 0o777, Some(target), &[] as &[u8]);
        self.add(&Entry { kind, path, mode, modified, target, content });
    }

    pub(super) fn file(&mut self, path: &str, modified: Stamp, program: bool, content: &[u8]) {
        let (kind, mode, target) = (b'0', if program { 0o777 } else { 0o666 }, None);
        self.add(&Entry { kind, path, mode, modified, target, content });
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }

    fn add(&mut self, entry: &Entry<'_>) {
        let mut extended = Vec::new();
        // What a name begins with then means nothing.
        record(&mut extended, "path", &format!("./{}", entry.path));
        if let Some(target) = entry.target {
            record(&mut extended, "linkpath", target);
        }
        let Stamp { seconds, nanoseconds } = entry.modified;
        record(&mut extended, "mtime", &format!("{seconds}.{nanoseconds:09}"));
        self.block(b'x', 0o600, &extended);
        self.block(entry.kind, entry.mode, entry.content);
    }

    /// A header and what it is of.
    fn block(&mut self, kind: u8, mode: u32, content: &[u8]) {
        let mut header = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, NAME);
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000");
        put(116, b"0000000");
        put(124, format!("{:011o}", content.len()).as_bytes());
        put(136, b"00000000000");
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        // As if there were blanks where it will be.
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
    }
}

/// Adds `LENGTH KEY=VALUE`, where the length counts its own digits too.
fn record(to: &mut Vec<u8>, key: &str, value: &str) {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    to.extend_from_slice(format!("{length}{rest}").as_bytes());
}

#[cfg(test)]
mod tests;
