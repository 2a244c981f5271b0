//! Owns where a file of a table is, by the way it is written: an object in S3, something
//! on the headnode or elsewhere in the net, or a file of the workset itself.

/// What a cell names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Object(ObjectUri),
    /// `http://` or `https://`; nobody looks.
    Web,
    /// Below `/fsx` or `/data` on the headnode; nobody looks here.
    Headnode,
    /// A path within the workset, without `.` and doubled slashes.
    Inside(String),
}

/// An object in S3, or a prefix where it ends with a slash or names a bucket alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectUri {
    pub bucket: String,
    /// As it is written: keys are no paths.
    pub key: String,
}

impl std::fmt::Display for ObjectUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// S3's own limit, in bytes.
const LONGEST_KEY: usize = 1024;

/// What the kernel takes for one path, in bytes.
const LONGEST_PATH: usize = 4096;

impl ObjectUri {
    /// Whether S3 takes it.
    pub fn is_plain(&self) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        !self.bucket.is_empty()
            && self.bucket.len() <= 63
            && self.bucket.starts_with(|c: char| c.is_ascii_alphanumeric())
            && self.bucket.chars().all(plain)
            && self.key.len() <= LONGEST_KEY
    }

    pub fn is_prefix(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }
}

/// None: it does not begin as one.
pub fn s3(text: &str) -> Option<ObjectUri> {
    let rest = text.strip_prefix("s3://")?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    Some(ObjectUri { bucket: bucket.to_owned(), key: key.to_owned() })
}

/// Where a cell's file is; an error is what was expected instead. The cell has no control
/// characters and no blanks around it.
pub fn of(text: &str) -> Result<Location, &'static str> {
    if let Some(uri) = s3(text) {
        return if uri.is_plain() { Ok(Location::Object(uri)) } else { Err("s3://bucket/key") };
    }
    if text.len() > LONGEST_PATH {
        return Err("a path that is no longer than any path can be");
    }
    if let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        return if rest.is_empty() { Err("an address after http://") } else { Ok(Location::Web) };
    }
    if text.contains("://") {
        return Err("s3://, http://, https://, or a path");
    }
    if text.split('/').any(|part| part == "..") {
        return Err("a path without ..");
    }
    if text.starts_with("/fsx/") || text.starts_with("/data/") {
        return Ok(Location::Headnode);
    }
    if text.starts_with('/') {
        return Err("a path within the workset, or one below /fsx or /data on the headnode");
    }
    if text.starts_with('~') {
        return Err("a path within the workset; ~ means nothing here");
    }
    if text.contains('\\') {
        return Err("a path with / between folders");
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() {
        return Err("the path of a file");
    }
    Ok(Location::Inside(parts.join("/")))
}
