//! Owns shipping a small case that was never there: all that a ship does, in one question.
//! The content is read and the source looked at once more before anything is sent, so that
//! what was read is what is complete. The headnode says durably what may be written, takes
//! it in, and says that it is there only where it sees just what is meant. Where anything is
//! there already, or looks otherwise, the ship goes its usual way from there.

use std::sync::Arc;

use daylily_lifecycle::outcome::Fault;
use sha2::Digest as _;

use super::{INCOMING, Ship, listed, shipped_line, total, unwritten};
use crate::adapters::host::Verify;
use crate::adapters::host::copy::list::{Kind, Line};
use crate::adapters::host::copy::room::Need;
use crate::adapters::host::rsync::blocking;
use crate::adapters::host::rsync::listed::Written;
use crate::adapters::host::rsync::source::{self, Hashes, Tree, is_marker};
use crate::adapters::host::shell::{About, Script, Shell};

const AT_ONCE: Script = Script::short(
    About::Case,
    concat!(
        include_str!("../../scripts/owner.sh"),
        "\n",
        include_str!("../../scripts/ship_new.sh"),
        "\n",
        include_str!("../../scripts/ship_lock.sh"),
        "\n",
        include_str!("../../scripts/ship_at_once.sh")
    ),
);

/// More entries than this are not few.
const ENTRIES: usize = 500;

impl<S: Shell> Ship<'_, S> {
    /// None: it goes the usual way, by what is there.
    pub(super) async fn at_once(&self, tree: &Arc<Tree>) -> Result<Option<Hashes>, Fault> {
        if !self.is_small(&tree.lines) {
            return Ok(None);
        }
        let (hashes, archive) = blocking({
            let (order, tree, ended) = (self.order.clone(), Arc::clone(tree), self.ended.clone());
            move || source::pack(&order, &tree, &ended)
        })
        .await?;
        self.still_there(tree).await?;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (at, line) in tree.lines.iter().enumerate() {
            listed::write(&mut before, &Written::from(line)).map_err(unwritten)?;
            shipped_line(&mut after, &tree.lines, &hashes, at).map_err(unwritten)?;
        }
        let total = total(self.order, &tree.lines);
        let need = Need { bytes: total.bytes, files: total.files };
        let umask = format!("{:04o}", self.transfer.settings.umask & 0o777);
        let numbers = [need.with_spare(), need.files].map(|number| number.to_string());
        let lengths = [before.len(), after.len()].map(|length| length.to_string());
        let seen = seen(&tree.lines);
        let order = self.order;
        let args = [
            &order.lock,
            &order.dest,
            &order.manifest,
            &numbers[0],
            &numbers[1],
            &umask,
            INCOMING,
            &lengths[0],
            &lengths[1],
            &seen,
        ];
        let stdin = [before, after, archive.finish()].concat();
        // It is so little that it may not take longer than rsync may stand still.
        let script = AT_ONCE.within(self.transfer.settings.stall_after);
        let answer = self.locked(script, &args, &stdin, None).await?;
        let is_shipped = answer == b"shipped\n";
        tracing::debug!(dir = %order.dest, bytes = stdin.len(), is_shipped, "sent at once");
        Ok(is_shipped.then_some(hashes))
    }

    /// Whether nothing but its size and number matters of it.
    fn is_small(&self, lines: &[Line]) -> bool {
        let settings = &self.transfer.settings;
        let is_plain = |line: &Line| match line.kind {
            // The marker comes last, and time before 1970 is written otherwise everywhere.
            Kind::File { modified, .. } => !is_marker(self.order, line) && modified.seconds >= 0,
            Kind::Folder | Kind::Symlink { .. } => true,
        };
        settings.at_once.is_some_and(|most| total(self.order, lines).bytes <= most.0)
            && settings.bandwidth.is_none()
            && self.order.verify == Verify::Quick
            // rsync stumbles over that, and says so before a job has run.
            && !self.transfer.work_dir.shell().heard().noise_in_answers
            && lines.len() <= ENTRIES
            && lines.iter().all(is_plain)
    }
}

/// The SHA-256 of what `find` prints where all is as it is meant, sorted as `sort -z` does.
fn seen(lines: &[Line]) -> String {
    let mut parts: Vec<String> = lines.iter().map(entry).collect();
    parts.sort_unstable();
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(line: &Line) -> String {
    let path = &line.path;
    match &line.kind {
        Kind::Folder => format!("d {path}"),
        Kind::Symlink { target } => format!("l {path}\n{target}"),
        // `find` prints a digit more than there is.
        Kind::File { size, modified } => {
            format!("f {size} {}.{:09}0 {path}", modified.seconds, modified.nanoseconds)
        }
    }
}
