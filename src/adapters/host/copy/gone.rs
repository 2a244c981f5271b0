//! Owns taking away what an earlier ship brought and the case no longer has. What
//! is not on the list, or does not look as it was shipped, is somebody's work.

use std::path::Path;

use daylily_lifecycle::outcome::Fault;

use super::Mover;
use super::fault::{Side, fatal};
use super::folder::{Folder, Found, Trail};
use super::list::{Kind, Line, Reader, is_ours};

/// Removes what an earlier ship brought and the case no longer has, or has as
/// something else. Folders only when nothing else is in them.
pub(super) fn remove(dest: &Path, old: &Path, meant: &Path, mover: &Mover) -> Result<(), Fault> {
    let mut trail = Trail::new(Folder::root(dest, Side::Dest)?);
    let (mut old, mut meant) = (Reader::open(old)?, Reader::open(meant)?);
    let mut folders: Vec<String> = Vec::new();
    while let Some(path) = old.peek().map(|line| line.path.clone()) {
        mover.go_on()?;
        while folders.last().is_some_and(|folder| !is_below(&path, folder)) {
            remove_folder(&mut trail, folders.pop())?;
        }
        let lines = old.lines_of(&path)?;
        let wanted = meant.lines_of(&path)?;
        let gone = |kind: &Kind| !wanted.iter().any(|line| line.kind.same_sort(kind));
        if !lines.iter().any(|line| gone(&line.kind)) {
            continue;
        }
        match trail.look(&path)? {
            Some(Found::As(Kind::Folder)) if gone(&Kind::Folder) => {
                if is_ours(&lines, &Kind::Folder) {
                    folders.push(path);
                }
            }
            Some(Found::As(kind)) if gone(&kind) => {
                remove_file(dest, &mut trail, &path, &lines, &kind)?;
            }
            Some(_) => {}
            None => remove_temporary(&mut trail, &path)?,
        }
    }
    while let Some(folder) = folders.pop() {
        remove_folder(&mut trail, Some(folder))?;
    }
    trail.finish()
}

fn remove_file(
    dest: &Path,
    trail: &mut Trail,
    path: &str,
    lines: &[Line],
    kind: &Kind,
) -> Result<(), Fault> {
    if lines.iter().any(|line| line.kind.matches(kind)) {
        let (folder, name) = trail.at(path)?;
        folder.remove_file(name)?;
        folder.remove_temporary(name)?;
        trail.touched();
    } else if is_ours(lines, kind) {
        return Err(fatal(format_args!(
            "{} was shipped earlier, has changed there since, and is no longer in the case\n\
             hint: move it away, then retry",
            dest.join(path).display()
        )));
    }
    Ok(())
}

fn remove_folder(trail: &mut Trail, path: Option<String>) -> Result<(), Fault> {
    let Some(path) = path else { return Ok(()) };
    if let Some((folder, name)) = trail.find(&path)? {
        folder.remove_if_empty(name)?;
        trail.touched();
    }
    Ok(())
}

fn remove_temporary(trail: &mut Trail, path: &str) -> Result<(), Fault> {
    match trail.find(path)? {
        Some((folder, name)) => folder.remove_temporary(name),
        None => Ok(()),
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
