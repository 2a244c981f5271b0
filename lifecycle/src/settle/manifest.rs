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
                let more = match missing {
                    0 | 1 => String::new(),
                    more => format!(", and {} more", more - 1),
                };
                (false, format!("{name} names {first}, which is not there yet{more}"))
            }
        };
        let may_be_left_out = match manifest {
            Manifest::None | Manifest::Odd { .. } => false,
            Manifest::Missing { .. } | Manifest::There { .. } => accepted,
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
        let (name, there) = match manifest {
            Manifest::None | Manifest::Missing { .. } | Manifest::Odd { .. } => return Vec::new(),
            Manifest::There { name, files, missing, .. } => (name, files.saturating_sub(*missing)),
        };
        let comparison = comparison.filter(|comparison| comparison.manifest == *name);
        let (holds, detail) = match comparison {
            None => {
                (false, format!("{} {} compared with what {name} says", count(there), are(there)))
            }
            Some(comparison) if comparison.problems.is_empty() => {
                (true, format!("{} {} as {name} says", count(there), are(there)))
            }
            Some(_) => (false, format!("not every file is as {name} says")),
        };
        self.put(ConditionName::Checksums, holds, detail);
        comparison.map(|comparison| comparison.problems.clone()).unwrap_or_default()
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
