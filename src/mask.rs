//! Owns what is never kept and never shown: the texts of the secrets that this process has
//! read. Whatever others say passes here on its way into the log, the database, a file or
//! a terminal, since any of them may repeat what it was given.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

/// What stands in their place.
const MASK: &str = "***";

/// A shorter one is guessed sooner than it is found in a log, and would be found in every
/// other word.
const SHORTEST: usize = 6;

/// The longest first, each as it is and as JSON has it.
static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// From now on this text is masked.
pub(crate) fn learn(secret: &str) {
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
    for form in [secret, json] {
        if form.len() >= SHORTEST && !secrets.iter().any(|known| known == form) {
            secrets.push(form.to_owned());
        }
    }
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

/// The text without any of them.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = Cow::Borrowed(text);
    for secret in secrets.iter() {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), MASK));
        }
    }
    text
}

/// The same for what need not be text.
pub(crate) fn masked_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let mut bytes = Cow::Borrowed(bytes);
    for secret in secrets.iter().map(|secret| secret.as_bytes()) {
        if bytes.windows(secret.len()).any(|part| part == secret) {
            bytes = Cow::Owned(replaced(&bytes, secret));
        }
    }
    bytes
}

fn replaced(bytes: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(secret.len()).position(|part| part == secret) {
        kept.extend_from_slice(&rest[..at]);
        kept.extend_from_slice(MASK.as_bytes());
        rest = &rest[at + secret.len()..];
    }
    kept.extend_from_slice(rest);
    kept
}

/// Masks what is written to it, one write at a time.
pub(crate) struct Masking<W>(pub(crate) W);

impl<W: Write> Write for Masking<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(&masked_bytes(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests;
