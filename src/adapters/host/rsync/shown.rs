//! Owns comparing a case's folder here with what the headnode sees of it, for those who
//! copy nothing.

use daylily_lifecycle::ids::Digest;
use daylily_lifecycle::outcome::Fault;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::ship::{LOOK, LOOK_MAX};
use super::source::{self, is_marker};
use super::there::{Found, Looked};
use crate::adapters::host::ShipOrder;
use crate::adapters::host::copy::list::{Kind, Line};
use crate::adapters::host::shell::{Shell, WorkDir};

/// A case's folder as it is here.
pub(in crate::adapters::host) struct Here {
    lines: Vec<Line>,
    pub(in crate::adapters::host) files: u64,
    pub(in crate::adapters::host) bytes: u64,
    pub(in crate::adapters::host) digest: Digest,
}

/// The same as the headnode sees it.
pub(in crate::adapters::host) struct Seen(Looked);

/// Walks and reads the folder, which must be the one that was judged complete.
pub(in crate::adapters::host) async fn see(
    order: &ShipOrder,
    ended: CancellationToken,
) -> Result<Here, Fault> {
    let order = order.clone();
    blocking(move || {
        let tree = source::walk(&order, &ended)?;
        tree.is_the_one_ordered(&order)?;
        let hashes = source::hash(&order, &tree, |line| !is_marker(&order, line), false, &ended)?;
        let digest = tree.digest(&order, &hashes);
        let mut lines = tree.lines;
        lines.retain(|line| !is_marker(&order, line));
        let (mut files, mut bytes) = (0, 0);
        for line in &lines {
            if let Kind::File { size, .. } = line.kind {
                files += 1;
                bytes += size;
            }
        }
        Ok(Here { lines, files, bytes, digest })
    })
    .await
}

pub(in crate::adapters::host) async fn look_at<S: Shell>(
    work_dir: &WorkDir<S>,
    dir: &str,
) -> Result<Seen, Fault> {
    let answer = work_dir.must(LOOK, &[dir, ""], &[], LOOK_MAX).await?;
    Looked::parse(&answer, dir, "").map(Seen)
}

impl Seen {
    /// The first entry that is not seen there as it is here.
    pub(in crate::adapters::host) fn missing<'a>(&self, here: &'a Here) -> Option<&'a str> {
        let same = |line: &&Line| match self.0.at(&line.path) {
            Some(Found::As(kind)) => line.kind.matches(kind),
            Some(Found::Odd) | None => false,
        };
        here.lines.iter().find(|line| !same(line)).map(|line| line.path.as_str())
    }

    /// Files and bytes of what is here, as far as they are seen there.
    pub(in crate::adapters::host) fn of(&self, here: &Here) -> (u64, u64) {
        here.lines.iter().fold((0, 0), |(files, bytes), line| match self.0.at(&line.path) {
            Some(Found::As(Kind::File { size, .. })) => (files + 1, bytes + size),
            Some(_) | None => (files, bytes),
        })
    }
}
