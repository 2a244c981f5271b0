//! Owns a headnode in memory, for tests: a [`FakeMachine`] with attempts, locks and
//! processes, and the [`FakeHost`] through which the program sees it. Its rules are
//! those of the attempt directory; the suite that holds the real ones holds it too.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::ids::{AttemptId, ByteCount, Digest, HeadnodeName};
use daylily_lifecycle::outcome::{Claim, ExitRecord, Fault, FaultClass};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::attempts::globs;
use super::attempts::removed;
use super::found::FoundAttempt;
use super::read::{self, ClaimText, Found, Machine};
use super::record::CaseRecord;
use super::shell::Owner;
use super::{
    CleanOrder, Cleaned, FetchOrder, Fetched, Host, HostLook, Job, OutputFile, Progress, ShipOrder,
    Shipped, job,
};

/// What is called, for scripting what goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Own,
    FreeSpace,
    Ship,
    Prepare,
    Read,
    TakeClaim,
    End,
    Stop,
    Outputs,
    Fetch,
    Tail,
    Bell,
    List,
    Clean,
    Words,
    Add,
    Remove,
    CreateGroups,
    StartGroups,
    Version,
}

/// What goes wrong with one call.
#[derive(Debug, Clone)]
pub enum Upset {
    /// Nothing is done.
    Refuse(Fault),
    /// It is done, and this is the answer.
    Lose(Fault),
}

/// What became of a start of `job.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    Claimed,
    /// Exit code 96: there is no `job.sh`.
    NotThere,
    /// Exit code 97.
    CaseLocked,
    /// Exit code 98.
    ClaimedBefore,
}

/// One attempt's directory and processes.
#[derive(Debug, Clone)]
pub struct FakeAttempt {
    pub job: Job,
    pub claim: ClaimText,
    pub exit: ExitRecord,
    /// `job.sh` lives and holds the locks.
    pub running: bool,
    /// Other processes that carry the id.
    pub processes: u32,
    /// SIGTERM ends nothing of it.
    pub deaf: bool,
    pub output: String,
    /// How often the command was executed.
    pub executed: u32,
    /// How often a `stop` was.
    pub stopped: u32,
    /// How often it was started while another of its case lived: exit code 97.
    pub locked_out: u32,
}

#[derive(Debug)]
pub struct FakeMachine {
    state: Mutex<State>,
    bell: Notify,
}

#[derive(Debug)]
pub struct State {
    pub now: Timestamp,
    pub here: Machine,
    pub owner: Option<Owner>,
    pub free: ByteCount,
    pub attempts: BTreeMap<AttemptId, FakeAttempt>,
    pub tombstones: BTreeMap<AttemptId, CaseRecord>,
    /// By absolute path.
    pub files: BTreeMap<String, (Vec<u8>, Timestamp)>,
    /// Destinations that were shipped to, and how often.
    pub shipped: BTreeMap<String, u32>,
    /// How often each was called, whatever came of it.
    pub calls: BTreeMap<Call, u64>,
    /// Refuses each call to it until it is taken away.
    pub away: Option<Fault>,
    /// Refuses such calls until it is taken away.
    pub refused: BTreeMap<Call, Fault>,
    /// What its scripts leave out.
    pub without: Without,
    upsets: BTreeMap<Call, VecDeque<Upset>>,
}

/// Guards that are taken away to see that a proof notices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Without {
    /// `job.sh` executes its command whoever has the claim.
    pub claim: bool,
    /// Nothing compares the owner.
    pub owner: bool,
    /// `job.sh` does not mind another attempt of its case.
    pub case_lock: bool,
}

impl FakeMachine {
    pub fn new(now: Timestamp) -> Arc<Self> {
        let state = State {
            now,
            here: Machine {
                host: "fake".to_owned(),
                machine_id: "fake-machine".to_owned(),
                boot_id: "boot-1".to_owned(),
            },
            owner: None,
            free: ByteCount(1 << 40),
            attempts: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            files: BTreeMap::new(),
            shipped: BTreeMap::new(),
            calls: BTreeMap::new(),
            away: None,
            refused: BTreeMap::new(),
            without: Without::default(),
            upsets: BTreeMap::new(),
        };
        Arc::new(Self { state: Mutex::new(state), bell: Notify::new() })
    }

    /// The whole machine, to be looked at or changed between calls.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next such call goes wrong; several are met in order.
    pub fn upset(&self, call: Call, upset: Upset) {
        self.state().upsets.entry(call).or_default().push_back(upset);
    }

    /// How often it was called so far.
    pub fn calls(&self, call: Call) -> u64 {
        self.state().calls.get(&call).copied().unwrap_or(0)
    }

    /// What `job.sh` does till its command runs.
    pub fn start(&self, attempt: &AttemptId) -> Started {
        let mut state = self.state();
        let here = state.here.clone();
        state.start(attempt, here)
    }

    /// The same on another machine that sees the same files.
    pub fn start_on(&self, attempt: &AttemptId, machine: Machine) -> Started {
        self.state().start(attempt, machine)
    }

    /// The command ends, and `job.sh` after it.
    pub fn finish(&self, attempt: &AttemptId, code: Option<i32>, signal: Option<i32>) {
        let mut state = self.state();
        let ended = state.now;
        if let Some(this) = state.attempts.get_mut(attempt).filter(|this| this.running) {
            this.exit = ExitRecord::Present { code, signal, ended };
            this.running = false;
            self.bell.notify_one();
        }
    }

    /// Everything of the attempt is gone without a word.
    pub fn vanish(&self, attempt: &AttemptId) {
        if let Some(this) = self.state().attempts.get_mut(attempt) {
            this.running = false;
            this.processes = 0;
        }
    }

    /// Nothing runs any more and the boot id is another.
    pub fn reboot(&self) {
        let mut state = self.state();
        state.here.boot_id.push('+');
        for this in state.attempts.values_mut() {
            this.running = false;
            this.processes = 0;
        }
    }

    /// Does what a call does, unless it was to go wrong.
    pub fn act<T>(
        &self,
        call: Call,
        by: Option<&Owner>,
        deed: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut state = self.state();
        *state.calls.entry(call).or_default() += 1;
        if let Some(fault) = state.away.as_ref().or_else(|| state.refused.get(&call)) {
            return Err(fault.clone());
        }
        let upset = state.upsets.get_mut(&call).and_then(VecDeque::pop_front);
        if let Some(Upset::Refuse(fault)) = upset {
            return Err(fault);
        }
        if let Some(by) = by.filter(|_| !state.without.owner) {
            compare(state.owner.as_ref(), by)?;
        }
        let done = deed(&mut state);
        match upset {
            Some(Upset::Lose(fault)) => Err(fault),
            Some(Upset::Refuse(_)) | None => done,
        }
    }
}

impl State {
    /// What `job.sh` does on `machine` till its command runs.
    pub fn start(&mut self, attempt: &AttemptId, machine: Machine) -> Started {
        let at = self.now;
        let Some(this) = self.attempts.get(attempt) else { return Started::NotThere };
        if this.claim != ClaimText::Absent && !self.without.claim {
            return Started::ClaimedBefore;
        }
        let lock = job::case_lock(&this.job);
        let held = |other: &FakeAttempt| {
            (other.running || other.processes > 0) && job::case_lock(&other.job) == lock
        };
        if self.attempts.values().any(held) && !self.without.case_lock {
            if let Some(this) = self.attempts.get_mut(attempt) {
                this.locked_out += 1;
            }
            return Started::CaseLocked;
        }
        if let Some(this) = self.attempts.get_mut(attempt) {
            this.claim = ClaimText::Job { at, machine };
            this.running = true;
            this.executed += 1;
        }
        Started::Claimed
    }
}

fn fatal(text: &str) -> Fault {
    Fault::new(FaultClass::FatalHost, text)
}

fn compare(owner: Option<&Owner>, by: &Owner) -> Result<(), Fault> {
    match owner {
        None => Err(fatal("the owner is missing\nhint: is work_dir mounted?")),
        Some(owner) if owner.database_id != by.database_id => {
            Err(fatal("work_dir belongs to another database\nhint: give it a work_dir of its own"))
        }
        Some(owner) if owner.generation > by.generation => {
            Err(fatal("work_dir was used by a later start of this database"))
        }
        Some(owner) if (owner.generation, &owner.word) != (by.generation, &by.word) => {
            Err(fatal("work_dir is used by another daemon on a copy of this database"))
        }
        Some(_) => Ok(()),
    }
}

/// The contract, over a [`FakeMachine`].
#[derive(Debug, Clone)]
pub struct FakeHost {
    name: HeadnodeName,
    machine: Arc<FakeMachine>,
    owner: Owner,
}

impl FakeHost {
    pub fn new(name: HeadnodeName, machine: Arc<FakeMachine>, owner: Owner) -> Self {
        Self { name, machine, owner }
    }

    fn act<T>(
        &self,
        call: Call,
        deed: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.machine.act(call, Some(&self.owner), deed)
    }
}

#[async_trait::async_trait]
impl Host for FakeHost {
    fn name(&self) -> &HeadnodeName {
        &self.name
    }

    async fn own(&self, owned_before: bool) -> Result<(), Fault> {
        self.machine.act(Call::Own, None, |state| {
            let earlier = |owner: &Owner| {
                owner.database_id == self.owner.database_id
                    && self.owner.earlier.get(&owner.generation) == Some(&owner.word)
            };
            let known = state.owner.as_ref().is_some_and(earlier);
            let compared = !state.without.owner;
            if !known && (state.owner.is_some() || owned_before) && compared {
                compare(state.owner.as_ref(), &self.owner)?;
            }
            state.owner = Some(self.owner.clone());
            Ok(())
        })
    }

    async fn take_over(&self) -> Result<Option<String>, Fault> {
        self.machine.act(Call::Own, None, |state| {
            Ok(state.owner.replace(self.owner.clone()).map(|former| former.text()))
        })
    }

    async fn free_space(&self) -> Result<ByteCount, Fault> {
        self.act(Call::FreeSpace, |state| Ok(state.free))
    }

    async fn ship(
        &self,
        order: &ShipOrder,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Shipped, Fault> {
        self.act(Call::Ship, |state| {
            if stop.is_cancelled() {
                return Err(Fault::new(FaultClass::TransientStep, "the copy was stopped"));
            }
            *state.shipped.entry(order.dest.clone()).or_default() += 1;
            progress.files.store(1, Ordering::Relaxed);
            progress.bytes.store(1, Ordering::Relaxed);
            let digest = Some(Digest::new(order.fingerprint.as_str()));
            Ok(Shipped { files: 1, bytes: ByteCount(1), digest })
        })
    }

    async fn prepare(&self, job: &Job) -> Result<(), Fault> {
        self.act(Call::Prepare, |state| {
            if state.tombstones.contains_key(&job.attempt) {
                return Err(removed(&self.name));
            }
            state.attempts.entry(job.attempt.clone()).or_insert_with(|| FakeAttempt {
                job: job.clone(),
                claim: ClaimText::Absent,
                exit: ExitRecord::Absent,
                running: false,
                processes: 0,
                deaf: false,
                output: String::new(),
                executed: 0,
                stopped: 0,
                locked_out: 0,
            });
            Ok(())
        })
    }

    async fn read(&self, attempts: &[AttemptId]) -> Result<Vec<HostLook>, Fault> {
        self.act(Call::Read, |state| Ok(attempts.iter().map(|id| look(state, id)).collect()))
    }

    async fn names(&self) -> Result<Vec<AttemptId>, Fault> {
        Ok(self.list().await?.into_iter().map(|found| found.id).collect())
    }

    async fn list(&self) -> Result<Vec<FoundAttempt>, Fault> {
        self.act(Call::List, |state| {
            let prepared = state.attempts.iter().map(|(id, this)| FoundAttempt {
                id: id.clone(),
                has_job: true,
                has_claim: this.claim != ClaimText::Absent,
                record: serde_json::from_str(&job::case_json(&this.job)).ok(),
            });
            let buried = state.tombstones.iter().map(|(id, record)| FoundAttempt {
                id: id.clone(),
                has_job: false,
                has_claim: false,
                record: Some(Box::new(record.clone())),
            });
            let mut found: Vec<_> = prepared.chain(buried).collect();
            found.sort_by(|a, b| a.id.cmp(&b.id));
            Ok(found)
        })
    }

    async fn clean(&self, order: &CleanOrder) -> Result<Cleaned, Fault> {
        self.act(Call::Clean, |state| {
            let lives = |record: &&CaseRecord| {
                let this = state.attempts.get(&record.attempt);
                this.is_some_and(|this| this.running || this.processes > 0)
            };
            if let Some(record) = order.attempts.iter().find(lives) {
                let why = format!("something of {} still runs", record.attempt);
                return Ok(Cleaned::Kept { why });
            }
            for record in &order.attempts {
                state.attempts.remove(&record.attempt);
                state.tombstones.insert(record.attempt.clone(), record.clone());
                if order.with_folder {
                    let below = format!("{}/", record.dir);
                    state.files.retain(|path, _| !path.starts_with(&below));
                }
            }
            Ok(Cleaned::Done { bytes: ByteCount(1024) })
        })
    }

    async fn take_claim(&self, attempt: &AttemptId) -> Result<ClaimedBy, Fault> {
        self.act(Call::TakeClaim, |state| {
            let this = known(state, attempt)?;
            if this.claim == ClaimText::Absent {
                this.claim = ClaimText::Daemon;
            }
            Ok(match this.claim {
                ClaimText::Job { .. } => ClaimedBy::Job,
                ClaimText::Daemon | ClaimText::Absent => ClaimedBy::Daemon,
            })
        })
    }

    async fn end(&self, attempt: &AttemptId, force: Force) -> Result<(), Fault> {
        let signal = self.act(Call::End, |state| {
            let Some(this) = state.attempts.get_mut(attempt) else { return Ok(None) };
            let signal = match force {
                Force::Terminate if this.deaf => return Ok(None),
                Force::Terminate => Some(15),
                Force::KillChildren => Some(9),
                Force::KillAll => None,
            };
            this.processes = 0;
            this.running &= signal.is_some();
            Ok(signal)
        })?;
        if signal.is_some() {
            self.machine.finish(attempt, signal.map(|signal| 128 + signal), signal);
        }
        Ok(())
    }

    /// It knows one command: `exit <code>`.
    async fn stop(&self, job: &Job, command: &str) -> Result<(), Fault> {
        self.act(Call::Stop, |state| {
            known(state, &job.attempt)?.stopped += 1;
            match command.strip_prefix("exit ") {
                None | Some("0") => Ok(()),
                Some(code) => {
                    let text = format!("`stop` ended with exit code {code}");
                    Err(Fault::new(FaultClass::TransientStep, text))
                }
            }
        })
    }

    async fn outputs(&self, dir: &str, patterns: &[String]) -> Result<Vec<OutputFile>, Fault> {
        let wanted = globs(patterns)?;
        self.act(Call::Outputs, |state| {
            let below = |path: &str| path.strip_prefix(dir)?.strip_prefix('/').map(str::to_owned);
            let files = state.files.iter().filter_map(|(path, (content, modified))| {
                let path = below(path).filter(|path| wanted.is_match(path))?;
                let bytes = ByteCount(content.len() as u64);
                Some(OutputFile { path, bytes, modified: *modified })
            });
            Ok(files.collect())
        })
    }

    async fn fetch(
        &self,
        order: &FetchOrder,
        progress: &Progress,
        _stop: &CancellationToken,
    ) -> Result<Fetched, Fault> {
        self.act(Call::Fetch, |state| {
            let mut fetched = Fetched { files: 0, bytes: ByteCount(0) };
            for path in &order.files {
                let Some((content, _)) = state.files.get(&format!("{}/{path}", order.from)) else {
                    let text = format!("{path} is gone from {}", order.from);
                    return Err(Fault::new(FaultClass::TransientStep, text));
                };
                store(&order.to.join(path), content)?;
                fetched.files += 1;
                fetched.bytes.0 += content.len() as u64;
            }
            progress.files.store(fetched.files, Ordering::Relaxed);
            progress.bytes.store(fetched.bytes.0, Ordering::Relaxed);
            Ok(fetched)
        })
    }

    async fn tail(&self, attempt: &AttemptId, bytes: u64) -> Result<String, Fault> {
        self.act(Call::Tail, |state| {
            let most = usize::try_from(bytes).unwrap_or(usize::MAX);
            let output = known(state, attempt)?.output.as_bytes();
            let from = output.len().saturating_sub(most.saturating_add(1));
            Ok(read::tail(&output[from..], most))
        })
    }

    async fn bell(&self, limit: Duration) -> Result<bool, Fault> {
        self.act(Call::Bell, |_| Ok(()))?;
        Ok(tokio::time::timeout(limit, self.machine.bell.notified()).await.is_ok())
    }
}

fn known<'a>(state: &'a mut State, attempt: &AttemptId) -> Result<&'a mut FakeAttempt, Fault> {
    state.attempts.get_mut(attempt).ok_or_else(|| {
        let text = format!("the directory of {attempt} is missing");
        Fault::new(FaultClass::TransientStep, text)
    })
}

fn look(state: &State, attempt: &AttemptId) -> HostLook {
    let Some(this) = state.attempts.get(attempt) else {
        return HostLook::CouldNot { why: format!("the attempt directory {attempt} is missing") };
    };
    // What runs on another machine holds its lock there, out of sight from here.
    let elsewhere = match &this.claim {
        ClaimText::Job { machine, .. } => *machine != state.here,
        ClaimText::Absent | ClaimText::Daemon => false,
    };
    let found = match (this.running || this.processes > 0) && !elsewhere {
        true => Found::Something,
        false => Found::Nothing,
    };
    let claim = match &this.claim {
        ClaimText::Absent => Claim::Absent,
        ClaimText::Daemon => Claim::Daemon,
        ClaimText::Job { at, machine } => Claim::Job { at: *at, host: machine.host.clone() },
    };
    HostLook::Saw {
        exit: this.exit.clone(),
        claim,
        alive: read::alive(found, &this.claim, &state.here),
    }
}

fn store(path: &Path, content: &[u8]) -> Result<(), Fault> {
    let odd = |error: std::io::Error| {
        Fault::new(FaultClass::TransientStep, format!("{}: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(odd)?;
    }
    std::fs::write(path, content).map_err(odd)
}
