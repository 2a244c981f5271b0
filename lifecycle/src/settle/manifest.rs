//! Owns what a manifest means for a case: it waits for every file that is named, then
//! for a comparison of the checksums, and says which files disagree. It reads nothing.

use super::{Board, Manifest};
use crate::case::{Compared, ConditionName};

impl Board<'_> {
    /// Whether the manifest and all that it names is there.
    pub(super) fn manifest(&mut self, manifest: &Manifest, accepted: bool) {
        let (holds, detail) = match manifest {
            Manifest::None => return,
            Manifest::Missing { name } => (false, format!("{name} has not come")),
            Manifest::Odd { name } => (false, format!("{name} cannot be read as a manifest")),
            Manifest::There { name, files, missing: 0, .. } => {
                (true, format!("{} that {name} names {} there", count(*files), are(*files)))
            }
            Manifest::There { name, missing, first, .. } => {
                let first = first.as_deref().unwrap_or("a file");
                (false, format!("{name} names {first}, which is not there yet{}", more(*missing)))
            }
            Manifest::Workset { name, files, missing: 0, unseen, .. } => {
                let unseen = match unseen {
                    0 => String::new(),
                    1 => "; 1 place in S3 is not looked at".to_owned(),
                    many => format!("; {many} places in S3 are not looked at"),
                };
                let (count, are) = (count(*files), are(*files));
                (true, format!("{count} that the workset names by {name} {are} there{unseen}"))
            }
            Manifest::Workset { missing, first, .. } => {
                let (path, by) = match first {
                    Some((path, by)) => (path.as_str(), by.as_str()),
                    None => ("a file", "the workset"),
                };
                (false, format!("{by} names {path}, which is not there yet{}", more(*missing)))
            }
        };
        let may_be_left_out = match manifest {
            Manifest::None | Manifest::Odd { .. } => false,
            Manifest::Missing { .. } | Manifest::There { .. } | Manifest::Workset { .. } => {
                accepted
            }
        };
        self.put_or_accepted(ConditionName::Manifest, holds, detail, may_be_left_out);
    }

    /// Whether the files have the checksums that the manifest gives. Returns what it says
    /// otherwise. `comparison` is one with the files as they are now.
    pub(super) fn checksums(
        &mut self,
        manifest: &Manifest,
        comparison: Option<&Compared>,
    ) -> Vec<String> {
        let says = match manifest {
            Manifest::Workset { listed: true, .. } => "say",
            Manifest::None
            | Manifest::Missing { .. }
            | Manifest::Odd { .. }
            | Manifest::There { .. }
            | Manifest::Workset { .. } => "says",
        };
        let (name, what, plural) = match manifest {
            Manifest::None
            | Manifest::Missing { .. }
            | Manifest::Odd { .. }
            | Manifest::Workset { objects: 0, listed: false, .. } => return Vec::new(),
            Manifest::There { name, files, missing, .. } => {
                let there = files.saturating_sub(*missing);
                (name, count(there), are(there))
            }
            Manifest::Workset { name, objects: 0, .. } => (name, "its files".to_owned(), "are"),
            Manifest::Workset { name, objects, listed, .. } => {
                let (there, plural) = match objects {
                    1 => ("the 1 object in S3".to_owned(), "is"),
                    many => (format!("the {many} objects in S3"), "are"),
                };
                match listed {
                    true => (name, format!("its files and {there}"), "are"),
                    false => (name, there, plural),
                }
            }
        };
        let comparison = comparison.filter(|comparison| comparison.manifest == *name);
        let (holds, detail) = match comparison {
            None => (false, format!("{what} {plural} compared with what {name} {says}")),
            Some(comparison) if comparison.problems.is_empty() => {
                (true, format!("{what} {plural} as {name} {says}"))
            }
            Some(_) => match manifest {
                Manifest::Workset { .. } => (false, format!("not everything is as {name} {says}")),
                Manifest::None
                | Manifest::Missing { .. }
                | Manifest::Odd { .. }
                | Manifest::There { .. } => (false, format!("not every file is as {name} says")),
            },
        };
        self.put(ConditionName::Checksums, holds, detail);
        comparison.map(|comparison| comparison.problems.clone()).unwrap_or_default()
    }
}

fn more(missing: u64) -> String {
    match missing {
        0 | 1 => String::new(),
        more => format!(", and {} more", more - 1),
    }
}

fn count(files: u64) -> String {
    if files == 1 { "the 1 file".to_owned() } else { format!("the {files} files") }
}

fn are(files: u64) -> &'static str {
    if files == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests;
