//! Owns reading the list of what a job has left, as `scripts/outputs.sh` prints it: it
//! decides whether the expected outputs are there and what is fetched. A list that is not
//! whole says nothing about what is missing in it, so it is none.

use daylily_lifecycle::ids::ByteCount;
use globset::GlobSet;

use super::OutputFile;
use super::attempts::moment;

/// Where a list cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Odd(pub(super) String);

/// The files that `wanted` means, by path.
pub(super) fn parse(listing: &[u8], wanted: &GlobSet) -> Result<Vec<OutputFile>, Odd> {
    let mut files = Vec::new();
    if listing.is_empty() {
        return Ok(files);
    }
    let Some(ended) = listing.strip_suffix(b"\0") else {
        let last = listing.rsplit(|&byte| byte == 0).next();
        return Err(odd(last.unwrap_or(listing), "is cut off"));
    };
    let mut parts = ended.split(|&byte| byte == 0);
    while let Some(path) = parts.next() {
        let (Some(bytes), Some(modified)) = (parts.next(), parts.next()) else {
            return Err(odd(path, "is cut off"));
        };
        let (Ok(bytes), Ok(modified)) = (std::str::from_utf8(bytes), std::str::from_utf8(modified))
        else {
            return Err(odd(path, "has an odd size or time"));
        };
        let (Ok(bytes), Some(modified)) = (bytes.parse().map(ByteCount), moment(modified)) else {
            return Err(odd(path, "has an odd size or time"));
        };
        // A name that is not UTF-8 cannot be asked for, so no pattern means it.
        let Ok(text) = std::str::from_utf8(path) else { continue };
        // As `stat` names a link.
        let text = text.strip_prefix("./").unwrap_or(text);
        if !is_below(text) {
            return Err(odd(path, "is not below the directory"));
        }
        if wanted.is_match(text) {
            files.push(OutputFile { path: text.to_owned(), bytes, modified });
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// As find and stat name what is below the directory they are in.
fn is_below(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn odd(path: &[u8], what: &str) -> Odd {
    Odd(format!("{} {what}", String::from_utf8_lossy(path)))
}

#[cfg(test)]
mod tests;
