//! Owns a folder with a configuration, and the program run in it. What it started is
//! ended with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use daylily_watch::store::read::Reader;
use tempfile::TempDir;

use crate::stage::kill;
use crate::wait::{LIMIT, until};

pub(crate) struct Site {
    dir: TempDir,
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Site {
    /// An empty folder.
    pub(crate) fn bare() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// With an intake, and a configuration by which cases run `command` after 300 ms.
    pub(crate) fn new(command: &str) -> Self {
        Self::with(command, "", "")
    }

    /// The same with more keys for the intake and at the top.
    pub(crate) fn with(command: &str, intake: &str, top: &str) -> Self {
        let site = Self::bare();
        let command = serde_json::to_string(command).expect("text has a JSON form");
        site.write(
            "config.yaml",
            &format!(
                "intakes:\n  - {{name: new_cases, path: ./new_cases, \
                 settle: {{quiet: 300ms}}, {intake}}}\n\
                 headnodes:\n  - {{name: here, host: local, work_dir: ./work, path: []}}\n\
                 pipelines: {{default: {{command: {command}}}}}\n\
                 poll: {{min: 50ms, max: 200ms}}\n{top}\n"
            ),
        );
        fs::create_dir(site.at("new_cases")).expect("there is room");
        site
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("there is room");
        fs::write(path, text).expect("there is room");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    /// Every path below, with the content of regular files.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let mut tree = BTreeMap::new();
        let mut waiting = vec![self.path().to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).expect("it can be read").flatten() {
                let path = entry.path();
                let name = path.strip_prefix(self.path()).expect("it is below").to_owned();
                let name = name.to_string_lossy().into_owned();
                let kind = entry.file_type().expect("it has a kind");
                // To read the doorbell would wait for somebody to ring it.
                let content = if kind.is_file() { fs::read(&path).ok() } else { None };
                tree.insert(name, content.unwrap_or_default());
                if kind.is_dir() {
                    waiting.push(path);
                }
            }
        }
        tree
    }

    /// When the database says that it was last backed up.
    pub(crate) fn noted_backup(&self) -> Option<jiff::Timestamp> {
        let reader = Reader::open(&self.at("state"), env!("CARGO_PKG_VERSION"));
        reader.expect("it opens").about().expect("it can be read").last_backup_at
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let output = self.program(args).stdin(Stdio::null()).output().expect("the program starts");
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.replace(&*self.path().to_string_lossy(), "[dir]")
        };
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Starts the program, which goes on.
    pub(crate) fn start(&self, args: &[&str]) -> Started {
        let log = self.at("stderr");
        let err = fs::File::create(&log).expect("there is room");
        let out = fs::File::create(self.at("stdout")).expect("there is room");
        let mut program = self.program(args);
        let child = program.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        Started { child: child.expect("the program starts"), log }
    }

    /// A daemon that has begun its work.
    pub(crate) fn daemon(&self) -> Started {
        let daemon = self.start(&["--config", "config.yaml"]);
        daemon.until_it_says("started");
        until("it tells that it lives", LIMIT, || self.has("state/alive.json"));
        daemon
    }

    #[allow(clippy::disallowed_methods, reason = "the test is the person who types it")]
    fn program(&self, args: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_daylily-watch"));
        program.args(args).current_dir(self.path()).env("HOME", self.path());
        program.env("TMPDIR", self.path()).env_remove("DAYLILY_WATCH_CONFIG");
        if self.has("run") {
            program.env("XDG_RUNTIME_DIR", self.at("run"));
        }
        program
    }
}

pub(crate) struct Started {
    child: Child,
    log: PathBuf,
}

impl Started {
    pub(crate) fn until_it_says(&self, text: &str) {
        let said = || fs::read_to_string(&self.log).is_ok_and(|log| log.contains(text));
        until(&format!("it says {text:?}"), LIMIT, said);
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: &str) {
        kill(self.child.id(), signal);
    }

    pub(crate) fn until_it_ends(&mut self, limit: Duration) -> ExitStatus {
        let mut ended = None;
        until("it ends", limit, || {
            ended = self.child.try_wait().expect("it is our child");
            ended.is_some()
        });
        ended.expect("it has ended")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
