//! Owns bringing results home. A result may be a symlink to a file in the same directory,
//! as pipelines publish them; it is fetched as that file. What a host answered is not
//! trusted to name a file of ours, and nothing here is written through a symlink.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::command::{INCOMING, PARTIAL, Way};
use super::progress::Far;
use super::source::sha256_of;
use super::there::{Parts, beginning, stamp};
use super::{FetchOrder, Fetched, Progress, RsyncTransfer, blocking};
use crate::adapters::host::Verify;
use crate::adapters::host::copy::fault::{Side, fatal, fault, transient};
use crate::adapters::host::copy::fetch::{check_name, make_folders};
use crate::adapters::host::copy::folder::{Folder, Found, Trail};
use crate::adapters::host::copy::list::{Kind, Stamp};
use crate::adapters::host::copy::room::{Need, check_room};
use crate::adapters::host::shell::{About, Script, Shell};

const LOOK: Script = Script::short(
    About::Case,
    concat!(include_str!("../scripts/owner.sh"), "\n", include_str!("../scripts/fetch_look.sh")),
)
.within(Duration::from_secs(600));

/// How many results one script looks at, so that an answer stays small.
const LOOK_AT_ONCE: usize = 2_000;

/// A result as it is there, behind whatever symlinks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct There {
    real: String,
    size: u64,
    modified: Stamp,
}

pub(super) async fn fetch<S: Shell>(
    transfer: &RsyncTransfer<S>,
    order: &FetchOrder,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Fetched, Fault> {
    let files: BTreeSet<String> = order.files.iter().cloned().collect();
    for file in &files {
        check_name(file)?;
    }
    let fetch = Fetch { transfer, order, progress, stop };
    let there = fetch.look(&files).await?;
    let total = Far {
        bytes: there.values().map(|file| file.size).fold(0, u64::saturating_add),
        files: u64::try_from(there.len()).unwrap_or(u64::MAX),
    };
    let same_size = blocking({
        let (to, there) = (order.to.clone(), there.clone());
        move || prepare(&to, &there)
    })
    .await?;
    // What an earlier try left is trusted by its content alone.
    let whole = fetch.same_content(same_size, &there).await?;
    let wanted: Vec<&str> =
        there.keys().map(String::as_str).filter(|name| !whole.contains(*name)).collect();
    fetch.bring(&wanted, &there, total).await?;

    if fetch.look(&files).await? != there {
        return Err(transient(format_args!(
            "results in {} changed while they were fetched",
            order.from
        )));
    }
    let brought: HashMap<String, There> = there
        .iter()
        .filter(|(name, _)| !whole.contains(*name))
        .map(|(n, t)| (n.clone(), t.clone()))
        .collect();
    if transfer.settings.verify == Verify::Checksum {
        let names: BTreeSet<String> = brought.keys().cloned().collect();
        let same = fetch.same_content(names.clone(), &there).await?;
        if let Some(other) = names.difference(&same).next() {
            return Err(not_what_was_sent(&order.to.join(other)));
        }
    }
    let to = order.to.clone();
    blocking(move || finish(&to, &brought)).await?;
    fetch.tell(total);
    Ok(Fetched { files: total.files, bytes: ByteCount(total.bytes) })
}

struct Fetch<'a, S> {
    transfer: &'a RsyncTransfer<S>,
    order: &'a FetchOrder,
    progress: &'a Progress,
    stop: &'a CancellationToken,
}

impl<S: Shell> Fetch<'_, S> {
    /// All results as they are there; one that cannot be fetched is a fault.
    async fn look(&self, files: &BTreeSet<String>) -> Result<HashMap<String, There>, Fault> {
        let from = &self.order.from;
        let mut all = HashMap::new();
        let files: Vec<&String> = files.iter().collect();
        for some in files.chunks(LOOK_AT_ONCE) {
            let mut stdin = Vec::new();
            for file in some {
                stdin.extend_from_slice(file.as_bytes());
                stdin.push(0);
            }
            // Real paths are as long as the kernel takes them.
            let keep = 8192 + some.len() * 4400 + stdin.len();
            let answer = self.transfer.work_dir.must(LOOK, &[from], &stdin, keep).await?;
            all.extend(parse(&answer, some.iter().copied(), from)?);
        }
        Ok(all)
    }

    /// Those whose content there is the one here.
    async fn same_content(
        &self,
        names: BTreeSet<String>,
        there: &HashMap<String, There>,
    ) -> Result<BTreeSet<String>, Fault> {
        if names.is_empty() {
            return Ok(names);
        }
        let bytes = names.iter().filter_map(|name| there.get(name)).map(|file| file.size);
        let bytes = bytes.fold(0, u64::saturating_add);
        let here = blocking({
            let (to, names, ended) =
                (self.order.to.clone(), names.clone(), self.stop.child_token());
            move || {
                let sum = |name: &String| sha256_of(&to.join(name), &ended);
                names.iter().map(sum).collect::<Result<Vec<[u8; 32]>, Fault>>()
            }
        });
        let paths: Vec<&str> = names.iter().map(String::as_str).collect();
        let sums = self.transfer.sums(&self.order.from, &paths, bytes);
        let (here, there) = tokio::try_join!(here, sums)?;
        let same = here.into_iter().zip(there).map(|(here, there)| Some(here) == there);
        Ok(names.into_iter().zip(same).filter_map(|(name, same)| same.then_some(name)).collect())
    }

    async fn bring(
        &self,
        wanted: &[&str],
        there: &HashMap<String, There>,
        total: Far,
    ) -> Result<(), Fault> {
        let missing: u64 =
            wanted.iter().filter_map(|name| there.get(*name)).map(|file| file.size).sum();
        let base = Far {
            bytes: total.bytes.saturating_sub(missing),
            files: total.files.saturating_sub(u64::try_from(wanted.len()).unwrap_or(u64::MAX)),
        };
        self.tell(base);
        let way = Way::Fetch { to: &self.order.to };
        let further = |far: Far| {
            self.tell(Far {
                bytes: (base.bytes + far.bytes).min(total.bytes),
                files: (base.files + far.files).min(total.files),
            });
        };
        let order = self.order;
        if wanted.is_empty() {
            return Ok(());
        }
        let begin = self.transfer.begin(&way, &order.attempt, &order.from)?;
        self.transfer.put(&begin, &order.attempt).await?;
        self.transfer.moved(&way, &begin, &order.from, wanted, self.stop, further).await
    }

    fn tell(&self, far: Far) {
        self.progress.bytes.fetch_max(far.bytes, Ordering::Relaxed);
        self.progress.files.fetch_max(far.files, Ordering::Relaxed);
    }
}

fn parse<'f>(
    answer: &[u8],
    files: impl Iterator<Item = &'f String> + Clone,
    from: &str,
) -> Result<HashMap<String, There>, Fault> {
    let odd = || {
        let said = beginning(answer);
        let text = format!("the results in {from} cannot be understood: {said:?}");
        Fault::new(FaultClass::TransientStep, text)
    };
    let mut parts = Parts { rest: answer };
    let root = parts.text().ok_or_else(odd)?.trim_end_matches('/').to_owned() + "/";
    let mut asked = files.clone();
    let mut seen = HashMap::new();
    let mut reals: HashMap<&str, &[u8]> = HashMap::new();
    while let Some(count) = parts.text() {
        for _ in 0..count.parse::<usize>().map_err(|_| odd())? {
            let name = asked.next().ok_or_else(odd)?;
            reals.insert(name, parts.next().ok_or_else(odd)?);
        }
        loop {
            let name = parts.text().ok_or_else(odd)?;
            // No name is empty.
            if name.is_empty() {
                break;
            }
            let mode = u32::from_str_radix(parts.text().ok_or_else(odd)?, 16).map_err(|_| odd())?;
            let size = parts.text().and_then(|size| size.parse().ok()).ok_or_else(odd)?;
            let modified = parts.text().and_then(stamp).ok_or_else(odd)?;
            seen.insert(name, (mode, size, modified));
        }
    }
    let mut there = HashMap::new();
    for name in files {
        let real = *reals.get(name.as_str()).ok_or_else(odd)?;
        let Some((mode, size, modified)) = seen.get(name.as_str()).copied() else {
            return Err(transient(format_args!("read {from}/{name}: No such file or directory")));
        };
        let Some(below) = real.strip_prefix(root.as_bytes()) else {
            return Err(fatal(format_args!("the result {name} is a symlink that leaves {from}")));
        };
        if mode & libc::S_IFMT != libc::S_IFREG {
            return Err(fatal(format_args!("the result {name} is not a regular file")));
        }
        let real = String::from_utf8_lossy(below).into_owned();
        there.insert(name.clone(), There { real, size, modified });
    }
    Ok(there)
}

/// Makes the folders for what is to come, and answers with what may be there already.
fn prepare(to: &Path, there: &HashMap<String, There>) -> Result<BTreeSet<String>, Fault> {
    let failed = |path: &Path, error| fault(Side::Dest, "make", path, error);
    std::fs::create_dir_all(to).map_err(|error| failed(to, error))?;
    let mut trail = Trail::new(Folder::root(to, Side::Dest)?);
    let mut same = BTreeSet::new();
    let mut need = Need::default();
    for (name, file) in there {
        match trail.look(name)? {
            Some(Found::As(Kind::File { size, .. })) if size == file.size => {
                same.insert(name.clone());
            }
            Some(Found::As(Kind::Folder)) => {
                let shown = to.join(name);
                let shown = shown.display();
                return Err(fatal(format_args!("{shown} is in the way of a result of that name")));
            }
            Some(_) | None => {
                need.files += 1;
                need.bytes += file.size;
            }
        }
    }
    if need.files > 0 {
        check_room(to, &need)?;
    }
    for name in there.keys() {
        make_folders(&mut trail, name)?;
    }
    let (root, incoming) = (Folder::root(to, Side::Dest)?, to.join(INCOMING));
    match root.look(INCOMING)? {
        Some(Found::As(Kind::Folder)) => {
            std::fs::remove_dir_all(&incoming).map_err(|error| failed(&incoming, error))?;
        }
        Some(_) => root.remove_file(INCOMING)?,
        None => {}
    }
    root.make(INCOMING, 0o700)?;
    Ok(same)
}

/// What was brought is here as it is there, durable, and nothing else of the transfer is.
fn finish(to: &Path, brought: &HashMap<String, There>) -> Result<(), Fault> {
    let mut trail = Trail::new(Folder::root(to, Side::Dest)?);
    for (name, file) in brought {
        let kind = Kind::File { size: file.size, modified: file.modified };
        match trail.look(name)? {
            Some(Found::As(found)) if kind.matches(&found) => {}
            Some(_) | None => return Err(not_what_was_sent(&to.join(name))),
        }
    }
    clear(to)?;
    let root = std::fs::File::open(to).map_err(|error| fault(Side::Dest, "sync", to, error))?;
    nix::unistd::syncfs(&root).map_err(|errno| fault(Side::Dest, "sync", to, errno))
}

/// Removes the folders of what was not whole.
fn clear(to: &Path) -> Result<(), Fault> {
    let mut folders: Vec<PathBuf> = vec![to.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error| fault(Side::Dest, "look at", &folder, error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !entry.file_type().map_err(failed)?.is_dir() {
                continue;
            }
            let (path, name) = (entry.path(), entry.file_name());
            if name == PARTIAL || (name == INCOMING && folder == to) {
                let removed = std::fs::remove_dir_all(&path);
                removed.map_err(|error| fault(Side::Dest, "remove", &path, error))?;
            } else {
                folders.push(path);
            }
        }
    }
    Ok(())
}

fn not_what_was_sent(path: &Path) -> Fault {
    transient(format_args!("{} is not what was copied there", path.display()))
}

#[cfg(test)]
mod tests;
