//! Owns the attempt directories of a work_dir: every method of the contract that is
//! one script, the same over any [`Shell`]. What a script printed is believed only
//! after it was parsed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::attempt::{ClaimedBy, Force};
use daylily_lifecycle::ids::{AttemptId, ByteCount, HeadnodeName};
use daylily_lifecycle::outcome::{self, Fault, FaultClass};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::Timestamp;

use super::found::{self, FoundAttempt};
use super::job::{JobGround, case_json, case_lock, job_script, lock_of, stop_script};
use super::names::is_plain_id;
use super::shell::{About, Answer, Ran, Script, Shell, WorkDir, code};
use super::{CleanOrder, Cleaned, HostLook, Job, OutputFile, Prepared, outputs, read};
use crate::mask::masked;

macro_rules! script {
    ($($part:literal),+) => {
        concat!(include_str!("scripts/owner.sh"), $("\n", include_str!(concat!("scripts/", $part)),)+)
    };
}

const PREPARE: Script = Script::short(About::Attempt, script!("prepare.sh"));
const READ: Script = Script::short(About::Host, script!("read.sh"));
const TAKE_CLAIM: Script = Script::short(About::Attempt, script!("claim.sh", "take_claim.sh"));
/// Goes through all processes again for as long as a job makes new ones.
const END: Script = Script::short(About::Case, script!("end.sh"));
/// It reaches out to wherever the job has started something.
const STOP: Script = Script::short(About::Case, script!("stop.sh")).within(STOP_LIMIT);
const OUTPUTS: Script =
    Script::short(About::Case, script!("outputs.sh")).within(Duration::from_secs(600));
const TAIL: Script = Script::short(About::Case, script!("tail.sh"));
const NAMES: Script = Script::short(About::Host, script!("names.sh"));
const LIST: Script =
    Script::short(About::Host, script!("list.sh")).within(Duration::from_secs(120));
/// It removes as much as anybody's job has made.
const CLEAN: Script = Script::short(About::Case, script!("claim.sh", "clean.sh"))
    .within(Duration::from_secs(6 * 3600));
const FREE_SPACE: Script = Script::short(About::Host, script!("free_space.sh"));
const BELL: Script = Script::short(About::Host, script!("bell.sh"));
/// Alone in not comparing the owner first: it makes it.
const OWN: Script = Script::short(About::Host, include_str!("scripts/own.sh"));

/// Likewise: it takes it from whoever has it.
const TAKE_OVER: Script = Script::short(About::Host, include_str!("scripts/take_over.sh"));

/// How long a pipeline's `stop` may take, and with what it needs to end after that.
const STOP_LIMIT: Duration = Duration::from_secs(5 * 60 + 30);
const STOP_SECONDS: &str = "300";

/// How many attempts one script reads. Each costs a few processes and reads there, and on
/// a slow network file system all of a busy headnode's might take longer than a script is
/// given.
const READ_AT_ONCE: usize = 100;

/// How many attempts one script makes directories for.
const PREPARE_AT_ONCE: usize = 50;

/// What the script's own limit may be late.
const BELL_GRACE: Duration = Duration::from_secs(5);

/// The listing of a case's folder: about half a million files. It is as long as a job makes
/// it, so that it is bounded by what the daemon may take.
const LISTING_MAX: usize = 64 << 20;

/// A headnode as far as its attempt directories go.
#[derive(Debug)]
pub struct ShellHost<S> {
    name: HeadnodeName,
    work_dir: Arc<WorkDir<S>>,
    ground: JobGround,
}

impl<S: Shell> ShellHost<S> {
    pub fn new(name: HeadnodeName, work_dir: Arc<WorkDir<S>>, ground: JobGround) -> Self {
        Self { name, work_dir, ground }
    }

    pub fn name(&self) -> &HeadnodeName {
        &self.name
    }

    pub fn work_dir(&self) -> &Arc<WorkDir<S>> {
        &self.work_dir
    }

    pub async fn own(&self, owned_before: bool) -> Result<(), Fault> {
        let before = if owned_before { "yes" } else { "no" };
        let earlier = self.work_dir.owner().earlier_lines();
        self.work_dir
            .must(OWN, &[before, self.name.as_str()], earlier.as_bytes(), 1024)
            .await
            .map(drop)
    }

    pub async fn take_over(&self) -> Result<Option<String>, Fault> {
        let answer = match self.work_dir.ask(TAKE_OVER, &[self.name.as_str()], &[], 1024).await? {
            Ran::TimedOut => return Err(self.work_dir.timed_out(TAKE_OVER)),
            Ran::Ended(answer) => answer,
        };
        match answer.code {
            Some(0) => {
                let former = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
                Ok((!former.is_empty()).then_some(former))
            }
            Some(code::MISSING) => {
                let root = self.work_dir.root();
                let text = format!(
                    "{root} is missing\nhint: is {path} mounted? where it is the right place and \
                     really empty, `mkdir -p {root}` says so",
                    path = self.work_dir.path(),
                );
                Err(Fault::new(FaultClass::FatalHost, text))
            }
            Some(_) | None => Err(self.work_dir.failed(TAKE_OVER, &answer)),
        }
    }

    pub async fn free_space(&self) -> Result<ByteCount, Fault> {
        let answer = self.work_dir.must(FREE_SPACE, &[], &[], 1024).await?;
        let text = String::from_utf8_lossy(&answer);
        room(&text).ok_or_else(|| odd_answer(FREE_SPACE, "the free space", &text))
    }

    pub async fn prepare(&self, job: &Job) -> Result<(), Fault> {
        let answers = self.prepare_all(std::slice::from_ref(job)).await;
        answers.into_iter().next().map_or(Ok(()), |answer| answer.map(drop))
    }

    pub async fn prepare_all(&self, jobs: &[Job]) -> Vec<Result<Prepared, Fault>> {
        let mut answers = Vec::with_capacity(jobs.len());
        for some in jobs.chunks(PREPARE_AT_ONCE) {
            answers.extend(self.prepare_some(some).await);
        }
        answers
    }

    async fn prepare_some(&self, jobs: &[Job]) -> Vec<Result<Prepared, Fault>> {
        let framed: Vec<Result<Vec<u8>, Fault>> =
            jobs.iter().map(|job| framed(job, &self.ground)).collect();
        let stdin: Vec<u8> = framed.iter().flatten().flatten().copied().collect();
        if stdin.is_empty() {
            return framed.into_iter().map(|framed| framed.map(|_| Prepared::There)).collect();
        }
        let keep = 1024 * (1 + jobs.len());
        let (said, rest) = match self.work_dir.ask(PREPARE, &[], &stdin, keep).await {
            Ok(Ran::Ended(answer)) => {
                let said = String::from_utf8_lossy(&answer.stdout).into_owned();
                (said, self.work_dir.failed(PREPARE, &answer))
            }
            Ok(Ran::TimedOut) => (String::new(), self.work_dir.timed_out(PREPARE)),
            Err(fault) => (String::new(), fault),
        };
        // A line that was cut off answers nothing.
        let mut lines = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let answer = |framed: Result<Vec<u8>, Fault>| {
            framed?;
            match lines.next().map(|line| line.split_once(' ').unwrap_or((line, ""))) {
                Some(("0", _)) => Ok(Prepared::Made),
                Some(("there", _)) => Ok(Prepared::There),
                Some(("removed", _)) => Err(removed(&self.name)),
                Some((code, said)) => {
                    let (code, stderr) = (code.parse().ok(), said.to_owned());
                    let answer = Answer { code, stdout: Vec::new(), cut: false, stderr };
                    Err(self.work_dir.failed(PREPARE, &answer))
                }
                None => Err(rest.clone()),
            }
        };
        framed.into_iter().map(answer).collect()
    }

    pub async fn read(&self, attempts: &[AttemptId]) -> Result<Vec<HostLook>, Fault> {
        let mut looks = Vec::with_capacity(attempts.len());
        for some in attempts.chunks(READ_AT_ONCE) {
            looks.extend(self.read_some(some).await?);
        }
        Ok(looks)
    }

    async fn read_some(&self, attempts: &[AttemptId]) -> Result<Vec<HostLook>, Fault> {
        let mut stdin = String::new();
        for attempt in attempts.iter().filter(|a| is_plain_id(a.as_str())) {
            stdin.push_str(attempt.as_str());
            stdin.push('\n');
        }
        let keep = 4096 + attempts.len() * read::MOST_OF_ONE;
        let answer = match self.work_dir.ask(READ, &[], stdin.as_bytes(), keep).await? {
            Ran::Ended(answer) if answer.code == Some(0) => answer,
            Ran::Ended(answer) => return Err(self.work_dir.failed(READ, &answer)),
            Ran::TimedOut => return Err(self.work_dir.timed_out(READ)),
        };
        read::parse(&answer.stdout, &answer.stderr, attempts)
            .ok_or_else(|| odd_answer(READ, "a reading", &answer.stderr))
    }

    pub async fn names(&self) -> Result<Vec<AttemptId>, Fault> {
        let answer = self.work_dir.must(NAMES, &[], &[], LISTING_MAX).await?;
        found::names(&answer).ok_or_else(|| odd_answer(NAMES, "a list of attempts", ""))
    }

    pub async fn list(&self) -> Result<Vec<FoundAttempt>, Fault> {
        let answer = self.work_dir.must(LIST, &[], &[], LISTING_MAX).await?;
        found::parse(&answer).ok_or_else(|| odd_answer(LIST, "a list of attempts", ""))
    }

    pub async fn clean(&self, order: &CleanOrder) -> Result<Cleaned, Fault> {
        let mut stdin = String::new();
        for record in &order.attempts {
            let tombstone = record.to_line();
            stdin.push_str(&format!("{} {tombstone}\n", plain(&record.attempt)?));
        }
        let (intake, lock) = lock_of(&order.intake, &order.remote_name);
        let lock = format!("cases/{intake}/{lock}");
        let folder = if order.with_folder { order.remote_name.as_str() } else { "" };
        let spared = |word: &str, paths: &[PathBuf]| -> Vec<String> {
            paths.iter().map(|path| format!("{word}:{}", path.display())).collect()
        };
        let mut args: Vec<String> = [self.work_dir.path(), order.intake.as_str(), folder, &lock]
            .map(str::to_owned)
            .to_vec();
        args.push(order.manifest.clone());
        args.extend(spared("in", &order.apart));
        args.extend(spared("on", &order.outside));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let answer = self.work_dir.must(CLEAN, &args, stdin.as_bytes(), 8192).await?;
        let said = String::from_utf8_lossy(&answer);
        let told = |word: &str| said.lines().find_map(|line| line.strip_prefix(word));
        match (told("kept "), told("bytes ").and_then(|bytes| bytes.parse().ok())) {
            (Some(why), _) => Ok(Cleaned::Kept { why: outcome::told(why) }),
            (None, Some(bytes)) => Ok(Cleaned::Done { bytes: ByteCount(bytes) }),
            (None, None) => Err(odd_answer(CLEAN, "what was removed", &said)),
        }
    }

    pub async fn take_claim(&self, attempt: &AttemptId) -> Result<ClaimedBy, Fault> {
        let answer = self.work_dir.must(TAKE_CLAIM, &[plain(attempt)?], &[], 8192).await?;
        read::claimed_by(&answer)
            .ok_or_else(|| odd_answer(TAKE_CLAIM, "a claim", &String::from_utf8_lossy(&answer)))
    }

    pub async fn end(&self, attempt: &AttemptId, force: Force) -> Result<(), Fault> {
        let (signal, job) = match force {
            Force::Terminate => ("TERM", "job"),
            Force::KillChildren => ("KILL", "spare"),
            Force::KillAll => ("KILL", "job"),
        };
        self.work_dir.must(END, &[plain(attempt)?, signal, job], &[], 1024).await.map(drop)
    }

    pub async fn stop(&self, job: &Job, command: &str) -> Result<(), Fault> {
        let attempt = plain(&job.attempt)?;
        let text = stop_script(job, command, &self.ground).map_err(|error| {
            Fault::new(FaultClass::FatalCase, format!("`stop` of {}: {error}", job.name))
        })?;
        let args = [attempt, STOP_SECONDS];
        let answer = self.work_dir.must(STOP, &args, text.as_bytes(), 8192).await?;
        let answer = String::from_utf8_lossy(&answer);
        let (code, said) = answer.split_once('\n').unwrap_or((&answer, ""));
        let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let said: String = said.trim().chars().filter(|c| !c.is_control()).take(200).collect();
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let text = match code.trim() {
            "0" => return Ok(()),
            "busy" => "an earlier `stop` of it has not ended yet".to_owned(),
            "124" | "137" => format!("`stop` has not ended for {STOP_SECONDS} s{said}"),
            code if !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit()) => {
                format!("`stop` ended with exit code {code}{said}")
            }
            _ => return Err(odd_answer(STOP, "the end of `stop`", &answer)),
        };
        Err(Fault::new(FaultClass::TransientStep, text))
    }

    pub async fn outputs(&self, dir: &str, patterns: &[String]) -> Result<Vec<OutputFile>, Fault> {
        let wanted = globs(patterns)?;
        let listing = self.work_dir.must(OUTPUTS, &[dir], &[], LISTING_MAX).await?;
        outputs::parse(&listing, &wanted).map_err(|odd| odd_answer(OUTPUTS, "a listing", &odd.0))
    }

    pub async fn tail(&self, attempt: &AttemptId, bytes: u64) -> Result<String, Fault> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(16 << 20);
        // One byte more tells whether the first line is whole.
        let asked = (bytes + 1).to_string();
        let end = self.work_dir.must(TAIL, &[plain(attempt)?, &asked], &[], bytes + 1).await?;
        Ok(masked(&read::tail(&end, bytes)).into_owned())
    }

    pub async fn bell(&self, limit: Duration) -> Result<bool, Fault> {
        let seconds = limit.as_secs_f64().to_string();
        let most = limit + BELL_GRACE;
        match self.work_dir.ask(BELL.within(most), &[&seconds], &[], 16).await? {
            Ran::TimedOut => Ok(false),
            Ran::Ended(answer) if answer.code == Some(124) => Ok(false),
            Ran::Ended(answer) if answer.code == Some(0) => Ok(true),
            Ran::Ended(answer) => Err(self.work_dir.failed(BELL, &answer)),
        }
    }
}

/// The id as text, where it can stand in a script's arguments and paths.
pub(crate) fn plain(attempt: &AttemptId) -> Result<&str, Fault> {
    if is_plain_id(attempt.as_str()) {
        return Ok(attempt.as_str());
    }
    let text = format!("{:?} cannot be the id of an attempt", attempt.as_str());
    Err(Fault::new(FaultClass::FatalCase, text))
}

/// A job as the script reads it. No name in it has a line break.
fn framed(job: &Job, ground: &JobGround) -> Result<Vec<u8>, Fault> {
    let attempt = plain(&job.attempt)?;
    let script = job_script(job, ground).map_err(|error| {
        Fault::new(FaultClass::FatalCase, format!("job.sh of {}: {error}", job.name))
    })?;
    let (intake, lock) = case_lock(job);
    let (json, length) = (case_json(job), script.len());
    Ok(format!("{attempt}\n{intake}\n{lock}\n{json}\n{length}\n{script}").into_bytes())
}

/// What is wrong with handing over an attempt of which there is a tombstone.
pub(super) fn removed(headnode: &HeadnodeName) -> Fault {
    let text = format!(
        "it has run already, and what it left was removed from {headnode}: this database is older \
         than that\nhint: `cancel` sets it aside, and then `rerun` starts it as a new attempt"
    );
    Fault::new(FaultClass::FatalCase, text)
}

fn odd_answer(script: Script, what: &str, said: &str) -> Fault {
    let class = match script.about {
        About::Host => FaultClass::TransientHost,
        About::Attempt | About::Case => FaultClass::TransientStep,
    };
    let said: String = said.trim().chars().take(200).collect();
    Fault::new(class, format!("{what} cannot be understood: {said:?}"))
}

pub(super) fn globs(patterns: &[String]) -> Result<GlobSet, Fault> {
    let odd = |error: globset::Error| Fault::new(FaultClass::FatalCase, error.to_string());
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build().map_err(odd)?);
    }
    set.build().map_err(odd)
}

/// Blocks and the size of one, as stat prints them, and nothing else.
pub(super) fn room(text: &str) -> Option<ByteCount> {
    let numbers: Option<Vec<u64>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
    match numbers?[..] {
        [blocks, size] => Some(ByteCount(blocks.saturating_mul(size))),
        _ => None,
    }
}

/// Seconds since 1970 with a fraction, as find and date print them.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let whole = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    whole.checked_add(jiff::SignedDuration::from_nanos(nanos.parse().ok()?)).ok()
}
