//! Owns a world for the whole program: a folder with a configuration, an intake and a
//! work_dir, and the daemon as its users start it. What runs there is ended with it.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufReader;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use daylily_lifecycle::case::{Case, StateName};
use daylily_lifecycle::ids::{Actor, AttemptId, CaseName, IntakeName};
use daylily_lifecycle::policy::SlotState;
use daylily_watch::store::read::Reader;
use daylily_watch::store::requests::{self, NewRequest};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::ground::Ground;
use super::runs::{Run, runs};
use super::setup::Setup;
use crate::wait::{self, LIMIT};

/// What the program takes before the name of the configuration.
const CONFIG_FLAG: Option<&str> = Some("--config");

pub(crate) const INTAKE: &str = "new_cases";

/// How the headnode is called.
pub(crate) const HEADNODE: &str = "hpc";

/// Worlds run beside each other, except for those that measure. A test has one at a
/// time: a second one would wait for those that wait for the first.
static MACHINE: RwLock<()> = RwLock::new(());

enum Turn {
    #[allow(dead_code, reason = "it is held, not read")]
    Shared(RwLockReadGuard<'static, ()>),
    #[allow(dead_code, reason = "it is held, not read")]
    Alone(RwLockWriteGuard<'static, ()>),
}

pub(crate) struct World {
    /// Servers end before their folders go.
    pub(crate) ground: Ground,
    dir: TempDir,
    /// As whom the daemon runs.
    uid: Option<u32>,
    daemon: Option<Child>,
    _turn: Turn,
}

impl World {
    /// A world in which nothing runs yet.
    pub(crate) fn new(setup: Setup) -> Self {
        let turn = Turn::Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner));
        Self::make(setup, turn)
    }

    /// The same while no other world is there: for a test that measures.
    pub(crate) fn alone(setup: Setup) -> Self {
        let turn = Turn::Alone(MACHINE.write().unwrap_or_else(PoisonError::into_inner));
        Self::make(setup, turn)
    }

    fn make(setup: Setup, turn: Turn) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ground = Ground::lay(&setup, dir.path());
        let yaml = setup.yaml(dir.path(), &ground.lines(&setup, dir.path()));
        let config = dir.path().join("config.yaml");
        fs::write(&config, yaml).unwrap();
        if setup.site.has_pueue() && !setup.no_groups {
            let settings = daylily_watch::config::load(&config).unwrap();
            for group in &settings.headnodes[0].groups {
                ground.group(group.name.as_str(), group.slots.len());
            }
        }
        Self { ground, dir, uid: setup.uid, daemon: None, _turn: turn }
    }

    /// A world in which the daemon runs.
    pub(crate) fn started(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        world.start();
        world
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(crate) fn intake(&self) -> PathBuf {
        self.path(INTAKE)
    }

    /// Starts the daemon and returns when it goes round.
    pub(crate) fn start(&mut self) {
        self.spawn();
        let pid = self.pid();
        self.until("the daemon goes round", |world| {
            world.is_going()
                && daylily_watch::reconcile::read_alive(&world.path("state"))
                    .is_some_and(|alive| i32::try_from(alive.pid) == Ok(pid))
        });
    }

    /// Another daemon in this world, with a configuration of its own.
    pub(crate) fn daemon_of(&self, config: &str) -> Second {
        let log = fs::File::create(self.path("second.log")).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the program under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_daylily-watch"));
        command.args(CONFIG_FLAG).arg(self.path(config)).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.surround(&mut command);
        Second(command.process_group(0).spawn().unwrap())
    }

    /// As whom a program of this world runs, and what it finds around it.
    fn surround(&self, command: &mut Command) {
        command.env_remove("XDG_RUNTIME_DIR");
        if self.ground.site().is_far() {
            command.env("XDG_RUNTIME_DIR", self.path("run"));
        }
        if let Ok(near) = fs::canonicalize(self.path("near")) {
            command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", near.display()));
        }
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
    }

    /// Starts the daemon.
    pub(crate) fn spawn(&mut self) {
        assert!(self.daemon.is_none(), "it runs already");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("daemon.log"));
        #[allow(clippy::disallowed_methods, reason = "the program under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_daylily-watch"));
        command.args(CONFIG_FLAG).arg(self.path("config.yaml")).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.unwrap());
        self.surround(&mut command);
        // No signal to the tests' own group reaches it.
        self.daemon = Some(command.process_group(0).spawn().unwrap());
    }

    pub(crate) fn is_started(&self) -> bool {
        self.daemon.is_some()
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.daemon.as_ref().unwrap().id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// `kill -9`, wherever it is.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Asks the daemon to end, and returns how.
    pub(crate) fn terminate(&mut self, limit: Duration) -> std::process::ExitStatus {
        self.signal(Signal::SIGTERM);
        let mut daemon = self.daemon.take().unwrap();
        let mut status = None;
        let ended = wait::holds(limit, || {
            status = daemon.try_wait().unwrap();
            status.is_some()
        });
        if !ended {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
            self.fail(&format!("it did not end within {limit:?}"));
        }
        status.unwrap()
    }

    /// The daemon, for a test that starts another one beside it.
    pub(crate) fn daemon_taken(&mut self) -> Child {
        self.daemon.take().unwrap()
    }

    pub(crate) fn daemon_given(&mut self, daemon: Child) {
        assert!(self.daemon.replace(daemon).is_none(), "one runs already");
    }

    /// Waits until the daemon has ended by itself.
    pub(crate) fn ended(&mut self) -> std::process::ExitStatus {
        let mut daemon = self.daemon_taken();
        let mut status = None;
        wait::until("the daemon ends by itself", LIMIT, || {
            status = daemon.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// How the daemon ended, where it did so by itself.
    pub(crate) fn has_ended(&mut self) -> Option<std::process::ExitStatus> {
        let status = self.daemon.as_mut()?.try_wait().unwrap()?;
        self.daemon = None;
        Some(status)
    }

    fn is_going(&self) -> bool {
        let pid = self.pid();
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z') && !rest.is_empty())
    }

    /// Waits for a condition. When it does not come, says what the world is like.
    pub(crate) fn until(&self, what: &str, condition: impl FnMut(&Self) -> bool) {
        self.until_within(what, LIMIT, condition);
    }

    pub(crate) fn until_within(
        &self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> bool,
    ) {
        if !wait::holds(limit, || condition(self)) {
            self.fail(&format!("waited {limit:?} in vain: {what}"));
        }
    }

    pub(crate) fn until_state(&self, name: &str, state: StateName) {
        self.until(&format!("{name} is {state}"), |world| world.state(name) == Some(state));
    }

    /// Waits until its command has begun, which is a moment after it is told to run: what is
    /// killed earlier executes nothing.
    pub(crate) fn until_running(&self, name: &str) {
        self.until(&format!("{name} runs"), |world| {
            let case = world.case(name).filter(|case| case.state.name() == StateName::Running);
            let attempt = case.as_ref().and_then(|case| case.attempt());
            attempt.is_some_and(|attempt| {
                world.runs().iter().any(|run| run.attempt == attempt.id.as_str())
            })
        });
    }

    pub(crate) fn until_succeeded(&self, names: &[&str]) {
        for name in names {
            self.until_state(name, StateName::Succeeded);
        }
    }

    /// Ends the test with all that can be told.
    pub(crate) fn fail(&self, what: &str) -> ! {
        let mut told = format!("{what}\n");
        if let Ok(reader) = Reader::open(&self.path("state"), env!("CARGO_PKG_VERSION")) {
            for row in reader.board(20).unwrap_or_default().into_iter().take(40) {
                told.push_str(&format!("  {} {}: {}\n", row.name, row.state, row.because));
            }
        }
        let log = fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(60)..] {
            told.push_str(line);
            told.push('\n');
        }
        panic!("{told}");
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.path("state"), env!("CARGO_PKG_VERSION")).unwrap()
    }

    /// The latest arrival of a name.
    pub(crate) fn case(&self, name: &str) -> Option<Case> {
        self.reader().find(&IntakeName::new(INTAKE), &CaseName::new(name)).unwrap()
    }

    pub(crate) fn state(&self, name: &str) -> Option<StateName> {
        self.case(name).map(|case| case.state.name())
    }

    /// Waits for a sentence: it is stored a moment after the state it explains.
    pub(crate) fn until_because(&self, name: &str, words: &str) {
        self.until(&format!("{name} says {words:?}"), |world| world.because(name).contains(words));
    }

    pub(crate) fn because(&self, name: &str) -> String {
        let Some(case) = self.case(name) else { return String::new() };
        self.reader().board_row(&case.id).unwrap().map_or(String::new(), |row| row.because)
    }

    pub(crate) fn all_cases(&self) -> Vec<Case> {
        let reader = self.reader();
        let rows = reader.board(100_000).unwrap();
        rows.iter().filter_map(|row| reader.case(&row.case).unwrap()).collect()
    }

    /// The folder on the headnode.
    pub(crate) fn copy_of(&self, name: &str) -> PathBuf {
        self.path("work").join(INTAKE).join(name)
    }

    pub(crate) fn results_of(&self, name: &str) -> PathBuf {
        self.path("results").join(INTAKE).join(name)
    }

    /// Files a request as another process does, and returns what became of it.
    pub(crate) fn ask(&self, verb: &str, name: &str) -> String {
        let case = self.case(name).unwrap_or_else(|| self.fail(&format!("{name} is no case")));
        self.ask_with(verb, case.id.as_str(), serde_json::Map::new())
    }

    pub(crate) fn ask_with(
        &self,
        verb: &str,
        target: &str,
        args: serde_json::Map<String, serde_json::Value>,
    ) -> String {
        let id = self.file(verb, target, args);
        let mut outcome = None;
        self.until(&format!("{verb} {target} is answered"), |world| {
            outcome = world.reader().request(id).unwrap().and_then(|request| request.done);
            outcome.is_some()
        });
        outcome.unwrap().outcome
    }

    pub(crate) fn file(
        &self,
        verb: &str,
        target: &str,
        args: serde_json::Map<String, serde_json::Value>,
    ) -> requests::RequestId {
        let request = NewRequest {
            at: now(),
            actor: Actor::new("anna"),
            verb: verb.to_owned(),
            target: target.to_owned(),
            args,
            reason: Some("for a test".to_owned()),
        };
        requests::file(&self.path("state"), env!("CARGO_PKG_VERSION"), &request).unwrap()
    }

    /// Runs a verb as a person does.
    pub(crate) fn verb(&self, args: &[&str]) -> Said {
        self.verb_with("config.yaml", args)
    }

    /// The same with another configuration of this world.
    pub(crate) fn verb_with(&self, config: &str, args: &[&str]) -> Said {
        #[allow(clippy::disallowed_methods, reason = "the program under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_daylily-watch"));
        command.args(args).args(CONFIG_FLAG).arg(self.path(config)).current_dir(self.dir.path());
        command.stdin(Stdio::null());
        self.surround(&mut command);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Begins a verb that goes on, and returns it with what it prints.
    pub(crate) fn verb_begun(&self, args: &[&str]) -> (Child, BufReader<ChildStdout>) {
        #[allow(clippy::disallowed_methods, reason = "the program under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_daylily-watch"));
        command.args(args).args(CONFIG_FLAG).arg(self.path("config.yaml"));
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        self.surround(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        (child, out)
    }

    /// What the jobs wrote of themselves.
    pub(crate) fn runs(&self) -> Vec<Run> {
        runs(&self.path("elsewhere/runs"))
    }

    pub(crate) fn runs_of(&self, name: &str) -> Vec<Run> {
        self.runs().into_iter().filter(|run| run.case == name).collect()
    }

    /// Ends all processes of a job, job.sh too, without a word.
    pub(crate) fn wipe_out(&self, name: &str) {
        let attempt = self.attempt(name);
        self.until("nothing of it lives", |_| {
            let living = processes_of(&attempt);
            for pid in &living {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            living.is_empty()
        });
        let dir = self.case(name).unwrap().attempt().unwrap().place.attempt_dir.clone();
        assert!(!Path::new(&dir).join("exit.json").is_file(), "it left a record");
    }

    /// Lets every job that waits for it go on.
    pub(crate) fn let_go(&self) {
        fs::write(self.path("elsewhere/go"), "").unwrap();
    }

    /// The laws that hold at every moment: the journal tells what is stored, no attempt
    /// was executed twice, every taken slot is an unfinished attempt's.
    pub(crate) fn is_lawful(&self) {
        let reader = self.reader();
        for case in self.all_cases() {
            // The daemon goes on: what it changed in between is read again.
            let agrees = wait::holds(Duration::from_secs(5), || {
                let (journal, stored) = (reader.replay(&case.id), reader.case(&case.id));
                journal.unwrap() == stored.unwrap()
            });
            if !agrees {
                let (journal, stored) = (reader.replay(&case.id), reader.case(&case.id));
                self.fail(&format!("the journal says\n{journal:#?}\nstored is\n{stored:#?}"));
            }
        }
        let runs = self.runs();
        let attempts: BTreeSet<&str> = runs.iter().map(|run| run.attempt.as_str()).collect();
        assert_eq!(attempts.len(), runs.len(), "an attempt was executed twice: {runs:#?}");
        for slot in reader.slots().unwrap() {
            match (&slot.holder, slot.view.state) {
                (None, SlotState::Free) => {}
                (Some(holder), SlotState::Reserved | SlotState::Quarantined) => {
                    let case = reader.case(&holder.case).unwrap().unwrap();
                    let state = case.state.name();
                    assert!(!state.is_terminal(), "{} is {state} with a slot", case.name);
                }
                (holder, state) => panic!("a slot is {state:?} with {holder:?}"),
            }
        }
    }

    pub(crate) fn all_slots_are_free(&self) -> bool {
        self.reader().slots().unwrap().iter().all(|slot| slot.view.state == SlotState::Free)
    }

    /// Ends a test in which all was brought to its end.
    pub(crate) fn is_settled(&self) {
        self.until("all slots are free", Self::all_slots_are_free);
        self.is_lawful();
    }

    /// Waits until the intake has been looked at twice more.
    pub(crate) fn is_looked_at(&self) {
        let looked_at = |world: &Self| world.reader().intakes().unwrap()[0].scanned_at;
        for _ in 0..2 {
            let before = looked_at(self);
            self.until("the intake is looked at again", |world| looked_at(world) > before);
        }
    }

    /// The same where a look is rare: a hint brings it.
    pub(crate) fn is_looked_at_again(&self) {
        let looked_at = |world: &Self| world.reader().intakes().unwrap()[0].scanned_at;
        let before = looked_at(self);
        fs::create_dir(self.intake().join(".a look")).unwrap();
        fs::write(self.intake().join("stray file"), "").unwrap();
        self.until("the intake is looked at again", |world| looked_at(world) > before);
        fs::remove_file(self.intake().join("stray file")).unwrap();
    }

    pub(crate) fn attempt(&self, name: &str) -> AttemptId {
        self.case(name).unwrap().attempt().unwrap().id.clone()
    }

    /// Every attempt that has a directory.
    pub(crate) fn attempts(&self) -> Vec<String> {
        let Ok(dirs) = fs::read_dir(self.path("work/.daylily-watch")) else { return Vec::new() };
        let names = dirs.flatten().map(|dir| dir.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("dw-")).collect()
    }
}

/// A daemon beside that of the world; it ends with this.
pub(crate) struct Second(Child);

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a verb came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let mine: BTreeSet<String> = self.attempts().into_iter().collect();
        for (pid, _) in processes().into_iter().filter(|(_, attempt)| mine.contains(attempt)) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Every process that carries an attempt's id, with it.
pub(crate) fn processes() -> Vec<(i32, String)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let attempt = environ.split(|byte| *byte == 0).find_map(|variable| {
            variable.strip_prefix(b"DAYLILY_ATTEMPT=").map(|id| String::from_utf8_lossy(id))
        })?;
        Some((pid, attempt.into_owned()))
    })
    .collect()
}

pub(crate) fn processes_of(attempt: &AttemptId) -> Vec<i32> {
    let of_it = processes().into_iter().filter(|(_, id)| id == attempt.as_str());
    of_it.map(|(pid, _)| pid).collect()
}

pub(crate) fn now() -> jiff::Timestamp {
    #[allow(clippy::disallowed_methods, reason = "a test outside of the program")]
    jiff::Timestamp::now()
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
