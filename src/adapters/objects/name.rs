//! Owns how things in a bucket are called: keys, prefixes, versions, and `s3://` addresses.
//! Whether a key may become a path on this machine is not decided here.

use std::fmt;
use std::str::FromStr;

/// The full name of an object in its bucket: any text, with nothing special in it but
/// that people read `/` as folders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the prefix. None: it does not lie under it.
    pub fn below<'a>(&'a self, prefix: &Prefix) -> Option<&'a str> {
        self.0.strip_prefix(prefix.as_str())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the keys of a folder begin with: empty for a whole bucket, else it ends with `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// With a `/` at its end, whether or not one was written.
    pub fn new(text: &str) -> Self {
        match text.trim_end_matches('/') {
            "" => Self::default(),
            folder => Self(format!("{folder}/")),
        }
    }

    /// As a store has it, which may end with several `/`.
    pub(super) fn as_told(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The object of this name in it.
    pub fn key(&self, name: &str) -> Key {
        Key(format!("{}{name}", self.0))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What tells the versions of an object apart, as the store has it, quotes and all. The
/// same content may have the same one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ETag(String);

impl ETag {
    /// Stores write it with quotes or without, and mean the same.
    pub fn new(text: &str) -> Self {
        Self(format!("\"{}\"", text.trim_matches('"')))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the quotes.
    pub fn bare(&self) -> &str {
        self.0.trim_matches('"')
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.bare())
    }
}

/// `s3://bucket/key`, the key empty for the bucket itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub bucket: String,
    pub key: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    #[error("'{0}' is no S3 address\nhint: it is written s3://bucket/folder")]
    NotS3(String),
    #[error(
        "'{0}' names no bucket that can be\nhint: a bucket has 3 to 63 small letters, digits, '.' and '-'"
    )]
    Bucket(String),
    #[error("'{0}' has a character that cannot be seen")]
    Control(String),
}

impl Address {
    pub fn prefix(&self) -> Prefix {
        Prefix::new(&self.key)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let shown = || text.escape_debug().to_string();
        if text.chars().any(char::is_control) {
            return Err(AddressError::Control(shown()));
        }
        let rest = text.strip_prefix("s3://").ok_or_else(|| AddressError::NotS3(shown()))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !(3..=63).contains(&bucket.len())
            || !bucket.chars().all(known)
            || !bucket.starts_with(ends)
            || !bucket.ends_with(ends)
            || bucket.contains("..")
        {
            return Err(AddressError::Bucket(shown()));
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

#[cfg(test)]
mod tests;
