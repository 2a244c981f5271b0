//! Owns what the configuration says: reading config.yaml, telling everything that is
//! wrong with it at once, and the [`Settings`] that come of it. It creates nothing, and
//! nothing of a file with a mistake in it is ever used.
//!
//! `tree` knows YAML and no keys, `sections` knows the keys, `read` types them,
//! `check` compares them with each other, `resolve` makes the settings.

pub mod case_file;
pub mod changes;
mod check;
pub mod error;
mod fields;
pub(crate) mod keys;
mod kind;
mod places;
mod read;
mod reference;
mod resolve;
pub mod secret;
mod sections;
pub(crate) mod tree;
mod units;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use daylily_lifecycle::case::Priority;
use daylily_lifecycle::ids::{ByteCount, GroupName, HeadnodeName, IntakeName, PipelineName};
use daylily_lifecycle::policy::{Limits, OnLost, Retry, TransferHours};
use daylily_lifecycle::settle::MarkerMissing;
use jiff::{SignedDuration, tz::TimeZone};

use crate::config::changes::When;
use crate::config::error::{Complaint, ConfigErrors, Problems};
use crate::config::secret::SecretSource;

/// The configuration, checked and resolved: every path absolute, every name known.
/// A duration as people write it: `90s`, `12h`, `30d`.
pub fn duration(text: &str) -> Option<SignedDuration> {
    units::duration(text)
}

#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The file it was read from, absolute.
    pub file: PathBuf,
    pub state_dir: PathBuf,
    pub time_zone: TimeZone,
    /// At least one, in the order of the file.
    pub intakes: Vec<IntakeSettings>,
    /// At least one, in the order of the file.
    pub headnodes: Vec<HeadnodeSettings>,
    pub pipelines: BTreeMap<PipelineName, PipelineSettings>,
    /// In the order of the file: the first that matches counts.
    pub rules: Vec<RuleSettings>,
    pub results: ResultsSettings,
    pub retry: Retry,
    pub poll: PollSettings,
    pub lost_after: SignedDuration,
    pub aging: SignedDuration,
    /// None: what is on headnodes stays there.
    pub retention: Option<SignedDuration>,
    pub log: LogSettings,
    /// All that the file names, whatever they are for.
    pub secrets: Vec<SecretSource>,
    /// To be named once at start, so that nobody relies on what is not there.
    pub not_active: Vec<NotActive>,
    /// 16 hex digits; the same for files that mean the same in the same place.
    pub hash: String,
    /// What each key says, to be compared with another reading of the file.
    said: BTreeMap<String, String>,
}

impl Settings {
    /// The same with what only a restart changes as it was in `running`: the reading is
    /// of this daemon's state_dir, and its log is open.
    pub fn within(mut self, running: &Self) -> Self {
        self.state_dir.clone_from(&running.state_dir);
        self.time_zone = running.time_zone.clone();
        self.log = running.log.clone();
        for (key, value) in &running.said {
            if changes::when(key) == When::Restart {
                self.said.insert(key.clone(), value.clone());
            }
        }
        self
    }

    /// Reads every secret that the file names, so that none of them is kept or shown whoever
    /// repeats it. One that cannot be read is no mistake as long as nobody needs it.
    fn learn_secrets(&self) {
        for source in &self.secrets {
            if let Err(error) = source.read() {
                tracing::debug!(%error, "a secret is not there");
            }
        }
    }

    /// Which pipelines cases may get on a headnode, and in which group each; None: in any.
    /// What a case.yaml may ask for is not known here.
    pub fn pipelines_on(
        &self,
        headnode: &HeadnodeName,
    ) -> BTreeSet<(PipelineName, Option<GroupName>)> {
        let groups: Vec<&GroupName> = self
            .headnodes
            .iter()
            .filter(|known| known.name == *headnode)
            .flat_map(|known| known.groups.iter().map(|group| &group.name))
            .collect();
        let mut all = BTreeSet::new();
        for intake in self.intakes.iter().filter(|intake| intake.headnode == *headnode) {
            let usual = || PipelineName::new("default");
            all.insert((intake.pipeline.clone().unwrap_or_else(usual), intake.group.clone()));
            for rule in &self.rules {
                let pipeline = intake.pipeline.as_ref().or(rule.pipeline.as_ref());
                let group = rule.group.as_ref().or(intake.group.as_ref());
                if group.is_none_or(|group| groups.contains(&group)) {
                    all.insert((pipeline.cloned().unwrap_or_else(usual), group.cloned()));
                }
            }
        }
        all
    }
}

/// A key that the file sets and whose feature is not built yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotActive {
    pub key_path: String,
    pub line: usize,
    /// What is so instead, as a clause.
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeSettings {
    pub name: IntakeName,
    pub path: PathBuf,
    pub quiet: Quiet,
    pub no_writers: bool,
    pub marker: Option<String>,
    pub marker_timeout: Option<SignedDuration>,
    pub marker_missing: MarkerMissing,
    pub manifest: Manifest,
    pub unfinished: Vec<String>,
    pub ignore: Vec<String>,
    pub watch: WatchMode,
    pub rescan: Duration,
    /// Relative to `path`.
    pub mount_check: Option<String>,
    pub existing: Existing,
    /// A folder that says itself what is run is rejected.
    pub refuse_worksets: bool,
    /// Each case waits for `accept`.
    pub manual: bool,
    pub headnode: HeadnodeName,
    /// None: any group of the headnode.
    pub group: Option<GroupName>,
    /// None: by the rules.
    pub pipeline: Option<PipelineName>,
    pub priority: Priority,
    pub success_to: Option<PathBuf>,
    pub failure_to: Option<PathBuf>,
}

/// What cases get by their files. None leaves it to the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSettings {
    /// A pattern for names where it has no slash, else for paths within the case.
    pub files: String,
    pub pipeline: Option<PipelineName>,
    pub group: Option<GroupName>,
    pub priority: Option<Priority>,
}

/// Which list of checksums a case must agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// Whichever of those with a usual name is there.
    Auto,
    /// This one, which is waited for.
    Named(String),
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// By the file system of the intake.
    Auto,
    Fixed(SignedDuration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchMode {
    Auto,
    Poll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Auto,
    Process,
    Hold,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadnodeSettings {
    pub name: HeadnodeName,
    pub host: HostAddress,
    /// Absolute.
    pub work_dir: PathBuf,
    /// Absolute where the host is local; else one may begin with `~/`.
    pub path: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub umask: u32,
    pub queue: QueueKind,
    /// At least one.
    pub groups: Vec<GroupSettings>,
    pub verify: Verify,
    pub ship_ahead: u32,
    pub max_transfers: u32,
    pub ssh: SshSettings,
    pub pueue: PueueSettings,
    pub ship: Ship,
    /// A second, for all transfers to this headnode together.
    pub bandwidth: Option<ByteCount>,
    /// When cases are copied. None: always.
    pub transfer_hours: Option<TransferHours>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSettings {
    /// In place of the user's own.
    pub config_file: Option<PathBuf>,
    pub connect_timeout: Duration,
    /// The socket of a master that a person opened.
    pub control_path: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PueueSettings {
    pub command: String,
    pub create_groups: bool,
    pub unpause_after_restart: bool,
}

/// How a case gets to the headnode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ship {
    Copy,
    /// The headnode sees the same folder under another path.
    Shared {
        here: PathBuf,
        there: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostAddress {
    Local,
    /// As ssh takes it.
    Ssh(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    Direct,
    Pueue,
    Slurm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    pub name: GroupName,
    /// One entry for each slot: its GPU, if it has one.
    pub slots: Vec<Option<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    Quick,
    Checksum,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineSettings {
    pub command: String,
    /// At least one word; the script becomes the last argument.
    pub shell: Vec<String>,
    pub setup: Option<String>,
    /// What `check` runs in place of the command.
    pub probe: Option<String>,
    /// Ends what a job leaves elsewhere, after an abnormal end.
    pub stop: Option<String>,
    pub env: BTreeMap<String, String>,
    pub expect: Vec<String>,
    pub limits: Limits,
    pub on_lost: OnLost,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsSettings {
    pub fetch: Vec<String>,
    pub to: PathBuf,
    pub marker: Option<String>,
    pub group: Option<String>,
    pub dir_mode: u32,
    pub file_mode: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollSettings {
    pub min: Duration,
    pub max: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    pub format: LogFormat,
    /// None: stderr.
    pub file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Reads the file; all its mistakes at once, or the settings.
pub fn load(file: &Path) -> Result<Settings, ConfigErrors> {
    let mut problems = Problems::new(file);
    let text = match read_text(file) {
        Ok(text) => text,
        Err(complaint) => {
            problems.about_the_file(complaint);
            return Err(problems.into_errors());
        }
    };
    match places::of(file) {
        Ok((file, places)) => {
            let settings = resolve::settings(&text, &file, &places, problems)?;
            settings.learn_secrets();
            Ok(settings)
        }
        Err(complaint) => {
            problems.about_the_file(complaint);
            Err(problems.into_errors())
        }
    }
}

/// Which file is the configuration: the one named, else the first that is there of
/// `$DAYLILY_WATCH_CONFIG`, `./config.yaml`, the user's own and the machine's.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, ConfigErrors> {
    places::find(explicit)
}

/// The nearest of the names, where one is so near that it is probably meant.
pub fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    kind::nearest(text, names)
}

/// What is wrong with the name of an environment variable that a job is to have.
pub(crate) fn variable(name: &str) -> Result<(), Complaint> {
    kind::variable(name)
}

/// The text of docs/configuration.md.
pub fn reference() -> String {
    reference::page()
}

fn read_text(file: &Path) -> Result<String, Complaint> {
    let cannot = |error: std::io::Error| Complaint::new(format!("cannot be read: {error}"));
    // A pipe that nobody writes to would be waited for without end.
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(file);
    let opened = opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => cannot(error).hint(
            "name the file with --config, or write one to begin with: `daylily-watch init FILE`",
        ),
        ErrorKind::PermissionDenied => cannot(error).hint("run this as the user who may read it"),
        _ => cannot(error),
    })?;
    if !opened.metadata().map_err(cannot)?.is_file() {
        return Err(Complaint::new("cannot be read: it is no regular file")
            .hint("name a file, not a folder, a pipe or a device"));
    }
    let mut bytes = Vec::new();
    opened.take(tree::MOST_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > tree::MOST_BYTES {
        return Err(Complaint::new("larger than 1 MiB, which no configuration is"));
    }
    String::from_utf8(bytes).map_err(|error| {
        Complaint::new(format!("not UTF-8, from byte {} on", error.utf8_error().valid_up_to()))
            .hint("save it as UTF-8")
    })
}
