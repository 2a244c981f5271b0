//! Owns what a ship has to do, from what is here, what is there, and what earlier ships
//! brought: pure, and decided before anything there is touched.

use std::collections::{HashMap, HashSet};

use daylily_lifecycle::outcome::Fault;

use super::command::{INCOMING, PARTIAL};
use super::listed::Past;
use super::there::{Found, Looked};
use crate::adapters::host::Verify;
use crate::adapters::host::copy::fault::fatal;
use crate::adapters::host::copy::list::{Kind, Line, is_ours, walk_order};
use crate::adapters::host::copy::room::Need;

#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    /// In the order in which it can be done.
    pub(super) remove: Vec<Removal>,
    /// Paths of what there is not as it is here.
    pub(super) send: Vec<&'a str>,
    /// Their content has to be compared before they are sent or left.
    pub(super) doubts: Vec<Doubt<'a>>,
    pub(super) need: Need,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removal {
    pub(super) sort: &'static str,
    pub(super) path: String,
    pub(super) looked: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt<'a> {
    pub(super) path: &'a str,
    /// In size and time.
    pub(super) alike: bool,
    /// Brought by an earlier ship, so that it may be replaced.
    pub(super) ours: bool,
}

pub(super) struct Case<'a, 't> {
    /// In the order of a walk.
    pub(super) meant: &'a [Line],
    pub(super) there: &'t Looked,
    /// For messages.
    pub(super) dest: &'t str,
    pub(super) verify: Verify,
}

pub(super) fn plan<'a>(case: &Case<'a, '_>) -> Result<Plan<'a>, Fault> {
    let past = Past::of(&case.there.list);
    let mut plan = Plan::default();
    let removed = removals(case, &past, &mut plan)?;
    for line in case.meant {
        let found = match removed.contains(line.path.as_str()) {
            true => None,
            false => case.there.at(&line.path),
        };
        case.compare(line, found, &past, &mut plan)?;
    }
    Ok(plan)
}

impl<'a> Case<'a, '_> {
    fn compare(
        &self,
        line: &'a Line,
        found: Option<&Found>,
        past: &Past<'_>,
        plan: &mut Plan<'a>,
    ) -> Result<(), Fault> {
        let lines = || past.lines(&line.path);
        match (&line.kind, found) {
            (Kind::Folder, Some(Found::As(Kind::Folder))) => return Ok(()),
            (Kind::Symlink { .. }, Some(Found::As(there))) if *there == line.kind => {
                return Ok(());
            }
            (Kind::Symlink { .. }, Some(Found::As(there @ Kind::Symlink { .. })))
                if is_ours(lines(), there) => {}
            (Kind::File { size, .. }, Some(Found::As(there @ Kind::File { .. }))) => {
                let (alike, ours) = (line.kind.matches(there), is_ours(lines(), there));
                let same_size = matches!(there, Kind::File { size: there, .. } if there == size);
                if !alike {
                    plan.need.files += 1;
                    plan.need.bytes += size;
                }
                let doubtful = match (ours, alike, self.verify) {
                    (false, false, _) if !same_size => return Err(self.other_content(&line.path)),
                    (false, false, _) | (false, true, Verify::Checksum) => true,
                    (true, true, Verify::Quick) => {
                        self.there.crashed && !past.confirms(&line.path, there)
                    }
                    (true, true, Verify::Checksum) | (false, true, Verify::Quick) => false,
                    (true, false, _) => {
                        plan.send.push(&line.path);
                        false
                    }
                };
                if doubtful {
                    plan.doubts.push(Doubt { path: &line.path, alike, ours });
                }
                return Ok(());
            }
            (Kind::File { size, .. }, None) => {
                plan.need.files += 1;
                plan.need.bytes += size;
            }
            (Kind::Folder | Kind::Symlink { .. }, None) => {}
            (Kind::Folder, Some(_)) => return Err(self.in_the_way(&line.path, "a folder")),
            (Kind::Symlink { .. }, Some(_)) => {
                return Err(self.in_the_way(&line.path, "a symlink"));
            }
            (Kind::File { .. }, Some(_)) => return Err(self.in_the_way(&line.path, "a file")),
        }
        plan.send.push(&line.path);
        Ok(())
    }

    pub(super) fn other_content(&self, path: &str) -> Fault {
        fatal(format_args!(
            "{}/{path} is there with other content and was not shipped by this case\n\
             hint: move it away, then retry",
            self.dest
        ))
    }

    fn in_the_way(&self, path: &str, wanted: &str) -> Fault {
        fatal(format_args!(
            "{}/{path} is in the way: it is not {wanted}, and not all of it was shipped by this \
             case\nhint: move it away, then retry",
            self.dest
        ))
    }
}

/// What an earlier ship brought and the case no longer has, or has as something else, and
/// what it left half done. Folders only when nothing else is in them. Answers with what
/// will be gone.
fn removals<'t>(
    case: &Case<'_, 't>,
    past: &Past<'_>,
    plan: &mut Plan<'_>,
) -> Result<HashSet<&'t str>, Fault> {
    let mut removed = HashSet::new();
    let Some(entries) = &case.there.entries else { return Ok(removed) };
    let wanted: HashMap<&str, &Kind> =
        case.meant.iter().map(|line| (line.path.as_str(), &line.kind)).collect();
    let mut within: HashMap<&str, usize> = HashMap::new();
    for path in entries.paths() {
        *within.entry(parent(path)).or_default() += 1;
    }
    let listed = case.there.list.iter().map(|line| line.path.as_str());
    let left = entries.paths().filter(|path| is_left_over(path));
    let mut paths: Vec<&str> = listed.chain(left).collect();
    paths.sort_by(|a, b| walk_order(b, a));
    paths.dedup();
    for path in paths {
        let Some(entry) = entries.get(path) else { continue };
        let lines = || past.lines(path);
        let gone = |kind: &Kind| wanted.get(path).is_none_or(|wanted| !wanted.same_sort(kind));
        let take = match entry.found {
            _ if is_left_over(path) => !is_basis(path, &wanted),
            _ if !lines().any(|line| gone(&line.kind)) => false,
            Found::As(Kind::Folder) => gone(&Kind::Folder) && is_ours(lines(), &Kind::Folder),
            Found::As(kind) if gone(kind) => {
                let as_shipped = lines().any(|line| line.kind.matches(kind));
                if !as_shipped && is_ours(lines(), kind) {
                    return Err(fatal(format_args!(
                        "{}/{path} was shipped earlier, has changed there since, and is no \
                         longer in the case\nhint: move it away, then retry",
                        case.dest
                    )));
                }
                as_shipped
            }
            Found::As(_) | Found::Odd => false,
        };
        let sort = sort_of(entry.found);
        let empty = within.get(path).copied().unwrap_or(0) == 0;
        if take && (sort != "folder" || empty) {
            if let Some(count) = within.get_mut(parent(path)) {
                *count -= 1;
            }
            let looked = entry.looked();
            plan.remove.push(Removal { sort, path: path.to_owned(), looked });
            removed.insert(path);
        }
    }
    Ok(removed)
}

/// What half a transfer left and no other will use.
pub(super) fn left_overs(there: &Looked) -> Vec<Removal> {
    let Some(entries) = &there.entries else { return Vec::new() };
    let mut left: Vec<&str> = entries.paths().filter(|path| is_left_over(path)).collect();
    left.sort_by(|a, b| walk_order(b, a));
    let removal = |path: &str| {
        let entry = entries.get(path)?;
        let (sort, path) = (sort_of(entry.found), path.to_owned());
        Some(Removal { sort, path, looked: entry.looked() })
    };
    left.into_iter().filter_map(removal).collect()
}

fn sort_of(found: &Found) -> &'static str {
    match found {
        Found::As(Kind::Folder) => "folder",
        Found::As(Kind::Symlink { .. }) => "link",
        Found::As(Kind::File { .. }) | Found::Odd => "file",
    }
}

/// Whether a path is, or is in, a folder for what is not whole yet.
fn is_left_over(path: &str) -> bool {
    path.split('/').any(|name| name == PARTIAL) && !path.starts_with(INCOMING)
}

/// Whether half a file is kept there that the case still has.
fn is_basis(path: &str, wanted: &HashMap<&str, &Kind>) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let whole = match folder.strip_suffix(PARTIAL) {
        Some(above) => format!("{above}{name}"),
        None => return false,
    };
    matches!(wanted.get(whole.as_str()), Some(Kind::File { .. }))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests;
