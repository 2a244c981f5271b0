//! Owns a real pueued for one test: its own folder, configuration and socket, in the
//! foreground as our child. What it started is ended with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait::{LIMIT, holds, until};

/// Where `make servers` puts the programs.
pub(crate) const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin");

pub(crate) struct Pueued {
    dir: TempDir,
    /// As whom it runs, where that is not we.
    user: Option<(u32, u32)>,
    /// Its socket is where XDG_RUNTIME_DIR says, and not where its configuration does.
    by_runtime_dir: bool,
    child: Option<Child>,
}

/// How a client ended and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    #[allow(dead_code, reason = "it is shown when a test fails")]
    pub(crate) err: String,
}

impl Pueued {
    /// One that listens, with the group `default` of ten places.
    pub(crate) fn start() -> Self {
        Self::make(None, false)
    }

    /// The same as the user of this name, where we may be anybody.
    pub(crate) fn start_as(name: &str) -> Self {
        Self::make(Some(ids(name)), false)
    }

    /// The same with its socket in XDG_RUNTIME_DIR.
    pub(crate) fn start_in_runtime_dir() -> Self {
        Self::make(None, true)
    }

    /// The same as the user of this name.
    pub(crate) fn start_in_runtime_dir_as(name: &str) -> Self {
        Self::make(Some(ids(name)), true)
    }

    fn make(user: Option<(u32, u32)>, by_runtime_dir: bool) -> Self {
        // A socket's path is short.
        let dir = tempfile::Builder::new().prefix("pq-").tempdir_in("/tmp").unwrap();
        let mut pueued = Self { dir, user, by_runtime_dir, child: None };
        for folder in ["data", "run"] {
            fs::create_dir(pueued.path(folder)).unwrap();
        }
        fs::write(pueued.config(), pueued.configuration()).unwrap();
        for path in ["", "data", "run", "pueue.yml"] {
            if let Some((uid, gid)) = pueued.user {
                chown(pueued.path(path), Some(uid), Some(gid)).unwrap();
            }
        }
        pueued.start_again();
        pueued.must(&["parallel", "10"]);
        pueued
    }

    fn configuration(&self) -> String {
        let at = |below: &str| self.path(below).display().to_string();
        let mut text = format!("shared:\n  pueue_directory: {}\n", at("data"));
        if !self.by_runtime_dir {
            let (run, socket) = (at("run"), at("run/socket"));
            text.push_str(&format!("  runtime_directory: {run}\n  unix_socket_path: {socket}\n"));
        }
        text + "  use_unix_socket: true\nclient: {}\ndaemon: {}\n"
    }

    /// A file or folder of its own.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("pueue.yml")
    }

    /// What a headnode needs in its `env` to talk to it.
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let at = |path: PathBuf| path.display().to_string();
        let mut env = BTreeMap::from([("PUEUE_CONFIG_PATH".to_owned(), at(self.config()))]);
        if self.by_runtime_dir {
            env.insert("XDG_RUNTIME_DIR".to_owned(), at(self.path("run")));
        }
        env
    }

    /// A program with its configuration and a clean environment otherwise.
    #[allow(clippy::disallowed_methods, reason = "the real program is what is tested with")]
    pub(crate) fn command(&self, program: &str) -> Command {
        let program = Path::new(PROGRAMS).join(program);
        assert!(program.is_file(), "{} is missing: run `make servers`", program.display());
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.dir.path()).env("LANG", "C.UTF-8");
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").envs(self.env());
        command.current_dir("/").stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a client.
    pub(crate) fn cli(&self, args: &[&str]) -> Said {
        let output = self.command("pueue").args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a client that has to succeed, and gives what it printed.
    pub(crate) fn must(&self, args: &[&str]) -> String {
        let said = self.cli(args);
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        said.out
    }

    /// Adds an entry by hand and gives its id.
    pub(crate) fn add(&self, label: &str, command: &str) -> String {
        let label = format!("--label={label}");
        self.must(&["add", "--print-task-id", &label, "--", command]).trim().to_owned()
    }

    pub(crate) fn list(&self) -> Value {
        serde_json::from_str(&self.must(&["status", "--json"])).unwrap()
    }

    /// Ids and entries of a label.
    pub(crate) fn labelled(&self, label: &str) -> Vec<(String, Value)> {
        let list = self.list();
        let tasks = list["tasks"].as_object().unwrap().iter();
        let tasks = tasks.filter(|(_, task)| task["label"] == label);
        tasks.map(|(id, task)| (id.clone(), task.clone())).collect()
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Ends the daemon as a crash does; its jobs go on.
    pub(crate) fn kill_9(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Starts it where it does not run, with the state that is there.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let _ = fs::set_permissions(self.path("log"), fs::Permissions::from_mode(0o666));
        let mut command = self.command("pueued");
        command.arg("-c").arg(self.config());
        command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        self.child = Some(command.spawn().unwrap());
        until("pueued answers", LIMIT, || self.cli(&["status", "--json"]).code == Some(0));
    }

    /// Empties its state file while it does not run.
    pub(crate) fn empty_state(&self) {
        fs::write(self.path("data/state.json"), "").unwrap();
    }

    /// `pueue reset --force`, and all is gone.
    pub(crate) fn reset(&self) {
        self.must(&["reset", "--force"]);
        until("the list is empty", LIMIT, || self.list()["tasks"] == serde_json::json!({}));
    }

    /// Ends everything that carries its configuration in the environment, as its tasks do,
    /// and says whether there was anything.
    fn leave_nothing(&self) -> bool {
        let mark = format!("PUEUE_CONFIG_PATH={}", self.config().display());
        let mut left = false;
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
            let ours = environ.split(|&b| b == 0).any(|variable| variable == mark.as_bytes());
            if let Some(pid) = pid.filter(|_| ours) {
                left = true;
                // It may have ended by itself.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        left
    }
}

fn ids(name: &str) -> (u32, u32) {
    let user = User::from_name(name).ok().flatten();
    let user = user.unwrap_or_else(|| panic!("no user {name}: run `make servers`"));
    (user.uid.as_raw(), user.gid.as_raw())
}

impl Drop for Pueued {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        holds(LIMIT, || !self.leave_nothing());
    }
}
