//! Owns one transfer and one comparison of contents, for ships and fetches alike: a place on
//! the line, the run of rsync, and what its end means.

use std::path::Path;
use std::time::Duration;

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::command::{Begin, There, Way, arguments};
use super::progress::Far;
use super::there::sums;
use super::{Lease, RsyncTransfer, fault, process};
use crate::adapters::host::shell::{About, Script, Shell};

const BEGIN: Script = Script::short(
    About::Attempt,
    concat!(
        include_str!("../scripts/owner.sh"),
        "\n",
        include_str!("../scripts/put_begin.sh"),
        "\n",
        include_str!("../scripts/move_begin.sh")
    ),
);
const SUMS: Script = Script::short(
    About::Case,
    concat!(include_str!("../scripts/owner.sh"), "\n", include_str!("../scripts/ship_sums.sh")),
);
const OWNED: Script = Script::short(
    About::Host,
    concat!(include_str!("../scripts/owner.sh"), "\n", include_str!("../scripts/owned.sh")),
);

/// How many files one script makes the sums of, so that an answer stays small.
const SUMS_AT_ONCE: usize = 20_000;

/// As slow as the slowest disk that somebody would compute on, in bytes a second.
const HASHED_A_SECOND: u64 = 10 << 20;

impl<S: Shell> RsyncTransfer<S> {
    /// What the headnode's side of transfers from or to a directory there begins with. It
    /// has to be put in its place before the first of them.
    pub(super) fn begin(
        &self,
        way: &Way<'_>,
        attempt: &AttemptId,
        dir: &str,
    ) -> Result<Begin, Fault> {
        let root = self.work_dir.root();
        let settings = &self.settings;
        let (path, umask) = (&settings.path, settings.umask);
        let ((file, lock), owner) = (way.there(), &self.owner);
        There { root: &root, attempt, file, owner, path, lock, umask, dir }.begin()
    }

    pub(super) async fn put(&self, begin: &Begin, attempt: &AttemptId) -> Result<(), Fault> {
        let length = begin.script.len().to_string();
        let args = [attempt.as_str(), begin.file, &length];
        self.work_dir.must(BEGIN, &args, begin.script.as_bytes(), 0).await?;
        Ok(())
    }

    /// Moves what is on the list, if anything is, and holds its place on the line meanwhile.
    /// `dir` is for the log.
    pub(super) async fn moved(
        &self,
        way: &Way<'_>,
        begin: &Begin,
        dir: &str,
        paths: &[&str],
        stop: &CancellationToken,
        further: impl FnMut(Far) + Send,
    ) -> Result<(), Fault> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut stdin = Vec::new();
        for path in paths {
            // What a name begins with then means nothing.
            stdin.extend_from_slice(b"./");
            stdin.extend_from_slice(path.as_bytes());
            stdin.push(0);
        }
        let settings = &self.settings;
        let lease = self.line.lease().await?;
        let remote_shell = lease.remote_shell.first().map(String::as_str).unwrap_or_default();
        let remote_shell = Path::new(remote_shell).file_name().and_then(|name| name.to_str());
        let run = process::Run {
            program: &settings.program,
            arguments: arguments(way, &lease, &begin.program, settings.bandwidth)?,
            stdin,
            remote_shell: remote_shell.unwrap_or("ssh"),
            stall_after: settings.stall_after,
        };
        let ended = match process::run(run, stop, further).await {
            Ok(ended) => ended,
            Err(fault) => {
                if !stop.is_cancelled() {
                    self.line.failed(lease).await;
                }
                return Err(fault);
            }
        };
        if ended.code == Some(0) {
            let sent = ended.sent;
            tracing::debug!(%dir, files = paths.len(), sent = sent.sent, received = sent.received,
                literal = sent.literal, matched = sent.matched, "rsync ended");
            return Ok(());
        }
        if fault::is_of_owner(&ended.stderr) {
            // It says what is wrong with it.
            self.work_dir.must(OWNED, &[], &[], 0).await?;
        }
        Err(self.fault(lease, &ended).await)
    }

    /// What an end of rsync means. A connection that did not do is given back.
    async fn fault(&self, lease: Lease, ended: &process::Ended) -> Fault {
        let fault = fault::fault(ended.code, &ended.stderr);
        // Where the line broke, rsync may end with a code of its own before ssh does.
        let broken = matches!(ended.code, Some(10 | 12 | 255));
        let said = fault::of_remote_shell(&ended.stderr);
        let of_line = match broken && fault.class != FaultClass::FatalHost {
            true => self.line.told(&said),
            false => None,
        };
        // A remote shell that ends with its connection need not say so, and rsync then only
        // tells of a broken pipe.
        let is_lost = match ended.code {
            Some(255) => true,
            _ => {
                broken && fault.class == FaultClass::TransientStep && !self.line.is_up(&lease).await
            }
        };
        let of_line = of_line.or_else(|| is_lost.then(|| self.line.lost(&lease)).flatten());
        if let Some(fault) = of_line {
            self.line.failed(lease).await;
            return fault;
        }
        if ended.code == Some(2) && fault.class == FaultClass::FatalHost {
            let noise = process::noise(&lease).await;
            return noise.map_or(fault.clone(), |noise| fault::with_noise(&fault, &noise));
        }
        fault
    }

    /// SHA-256 of files in a directory there, which hold `bytes` together at most, in the
    /// order asked. None: one cannot be read.
    pub(super) async fn sums(
        &self,
        dir: &str,
        paths: &[&str],
        bytes: u64,
    ) -> Result<Vec<Option<[u8; 32]>>, Fault> {
        let limit = Duration::from_secs(120 + bytes / HASHED_A_SECOND);
        let mut all = Vec::with_capacity(paths.len());
        for some in paths.chunks(SUMS_AT_ONCE) {
            let mut stdin = Vec::new();
            for path in some {
                stdin.extend_from_slice(path.as_bytes());
                stdin.push(0);
            }
            // Each line has a sum and the path, in which any character may be escaped.
            let keep = some.len() * 80 + 2 * stdin.len();
            let answer = self.work_dir.must(SUMS.within(limit), &[dir], &stdin, keep).await?;
            let sums = sums(&answer);
            all.extend(some.iter().map(|&path| sums.get(path).copied()));
        }
        Ok(all)
    }
}
