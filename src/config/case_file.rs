//! Owns what a `case.yaml` may say: the text of one, read by the same reader and the same
//! table as the configuration. It opens no file, and it never says what is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use daylily_lifecycle::case::Priority;
use daylily_lifecycle::ids::GroupName;

use super::error::Problems;
use super::places::Places;
use super::read::Reader;
use super::resolve::priority;
use super::sections::CASE;
use super::tree;

/// The name of the file, directly in the folder of a case.
pub const NAME: &str = "case.yaml";

/// A larger one is not read.
pub const MOST_BYTES: u64 = 64 << 10;

/// What the sender of a case says about it. None leaves it to the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseFile {
    pub priority: Option<Priority>,
    pub group: Option<GroupName>,
    pub gpus: Option<u32>,
    /// As written, quoted or not.
    pub params: BTreeMap<String, String>,
    pub notify: Vec<String>,
}

/// Reads the text; all its mistakes at once, each as one line with its place.
pub fn read(text: &str) -> Result<CaseFile, Vec<String>> {
    let mut problems = Problems::new(Path::new(NAME));
    let node = match tree::parse_any(text) {
        Ok(Some(node)) => node,
        Ok(None) => return Ok(CaseFile::default()),
        Err((at, complaint)) => {
            problems.add(at, "", complaint);
            return Err(problems.into_errors().into_lines());
        }
    };
    // No key of the table is a path, so these are never asked.
    let places = Places { base: PathBuf::from("/"), home: None };
    let (not_active, root) = (&mut Vec::new(), &CASE);
    let fields = Reader { places: &places, problems: &mut problems, not_active, root }.root(&node);
    match fields {
        Some(fields) if problems.is_empty() => Ok(CaseFile {
            priority: priority(&fields),
            group: fields.text("group").map(GroupName::new),
            gpus: fields.count("gpus").map(|gpus| u32::try_from(gpus).unwrap_or(u32::MAX)),
            params: fields.variables("params"),
            notify: fields.texts("notify"),
        }),
        Some(_) | None => Err(problems.into_errors().into_lines()),
    }
}

#[cfg(test)]
mod tests;
