//! Owns reading what a job prints on a headnode behind ssh: over the daemon's connection,
//! which is left open, or over one of its own, which is closed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use daylily_lifecycle::attempt::Attempt;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::adapters::host::output::{Begin, Output, output};
use crate::adapters::host::shell::Shell as _;
use crate::adapters::host::ssh::shell::SshShell;
use crate::cli::connection::{Whose, connection};
use crate::cli::output_file::{keep_what_may_be_printed, keep_whole_lines, last_lines};
use crate::cli::run;
use crate::config::HeadnodeSettings;
use crate::store::read::Reader;

/// What a hundred lines mostly fit into.
const LITTLE: usize = 64 << 10;
/// More than a person reads, and not much for a line.
const MOST: usize = 4 << 20;
/// Read at once when following.
const CHUNK: usize = 256 << 10;
/// Between two looks: each is a session on the headnode.
const EVERY: Duration = Duration::from_secs(1);

/// The output of one attempt.
pub(super) struct Far<'a> {
    headnode: &'a HeadnodeSettings,
    host: &'a str,
    reader: &'a Reader,
    dir: String,
    runtime: Runtime,
    stop: Stop,
    line: Option<(SshShell, Whose)>,
    /// Everything before was printed.
    at: u64,
}

pub(super) enum Seen {
    Text {
        /// Empty: nothing has come.
        text: String,
        /// More of it is there already.
        more: bool,
    },
    NoFile,
    NoFolder,
    /// A person wants no more of it.
    Stopped,
}

impl<'a> Far<'a> {
    pub(super) fn new(
        headnode: &'a HeadnodeSettings,
        host: &'a str,
        reader: &'a Reader,
        attempt: &Attempt,
    ) -> anyhow::Result<Self> {
        let runtime = run::runtime()?;
        let stop = runtime.block_on(async { Stop::new() }).context("listen for signals")?;
        let dir = attempt.place.attempt_dir.clone();
        Ok(Self { headnode, host, reader, dir, runtime, stop, line: None, at: 0 })
    }

    /// On the headnode.
    pub(super) fn path(&self) -> PathBuf {
        Path::new(&self.dir).join("output.log")
    }

    /// The last lines, of at most the last 4 MiB. What follows goes on behind them; then a
    /// line that is still being written is left for later.
    pub(super) fn end(&mut self, lines: usize, to_follow: bool) -> Result<Seen, Fault> {
        let mut most = LITTLE;
        loop {
            let (from, mut bytes) = match self.ask(Begin::End, most)? {
                Asked::Part(from, bytes) => (from, bytes),
                Asked::Else(seen) => return Ok(seen),
            };
            // One more newline than lines: the first line may have been cut.
            let newlines = bytes.iter().filter(|byte| **byte == b'\n').count();
            if from > 0 && newlines <= lines.saturating_add(1) && most < MOST {
                most = MOST;
                continue;
            }
            if to_follow {
                keep_whole_lines(&mut bytes);
            }
            self.at = from + bytes.len() as u64;
            let text = last_lines(bytes, from > 0, lines);
            return Ok(Seen::Text { text, more: false });
        }
    }

    /// What has come since, up to the last whole line, or all of it where no more comes.
    pub(super) fn whole_lines(&mut self, no_more_comes: bool) -> Result<Seen, Fault> {
        let (from, mut bytes) = match self.ask(Begin::At(self.at), CHUNK)? {
            Asked::Part(from, bytes) => (from, bytes),
            Asked::Else(seen) => return Ok(seen),
        };
        let full = bytes.len() == CHUNK;
        keep_what_may_be_printed(&mut bytes, no_more_comes || full);
        self.at = from + bytes.len() as u64;
        // The last line may have no end.
        let more = full || (no_more_comes && !bytes.is_empty());
        Ok(Seen::Text { text: String::from_utf8_lossy(&bytes).into_owned(), more })
    }

    /// Until the next look. Break: a person wants no more of it.
    pub(super) fn pause(&mut self) -> ControlFlow<()> {
        let Self { runtime, stop, .. } = self;
        runtime.block_on(async {
            tokio::time::timeout(EVERY, stop.asked())
                .await
                .map_or(ControlFlow::Continue(()), ControlFlow::Break)
        })
    }

    /// Closes what was opened for this.
    pub(super) fn leave(self) {
        if let Some((shell, Whose::Ours)) = &self.line {
            self.runtime.block_on(shell.close());
        }
        self.runtime.shutdown_background();
    }

    pub(super) fn trouble(&self, fault: &Fault) -> String {
        let name = &self.headnode.name;
        let text = match fault.class {
            FaultClass::TransientStep => format!("{name}: {}", fault.text),
            FaultClass::TransientHost
            | FaultClass::NoSpace
            | FaultClass::Throttled
            | FaultClass::Ambiguous
            | FaultClass::FatalHost
            | FaultClass::FatalCase
            | FaultClass::NeedsPerson => format!("{name} cannot be reached: {}", fault.text),
        };
        if text.contains("\nhint: ") {
            return text;
        }
        format!("{text}\nhint: see what is wrong with it: daylily-watch check")
    }

    /// The attempt's directory is not where it was.
    pub(super) fn missing(&self) -> String {
        let (name, dir) = (&self.headnode.name, &self.dir);
        format!("{dir} is not there on {name}\nhint: see whether work_dir is mounted there")
    }

    fn ask(&mut self, begin: Begin, most: usize) -> Result<Asked, Fault> {
        let Self { headnode, host, reader, dir, runtime, stop, line, .. } = self;
        let read = runtime.block_on(async {
            // The daemon may have ended since, and its connection with it.
            if let Some((shell, Whose::Daemons)) = &*line
                && !shell.masters().is_there().await
            {
                *line = None;
            }
            if line.is_none() {
                *line = Some(connection(headnode, host, Some(reader), "log").await);
            }
            let (shell, _) = line.as_ref().expect("it was just set where it was not");
            tokio::select! {
                () = stop.asked() => None,
                read = output(shell, dir, begin, most) => Some(read),
            }
        });
        Ok(match read.transpose()? {
            None => Asked::Else(Seen::Stopped),
            Some(Output::Part { from, bytes }) => Asked::Part(from, bytes),
            Some(Output::NoFile) => Asked::Else(Seen::NoFile),
            Some(Output::NoFolder) => Asked::Else(Seen::NoFolder),
        })
    }
}

enum Asked {
    /// Where it begins, and what is there.
    Part(u64, Vec<u8>),
    Else(Seen),
}

/// The signals by which a person ends a verb: a connection of our own would outlive it.
struct Stop([Signal; 3]);

impl Stop {
    fn new() -> std::io::Result<Self> {
        let [first, second, third] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Ok(Self([signal(first)?, signal(second)?, signal(third)?]))
    }

    async fn asked(&mut self) {
        let [first, second, third] = &mut self.0;
        tokio::select! {
            _ = first.recv() => {}
            _ = second.recv() => {}
            _ = third.recv() => {}
        }
    }
}
