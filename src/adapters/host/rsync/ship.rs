//! Owns the order of a ship: look at both sides, decide, say durably what may be written,
//! take away what is gone, let rsync move the bytes, look at both sides again, and only
//! then say what was shipped. A small case that was never there goes through the same in one
//! question.

mod at_once;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::command::{Begin, INCOMING, Way};
use super::listed::{Sending, Written};
use super::plan::{Case, Plan, Removal, left_overs, plan};
use super::progress::Far;
use super::source::{self, Hashes, Tree, is_marker};
use super::there::{Found, Looked};
use super::{Progress, RsyncTransfer, ShipOrder, Shipped, blocking, listed};
use crate::adapters::host::Verify;
use crate::adapters::host::copy::fault::{fatal, transient};
use crate::adapters::host::copy::list::{Kind, Line};
use crate::adapters::host::shell::{About, Feed, Ran, Script, Shell};

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
pub(in crate::adapters::host) const LOOK_MAX: usize = 128 << 20;

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
    let lines = tree.lines.as_slice();

    if let Some(hashes) = ship.at_once(&tree).await? {
        return Ok(ship.shipped(&tree, &hashes));
    }

    let begin = async {
        let there = ship.look(&order.manifest).await?;
        let case = Case { meant: lines, there: &there, dest: &order.dest, verify: order.verify };
        let mut todo = plan(&case)?;
        ship.settle(&case, &tree, &mut todo).await?;
        if todo.need.files > 0 {
            there.room.holds(&todo.need, &order.dest)?;
        }
        ship.begin(&listed::unite(&there.list, lines)).await?;
        ship.remove(&todo.remove).await?;
        Ok((todo.send, there.list))
    };
    // A connection takes as long as all of that. What is wrong with it is told when it is
    // used.
    let (begun, _) = tokio::join!(begin, transfer.line.lease());
    let (mut send, past) = begun?;

    let marker = order.marker.as_deref().filter(|marker| send.contains(marker));
    send.retain(|path| marker != Some(path));
    let total = total(order, lines);
    let hashing = blocking({
        let (order, tree, ended) = (order.clone(), Arc::clone(&tree), ship.ended.clone());
        let with_sha256 = order.verify == Verify::Checksum;
        move || {
            let which = |line: &Line| !is_marker(&order, line);
            source::hash(&order, &tree, which, with_sha256, &ended)
        }
    });
    let sending = ship.send_all(&send, lines, total);
    let (hashes, ()) = tokio::try_join!(hashing, sending)?;

    ship.verify(&tree, &hashes, &Sent { paths: &send, past: &past }).await?;
    if let Some(marker) = marker {
        ship.send_marker(marker).await?;
    }
    ship.done(lines, &hashes).await?;
    Ok(ship.shipped(&tree, &hashes))
}

/// What rsync was given, and the list that was there before.
struct Sent<'a> {
    paths: &'a [&'a str],
    past: &'a [Line],
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
    async fn settle<'a>(
        &self,
        case: &Case<'a, '_>,
        tree: &Arc<Tree>,
        todo: &mut Plan<'a>,
    ) -> Result<(), Fault> {
        let doubts = std::mem::take(&mut todo.doubts);
        if doubts.is_empty() {
            return Ok(());
        }
        let here = blocking({
            let (order, tree, ended) = (self.order.clone(), Arc::clone(tree), self.ended.clone());
            let places: HashSet<usize> =
                doubts.iter().filter_map(|doubt| tree.place(doubt.path)).collect();
            move || {
                let doubtful = |line: &Line| {
                    tree.place(&line.path).is_some_and(|place| places.contains(&place))
                };
                source::hash(&order, &tree, doubtful, true, &ended)
            }
        });
        let paths: Vec<&str> = doubts.iter().map(|doubt| doubt.path).collect();
        let (here, there) = tokio::try_join!(here, self.sums(&paths, tree))?;
        for (doubt, there) in doubts.into_iter().zip(there) {
            let ours = tree.place(doubt.path).and_then(|place| here.sha256(place));
            let equal = ours.is_some() && ours == there;
            if !equal && !doubt.ours {
                return Err(case.other_content(doubt.path));
            }
            if !(equal && doubt.alike) {
                todo.send.push(doubt.path);
            }
        }
        Ok(())
    }

    async fn begin(&self, list: &[&Line]) -> Result<(), Fault> {
        let (order, receiver) = (self.order, &self.receiver);
        let sending =
            Sending::new(list.len(), |line, text| listed::write(text, &Written::from(list[line])));
        let sending = sending.map_err(unwritten)?;
        let umask = format!("{:04o}", self.transfer.settings.umask & 0o777);
        let lengths = [receiver.script.len(), sending.length()].map(|n| n.to_string());
        let [script_length, list_length] = &lengths;
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
        self.locked(BEGIN, &args, receiver.script.as_bytes(), Some(&sending)).await.map(drop)
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
        self.locked(REMOVE, &[&self.order.lock, &self.order.dest], &stdin, None).await.map(drop)
    }

    /// Sends what is not there yet and tells how far it is, what is there included.
    async fn send_all(&self, send: &[&str], lines: &[Line], total: Far) -> Result<(), Fault> {
        let mut there = total;
        let wanted: HashSet<&str> = send.iter().copied().collect();
        for line in lines {
            if let Kind::File { size, .. } = line.kind
                && wanted.contains(line.path.as_str())
            {
                there.bytes = there.bytes.saturating_sub(size);
                there.files = there.files.saturating_sub(1);
            }
        }
        drop(wanted);
        self.tell(there);
        self.send(send, |far| {
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
        tree: &Arc<Tree>,
        hashes: &Hashes,
        sent: &Sent<'_>,
    ) -> Result<(), Fault> {
        // What is there as it was meant is ticked off as it is read, and not kept.
        let mut as_meant = vec![false; tree.lines.len()];
        let dest = &self.order.dest;
        let answer = self.transfer.work_dir.must(LOOK, &[dest, ""], &[], LOOK_MAX).await?;
        let there = Looked::parse_some(&answer, dest, "", &mut |path, found| {
            let Some(place) = tree.place(path) else { return true };
            let same = matches!(found, Found::As(kind) if tree.lines[place].kind.matches(kind));
            as_meant[place] = same;
            !same
        })?;
        drop(answer);
        self.claim(&there, tree, sent).await?;
        self.still_there(tree).await?;
        for (line, as_meant) in tree.lines.iter().zip(as_meant) {
            if !as_meant && !is_marker(self.order, line) {
                return Err(self.differs(&line.path));
            }
        }
        if self.order.verify == Verify::Checksum {
            self.compare(tree, hashes).await?;
        }
        self.remove(&left_overs(&there)).await
    }

    /// Whether the source has not moved since it was walked.
    async fn still_there(&self, tree: &Arc<Tree>) -> Result<(), Fault> {
        let (order, tree, ended) = (self.order.clone(), Arc::clone(tree), self.ended.clone());
        let same = blocking(move || tree.is_still_there(&order, &ended)).await;
        same.map_err(|fault| match fault.class {
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
    }

    /// Adds to the list what rsync made of files that were cut short or changed while it
    /// read them: they are ours to replace, although they are not what was meant.
    async fn claim(&self, there: &Looked, tree: &Tree, sent: &Sent<'_>) -> Result<(), Fault> {
        let odd = sent.paths.iter().filter_map(|&path| match there.at(path)? {
            Found::As(kind) if tree.lines[tree.place(path)?].kind.matches(kind) => None,
            Found::As(kind) => {
                let (path, kind) = (path.to_owned(), kind.clone());
                Some(Line { path, kind, shipped: false, blake3: None })
            }
            Found::Odd => None,
        });
        let odd: Vec<Line> = odd.collect();
        if odd.is_empty() {
            return Ok(());
        }
        let list = listed::unite(sent.past, &tree.lines);
        self.begin(&listed::unite(list, &odd)).await
    }

    /// Compares all content, and sends once more what is not the same.
    async fn compare(&self, tree: &Tree, hashes: &Hashes) -> Result<(), Fault> {
        let lines = tree.lines.iter().enumerate();
        let mut paths: Vec<&str> =
            lines.filter_map(|(at, line)| hashes.blake3(at).map(|_| line.path.as_str())).collect();
        for again in [true, false] {
            let there = self.sums(&paths, tree).await?;
            let here = |path: &str| hashes.sha256(tree.place(path)?);
            let other = paths.iter().zip(there).filter(|&(&path, there)| here(path) != there);
            paths = other.map(|(&path, _)| path).collect();
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

    async fn sums(&self, paths: &[&str], tree: &Tree) -> Result<Vec<Option<[u8; 32]>>, Fault> {
        let bytes = tree.lines.iter().map(|line| match line.kind {
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

    async fn done(&self, lines: &[Line], hashes: &Hashes) -> Result<(), Fault> {
        let sending = Sending::new(lines.len(), |at, text| shipped_line(text, lines, hashes, at));
        let sending = sending.map_err(unwritten)?;
        let (order, length) = (self.order, sending.length().to_string());
        let args = [&order.lock, &order.dest, &order.manifest, &length, INCOMING];
        self.locked(DONE, &args, &[], Some(&sending)).await.map(drop)
    }

    /// The answer where all of it is there.
    fn shipped(&self, tree: &Tree, hashes: &Hashes) -> Shipped {
        let total = total(self.order, &tree.lines);
        self.tell(total);
        let digest = Some(tree.digest(self.order, hashes));
        Shipped { files: total.files, bytes: ByteCount(total.bytes), digest }
    }

    /// Runs a script that takes the lock.
    async fn locked(
        &self,
        script: Script,
        args: &[&str],
        stdin: &[u8],
        more: Option<&dyn Feed>,
    ) -> Result<Vec<u8>, Fault> {
        let work_dir = &self.transfer.work_dir;
        match work_dir.ask_fed(script, args, stdin, more, 1024).await? {
            Ran::Ended(answer) if answer.code == Some(0) => Ok(answer.stdout),
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

/// Adds what is said of one entry once it is there.
fn shipped_line(
    text: &mut Vec<u8>,
    lines: &[Line],
    hashes: &Hashes,
    at: usize,
) -> Result<(), serde_json::Error> {
    let hex = hashes.blake3(at).map(|hash| hash.to_hex());
    let blake3 = hex.as_ref().map(|hex| hex.as_str());
    listed::write(text, &Written { shipped: true, blake3, ..Written::from(&lines[at]) })
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

fn unwritten(error: serde_json::Error) -> Fault {
    fatal(format_args!("the list of the case: {error}"))
}
