//! Owns the order of a ship: look at both sides, decide, say durably what may be written,
//! take away what is gone, let rsync move the bytes, look at both sides again, and only
//! then say what was shipped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::command::{Begin, INCOMING, Way};
use super::plan::{Case, Plan, Removal, left_overs, plan};
use super::progress::Far;
use super::source::{self, Hashes, Tree, is_marker};
use super::there::{Found, Looked};
use super::{Progress, RsyncTransfer, ShipOrder, Shipped, blocking, listed};
use crate::adapters::host::Verify;
use crate::adapters::host::copy::fault::{fatal, transient};
use crate::adapters::host::copy::list::{Kind, Line};
use crate::adapters::host::shell::{About, Ran, Script, Shell};

macro_rules! script {
    ($($part:literal),+) => {
        concat!(
            include_str!("../scripts/owner.sh"),
            $("\n", include_str!(concat!("../scripts/", $part)),)+
        )
    };
}

/// A tree of a million files on a busy disk.
const LONG: Duration = Duration::from_secs(600);

pub(in crate::adapters::host) const LOOK: Script =
    Script::short(About::Case, script!("ship_look.sh")).within(LONG);
const BEGIN: Script =
    Script::short(About::Case, script!("put_begin.sh", "ship_lock.sh", "ship_begin.sh"));
const REMOVE: Script =
    Script::short(About::Case, script!("ship_lock.sh", "ship_remove.sh")).within(LONG);
const DONE: Script =
    Script::short(About::Case, script!("ship_lock.sh", "ship_done.sh")).within(LONG);

/// A look at about a million files.
pub(in crate::adapters::host) const LOOK_MAX: usize = 256 << 20;

/// What a script ends with while the lock is held.
const HELD: i32 = 75;

pub(super) async fn ship<S: Shell>(
    transfer: &RsyncTransfer<S>,
    order: &ShipOrder,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Shipped, Fault> {
    let ended = stop.child_token();
    // Dropping this future must end its threads too.
    let _guard = ended.clone().drop_guard();
    let way = Way::Ship { source: &order.source, lock: &order.lock };
    let receiver = transfer.begin(&way, &order.attempt, &order.dest)?;
    let ship = Ship { transfer, order, progress, stop, ended, way, receiver };
    let tree = Arc::new(ship.walk().await?);
    tree.is_the_one_ordered(order)?;
    let lines: Vec<Line> = tree.entries.iter().map(|seen| seen.line.clone()).collect();

    let begin = async {
        let there = ship.look(&order.manifest).await?;
        let case = Case { meant: &lines, there: &there, dest: &order.dest, verify: order.verify };
        let mut todo = plan(&case)?;
        ship.settle(&case, &tree, &mut todo).await?;
        if todo.need.files > 0 {
            there.room.holds(&todo.need, &order.dest)?;
        }
        let list = listed::unite(&there.list, &lines);
        ship.begin(&list).await?;
        ship.remove(&todo.remove).await?;
        Ok((todo, list))
    };
    // A connection takes as long as all of that. What is wrong with it is told when it is
    // used.
    let (begun, _) = tokio::join!(begin, transfer.line.lease());
    let (mut todo, list) = begun?;

    let marker = order.marker.as_ref().filter(|marker| todo.send.contains(marker)).cloned();
    todo.send.retain(|path| marker.as_ref() != Some(path));
    let total = total(order, &lines);
    let hashing = blocking({
        let (order, tree, ended) = (order.clone(), Arc::clone(&tree), ship.ended.clone());
        let with_sha256 = order.verify == Verify::Checksum;
        move || {
            let which = |line: &Line| !is_marker(&order, line);
            source::hash(&order, &tree, which, with_sha256, &ended)
        }
    });
    let sending = ship.send_all(&todo.send, &lines, total);
    let (hashes, ()) = tokio::try_join!(hashing, sending)?;

    ship.verify(&tree, &lines, &hashes, &Sent { paths: &todo.send, list: &list }).await?;
    if let Some(marker) = marker {
        ship.send_marker(&marker).await?;
    }
    ship.done(lines, &hashes).await?;
    ship.tell(total);
    let digest = Some(tree.digest(order, &hashes));
    Ok(Shipped { files: total.files, bytes: ByteCount(total.bytes), digest })
}

/// What rsync was given, and the list that was there before.
struct Sent<'a> {
    paths: &'a [String],
    list: &'a [Line],
}

struct Ship<'a, S> {
    transfer: &'a RsyncTransfer<S>,
    order: &'a ShipOrder,
    progress: &'a Progress,
    stop: &'a CancellationToken,
    ended: CancellationToken,
    way: Way<'a>,
    /// What the other side of each of its transfers begins with.
    receiver: Begin,
}

impl<S: Shell> Ship<'_, S> {
    async fn walk(&self) -> Result<Tree, Fault> {
        let (order, ended) = (self.order.clone(), self.ended.clone());
        blocking(move || source::walk(&order, &ended)).await
    }

    /// `list` is empty where only the directory is asked about.
    async fn look(&self, list: &str) -> Result<Looked, Fault> {
        let dest = &self.order.dest;
        let answer = self.transfer.work_dir.must(LOOK, &[dest, list], &[], LOOK_MAX).await?;
        Looked::parse(&answer, dest, list)
    }

    /// Compares the content of what is in doubt.
    async fn settle(
        &self,
        case: &Case<'_>,
        tree: &Arc<Tree>,
        todo: &mut Plan,
    ) -> Result<(), Fault> {
        let doubts = std::mem::take(&mut todo.doubts);
        if doubts.is_empty() {
            return Ok(());
        }
        let paths: Vec<String> = doubts.iter().map(|doubt| doubt.path.clone()).collect();
        let here = blocking({
            let (order, tree, ended) = (self.order.clone(), Arc::clone(tree), self.ended.clone());
            let paths: std::collections::HashSet<String> = paths.iter().cloned().collect();
            move || source::hash(&order, &tree, |line| paths.contains(&line.path), true, &ended)
        });
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let (here, there) = tokio::try_join!(here, self.sums(&paths, case.meant))?;
        for doubt in doubts {
            let ours = here.get(&doubt.path).and_then(|hashes| hashes.sha256.as_ref());
            let equal = ours.is_some() && ours == there.get(&doubt.path);
            if !equal && !doubt.ours {
                return Err(case.other_content(&doubt.path));
            }
            if !(equal && doubt.alike) {
                todo.send.push(doubt.path);
            }
        }
        Ok(())
    }

    async fn begin(&self, list: &[Line]) -> Result<(), Fault> {
        let list = encode(list)?;
        let (order, receiver) = (self.order, &self.receiver);
        let umask = format!("{:04o}", self.transfer.settings.umask & 0o777);
        let lengths = [receiver.script.len(), list.len()].map(|length| length.to_string());
        let [script_length, list_length] = &lengths;
        let stdin = [receiver.script.as_bytes(), &list].concat();
        let args = [
            &order.lock,
            &order.dest,
            &order.manifest,
            &umask,
            INCOMING,
            receiver.file,
            script_length,
            list_length,
        ];
        self.locked(BEGIN, &args, &stdin).await
    }

    async fn remove(&self, removals: &[Removal]) -> Result<(), Fault> {
        if removals.is_empty() {
            return Ok(());
        }
        let mut stdin = Vec::new();
        for removal in removals {
            for part in [removal.sort, &removal.path, &removal.looked] {
                stdin.extend_from_slice(part.as_bytes());
                stdin.push(0);
            }
        }
        self.locked(REMOVE, &[&self.order.lock, &self.order.dest], &stdin).await
    }

    /// Sends what is not there yet and tells how far it is, what is there included.
    async fn send_all(&self, send: &[String], lines: &[Line], total: Far) -> Result<(), Fault> {
        let mut there = total;
        let wanted: std::collections::HashSet<&str> = send.iter().map(String::as_str).collect();
        for line in lines {
            if let Kind::File { size, .. } = line.kind
                && wanted.contains(line.path.as_str())
            {
                there.bytes = there.bytes.saturating_sub(size);
                there.files = there.files.saturating_sub(1);
            }
        }
        self.tell(there);
        let paths: Vec<&str> = send.iter().map(String::as_str).collect();
        self.send(&paths, |far| {
            self.tell(Far {
                bytes: (there.bytes + far.bytes).min(total.bytes),
                files: (there.files + far.files).min(total.files),
            });
        })
        .await
    }

    async fn send(&self, paths: &[&str], further: impl FnMut(Far) + Send) -> Result<(), Fault> {
        let (way, receiver, dest) = (&self.way, &self.receiver, &self.order.dest);
        self.transfer.moved(way, receiver, dest, paths, self.stop, further).await
    }

    /// Second look, at both sides: the source has not moved, and what is there is what
    /// was sent.
    async fn verify(
        &self,
        tree: &Tree,
        lines: &[Line],
        hashes: &HashMap<String, Hashes>,
        sent: &Sent<'_>,
    ) -> Result<(), Fault> {
        let walk = async {
            self.walk().await.map_err(|fault| match fault.class {
                // What cannot be shipped now could be a moment ago.
                FaultClass::FatalCase => transient(format_args!(
                    "{} has changed since it was complete: {}",
                    self.order.source.display(),
                    fault.text
                )),
                FaultClass::TransientHost
                | FaultClass::TransientStep
                | FaultClass::NoSpace
                | FaultClass::Throttled
                | FaultClass::Ambiguous
                | FaultClass::FatalHost
                | FaultClass::NeedsPerson => fault,
            })
        };
        let there = self.look("").await?;
        self.claim(&there, lines, sent).await?;
        let now = walk.await?;
        tree.is_still(&now, self.order)?;
        for line in lines.iter().filter(|line| !is_marker(self.order, line)) {
            match there.at(&line.path) {
                Some(Found::As(kind)) if line.kind.matches(kind) => {}
                Some(_) | None => return Err(self.differs(&line.path)),
            }
        }
        if self.order.verify == Verify::Checksum {
            self.compare(lines, hashes).await?;
        }
        self.remove(&left_overs(&there)).await
    }

    /// Adds to the list what rsync made of files that were cut short or changed while it
    /// read them: they are ours to replace, although they are not what was meant.
    async fn claim(&self, there: &Looked, lines: &[Line], sent: &Sent<'_>) -> Result<(), Fault> {
        let meant: HashMap<&str, &Line> =
            lines.iter().map(|line| (line.path.as_str(), line)).collect();
        let odd = sent.paths.iter().filter_map(|path| match there.at(path)? {
            Found::As(kind) if meant.get(path.as_str())?.kind.matches(kind) => None,
            Found::As(kind) => {
                Some(Line { path: path.clone(), kind: kind.clone(), shipped: false, blake3: None })
            }
            Found::Odd => None,
        });
        let odd: Vec<Line> = odd.collect();
        if odd.is_empty() {
            return Ok(());
        }
        self.begin(&listed::unite(sent.list, &odd)).await
    }

    /// Compares all content, and sends once more what is not the same.
    async fn compare(&self, lines: &[Line], hashes: &HashMap<String, Hashes>) -> Result<(), Fault> {
        let mut paths: Vec<&str> = hashes.keys().map(String::as_str).collect();
        for again in [true, false] {
            let sums = self.sums(&paths, lines).await?;
            let other = |path: &&str| {
                hashes.get(*path).and_then(|hashes| hashes.sha256.as_ref()) != sums.get(*path)
            };
            paths.retain(other);
            paths.sort_unstable();
            match (paths.first(), again) {
                (None, _) => return Ok(()),
                (Some(path), false) => return Err(self.differs(path)),
                (Some(path), true) => {
                    tracing::warn!(case = %self.order.dest, file = %path, files = paths.len(),
                        "what arrived is not what was sent; it is sent once more");
                    self.send(&paths, |_| {}).await?;
                }
            }
        }
        Ok(())
    }

    /// By path. One that cannot be read there is not in the answer.
    async fn sums(&self, paths: &[&str], lines: &[Line]) -> Result<HashMap<String, String>, Fault> {
        let bytes = lines.iter().map(|line| match line.kind {
            Kind::File { size, .. } => size,
            Kind::Folder | Kind::Symlink { .. } => 0,
        });
        let bytes = bytes.fold(0, u64::saturating_add);
        self.transfer.sums(&self.order.dest, paths, bytes).await
    }

    /// Last of all, so that it stands for a whole copy there as it does here. One that
    /// went since the first look is none: the case is the same without it.
    async fn send_marker(&self, marker: &str) -> Result<(), Fault> {
        match std::fs::symlink_metadata(self.order.source.join(marker)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Ok(_) | Err(_) => self.send(&[marker], |_| {}).await,
        }
    }

    async fn done(
        &self,
        mut lines: Vec<Line>,
        hashes: &HashMap<String, Hashes>,
    ) -> Result<(), Fault> {
        for line in &mut lines {
            line.shipped = true;
            line.blake3 = hashes.get(&line.path).map(|hash| hash.blake3.to_hex().to_string());
        }
        let list = encode(&lines)?;
        let (order, length) = (self.order, list.len().to_string());
        let args = [&order.lock, &order.dest, &order.manifest, &length, INCOMING];
        self.locked(DONE, &args, &list).await
    }

    /// Runs a script that begins with `ship_lock.sh`.
    async fn locked(&self, script: Script, args: &[&str], stdin: &[u8]) -> Result<(), Fault> {
        let work_dir = &self.transfer.work_dir;
        match work_dir.ask(script, args, stdin, 1024).await? {
            Ran::Ended(answer) if answer.code == Some(0) => Ok(()),
            Ran::Ended(answer) if answer.code == Some(HELD) => {
                Err(transient("an earlier transfer is still ending"))
            }
            Ran::Ended(answer) => Err(work_dir.failed(script, &answer)),
            Ran::TimedOut => Err(work_dir.timed_out(script)),
        }
    }

    fn tell(&self, far: Far) {
        self.progress.bytes.fetch_max(far.bytes, Ordering::Relaxed);
        self.progress.files.fetch_max(far.files, Ordering::Relaxed);
    }

    fn differs(&self, path: &str) -> Fault {
        transient(format_args!("{}/{path} is not what was copied there", self.order.dest))
    }
}

fn total(order: &ShipOrder, lines: &[Line]) -> Far {
    let mut total = Far::default();
    for line in lines.iter().filter(|line| !is_marker(order, line)) {
        if let Kind::File { size, .. } = line.kind {
            total.bytes += size;
            total.files += 1;
        }
    }
    total
}

fn encode(lines: &[Line]) -> Result<Vec<u8>, Fault> {
    listed::encode(lines).map_err(|error| fatal(format_args!("the list of the case: {error}")))
}
