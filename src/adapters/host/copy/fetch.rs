//! Owns bringing results home from a directory on this machine. A result may be a
//! symlink to a file in the same directory, as pipelines publish them; it is fetched
//! as that file. Nothing outside the directory is ever read.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::Fault;
use nix::errno::Errno;

use super::batch::{Batch, ReadBack};
use super::content::{Source, hash_back};
use super::fault::{Side, fatal, fault, transient};
use super::folder::{Folder, Found, Trail};
use super::list::Kind;
use super::room::{Need, check_room};
use super::{FetchOrder, Fetched, Mover};

/// For their owner alone: placing gives them the mode they are to have.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

pub(super) fn fetch(order: &FetchOrder, mover: &Mover) -> Result<Fetched, Fault> {
    let files: BTreeSet<&str> = order.files.iter().map(String::as_str).collect();
    for file in &files {
        check_name(file)?;
    }
    let from = Path::new(&order.from).canonicalize();
    let from = from.map_err(|error| fault(Side::Source, "read", Path::new(&order.from), error))?;
    let mut here = Trail::new(Folder::root(&from, Side::Source)?);
    std::fs::create_dir_all(&order.to)
        .map_err(|error| fault(Side::Dest, "make", &order.to, error))?;
    let mut there = Trail::new(Folder::root(&order.to, Side::Dest)?);

    let mut need = Need::default();
    for file in &files {
        mover.go_on()?;
        let path = from.join(file);
        let size = open(&from, &mut here, file, &path)?.size();
        if !matches!(there.look(file)?, Some(Found::As(Kind::File { size: same, .. })) if same == size)
        {
            need.files += 1;
            need.bytes += size;
        }
    }
    if need.files > 0 {
        check_room(&order.to, &need)?;
    }

    let mut batch = Batch::new(mover, ReadBack::Now);
    let mut fetched = Fetched { files: 0, bytes: ByteCount(0) };
    for file in &files {
        mover.go_on()?;
        let path = from.join(file);
        let mut source = open(&from, &mut here, file, &path)?;
        copy(&mut source, &mut there, &mut batch, file, mover)?;
        fetched.files += 1;
        fetched.bytes.0 += source.size();
        mover.file();
    }
    batch.finish()?;
    there.finish()?;
    Ok(fetched)
}

fn copy(
    source: &mut Source<'_>,
    there: &mut Trail,
    batch: &mut Batch<'_>,
    file: &str,
    mover: &Mover,
) -> Result<(), Fault> {
    make_folders(there, file)?;
    let found = there.look(file)?;
    let (folder, name) = there.at(file)?;
    match found {
        Some(Found::As(Kind::File { size, .. })) if size == source.size() => {
            let hash = source.read(mover, |_| Ok(()))?;
            if hash_back(folder, name, mover)? == hash {
                return Ok(());
            }
        }
        Some(_) | None => {}
    }
    source.copy_to(folder, name, FILE_MODE, mover, batch).map(|_| ())
}

/// Relative and plain: what a host answered is not trusted to name a file of ours.
pub(in crate::adapters::host) fn check_name(file: &str) -> Result<(), Fault> {
    let plain = !file.is_empty()
        && !file.chars().any(char::is_control)
        && file.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if plain {
        return Ok(());
    }
    Err(fatal(format_args!(
        "{file:?} cannot be the name of a result\nhint: give it another name there"
    )))
}

/// Opens a result below `from`, where symlinks lead as long as they stay below it.
fn open<'p>(
    from: &Path,
    here: &mut Trail,
    file: &str,
    path: &'p Path,
) -> Result<Source<'p>, Fault> {
    let real = path.canonicalize().map_err(|error| fault(Side::Source, "read", path, error))?;
    let below = real.strip_prefix(from).ok().and_then(plain).ok_or_else(|| {
        fatal(format_args!("the result {file} is a symlink that leaves {}", from.display()))
    })?;
    // Opened name by name: the path just resolved may be another by now.
    let gone = || transient(format_args!("{} changed while it was fetched", path.display()));
    let (folder, name) = here.find(&below)?.ok_or_else(gone)?;
    let opened = folder.open_file(name).map_err(|errno| match errno {
        Errno::ELOOP | Errno::ENXIO => gone(),
        errno => fault(Side::Source, "read", path, errno),
    })?;
    Source::of(opened, path)?
        .ok_or_else(|| fatal(format_args!("the result {file} is not a regular file")))
}

fn plain(below: &Path) -> Option<String> {
    let names = below.components().map(|part| match part {
        Component::Normal(name) => name.to_str(),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            None
        }
    });
    names.collect::<Option<Vec<_>>>().filter(|names| !names.is_empty()).map(|names| names.join("/"))
}

pub(in crate::adapters::host) fn make_folders(there: &mut Trail, file: &str) -> Result<(), Fault> {
    for (end, _) in file.match_indices('/') {
        let path = &file[..end];
        match there.look(path)? {
            Some(Found::As(Kind::Folder)) => {}
            Some(_) => {
                let shown: PathBuf = path.into();
                return Err(fatal(format_args!(
                    "{} is in the way of a result of that name",
                    shown.display()
                )));
            }
            None => {
                let (folder, name) = there.at(path)?;
                folder.make(name, FOLDER_MODE)?;
                there.touched();
            }
        }
    }
    Ok(())
}
