//! Owns telling a script's own words from what a login shell prints before it runs it:
//! everything up to a random token is noise, everything behind its line is the answer.

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::clock::Clock;

/// So much of the noise is kept to be shown.
const NOISE_MAX: usize = 4 << 10;
/// More than any token's line has.
const LINE_MAX: usize = 256;

/// One of the two streams of a script, told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sifted {
    pub(super) noise: String,
    /// None: the token never came, so neither has the script.
    pub(super) token: Option<Token>,
    pub(super) kept: Vec<u8>,
    /// There was more than was to be kept.
    pub(super) cut: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// What its line says behind it.
    pub(super) says: String,
    /// When it came.
    pub(super) at: Timestamp,
}

/// Reads all, so that the writer never blocks, and keeps the first `keep` bytes of what
/// follows the token's line.
pub(super) async fn sift(
    mut from: impl AsyncRead + Unpin,
    token: &str,
    keep: usize,
    clock: &dyn Clock,
) -> std::io::Result<Sifted> {
    let mut sieve = Sieve::new(token, keep);
    let mut buffer = vec![0; 16 << 10];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Ok(sieve.finish());
        }
        sieve.take(&buffer[..n], || clock.now());
    }
}

struct Sieve<'a> {
    token: &'a [u8],
    keep: usize,
    place: Place,
    noise: Vec<u8>,
    sifted: Sifted,
}

enum Place {
    /// With the end of what came, in which the token may begin.
    Before(Vec<u8>),
    /// With what came of the token's line.
    OnItsLine(Vec<u8>, Timestamp),
    Behind,
}

impl<'a> Sieve<'a> {
    fn new(token: &'a str, keep: usize) -> Self {
        Self {
            token: token.as_bytes(),
            keep,
            place: Place::Before(Vec::new()),
            noise: Vec::new(),
            sifted: Sifted::default(),
        }
    }

    fn take(&mut self, chunk: &[u8], now: impl Fn() -> Timestamp) {
        match std::mem::replace(&mut self.place, Place::Behind) {
            Place::Before(mut held) => {
                held.extend_from_slice(chunk);
                let found = held.windows(self.token.len()).position(|part| part == self.token);
                match found {
                    Some(at) => {
                        self.hear(&held[..at]);
                        self.place = Place::OnItsLine(Vec::new(), now());
                        self.take(&held[at + self.token.len()..], now);
                    }
                    None => {
                        let rest = held.split_off(held.len().saturating_sub(self.token.len()));
                        self.hear(&held);
                        self.place = Place::Before(rest);
                    }
                }
            }
            Place::OnItsLine(mut line, at) => {
                line.extend_from_slice(chunk);
                let end = line.iter().position(|&byte| byte == b'\n');
                match end.or_else(|| (line.len() > LINE_MAX).then_some(LINE_MAX)) {
                    Some(end) => {
                        let says = String::from_utf8_lossy(&line[..end]).trim().to_owned();
                        self.sifted.token = Some(Token { says, at });
                        self.take(&line[end + 1..], now);
                    }
                    None => self.place = Place::OnItsLine(line, at),
                }
            }
            Place::Behind => {
                let room = chunk.len().min(self.keep - self.sifted.kept.len());
                self.sifted.kept.extend_from_slice(&chunk[..room]);
                self.sifted.cut |= room < chunk.len();
            }
        }
    }

    fn hear(&mut self, noise: &[u8]) {
        let room = noise.len().min(NOISE_MAX - self.noise.len());
        self.noise.extend_from_slice(&noise[..room]);
    }

    fn finish(mut self) -> Sifted {
        match std::mem::replace(&mut self.place, Place::Behind) {
            Place::Before(held) => self.hear(&held),
            Place::OnItsLine(..) | Place::Behind => {}
        }
        self.sifted.noise = String::from_utf8_lossy(&self.noise).trim().to_owned();
        self.sifted
    }
}

#[cfg(test)]
mod tests;
