//! Owns our side: the program as its users start it, over ssh, under pueue.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use daylily_lifecycle::ids::HeadnodeName;
use daylily_watch::store::read::Reader;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::servers::pueued::PROGRAMS;
use crate::stage::{GROUP, LIMIT, QUIET, Stage};
use crate::wait;

const HEADNODE: &str = "hpc";

pub(crate) struct Ours {
    child: Child,
}

impl Ours {
    /// Starts it and returns when it knows its headnode and waits for cases. `more` are
    /// lines at the top of the configuration and of its headnode.
    pub(crate) fn start(stage: &Stage, places: usize, more: (&str, &str)) -> Self {
        fs::write(stage.path("config.yaml"), configuration(stage, places, more)).unwrap();
        let log = fs::File::create(stage.path("daemon.log")).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the program that is measured")]
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_daylily-watch"));
        command.arg("--config").arg(stage.path("config.yaml")).current_dir(stage.path(""));
        command.env("XDG_RUNTIME_DIR", stage.path("run"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut ours = Self { child: command.spawn().unwrap() };
        wait::until("the headnode was asked", LIMIT, || {
            ours.is_well(stage);
            let Ok(reader) = Reader::open(&stage.path("state"), env!("CARGO_PKG_VERSION")) else {
                return false;
            };
            let headnode = reader.headnode(&HeadnodeName::new(HEADNODE)).ok().flatten();
            headnode.is_some_and(|headnode| headnode.polled_at.is_some())
        });
        ours
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the run with its log where it has ended.
    pub(crate) fn is_well(&mut self, stage: &Stage) {
        if let Some(status) = self.child.try_wait().unwrap() {
            let log = fs::read_to_string(stage.path("daemon.log")).unwrap_or_default();
            panic!("daylily-watch ended with {status}:\n{log}");
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap());
        // It takes its connections away.
        let _ = kill(pid, Signal::SIGTERM);
        let child = &mut self.child;
        if !wait::holds(Duration::from_secs(20), || child.try_wait().is_ok_and(|it| it.is_some())) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a person writes, with nothing tuned that is not in `more`.
fn configuration(stage: &Stage, places: usize, (top, headnode): (&str, &str)) -> String {
    format!(
        "state_dir: {state}
results: {{to: {results}}}
http: {{listen: null}}
{top}intakes:
  - name: new_cases
    path: {intake}
    settle: {{quiet: {QUIET}s}}
headnodes:
  - name: {HEADNODE}
    host: {host}
    ssh: {{config_file: {config}}}
    work_dir: {work}
    queue: pueue
    path: [{bin}, {PROGRAMS}]
    env: {{PUEUE_CONFIG_PATH: {pueue}}}
    groups: [{{name: {GROUP}, slots: {places}}}]
{headnode}pipelines:
  default: {{command: \"{command}\"}}
",
        state = stage.path("state").display(),
        results = stage.path("results").display(),
        intake = stage.path("intake").display(),
        host = stage.sshd.host(),
        config = stage.sshd.config_file().display(),
        work = stage.path("work").display(),
        bin = stage.path("bin").display(),
        pueue = stage.pueued.config().display(),
        command = stage.command(),
    )
}

/// Puts a script before pueue on the headnode that notes what is asked.
pub(crate) fn note_what_is_asked(stage: &Stage) {
    let (file, notes) = (stage.path("bin/pueue"), stage.path("told/asked"));
    let script =
        format!("#!/bin/sh\necho \"$1\" >>{}\nexec {PROGRAMS}/pueue \"$@\"\n", notes.display());
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// How often the list was asked for, with a note-taker before pueue.
pub(crate) fn asked_for_the_list(stage: &Stage) -> usize {
    let notes = fs::read_to_string(stage.path("told/asked")).unwrap_or_default();
    notes.lines().filter(|line| *line == "status").count()
}
