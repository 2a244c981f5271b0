//! The queue that is pueue, of version 3 or 4, by its client on the headnode. The client
//! gets a clean environment and a limit of its own for every answer; several entries
//! are one script. What it says is read by `document`, what goes wrong is told apart
//! by `trouble`.
//!
//! Jobs are the daemon's, so that nothing here ends one: entries that run are never
//! removed, and ids, which pueue gives out again, are used only in the request after
//! the one that told them.

pub mod answers;
pub mod document;
pub mod proof;
mod kept;
pub mod trouble;

#[cfg(test)]
mod fuzz;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daylily_lifecycle::attempt::QueueKind;
use daylily_lifecycle::ids::{AttemptId, GroupName, HeadnodeName, TaskId};
use daylily_lifecycle::outcome::{Fault, FaultClass};

use self::answers::{Answer, Answers, Surroundings};
use self::trouble::{Asked, Doing, Trouble};
use super::{Entry, Queue, QueueLook};
use crate::adapters::host::attempts::plain;
use crate::adapters::host::quote::quote;
use crate::adapters::host::shell::{About, Answer as Ended, Ran, Script, Shell, WorkDir};

macro_rules! script {
    ($part:literal) => {
        Script::short(
            About::Host,
            concat!(
                include_str!("../../host/scripts/owner.sh"),
                "\n",
                include_str!("scripts/client.sh"),
                "\n",
                include_str!(concat!("scripts/", $part))
            ),
        )
    };
}

const LOOK: Script = script!("look.sh");
const ADD: Script = script!("add.sh");
const REMOVE: Script = script!("remove.sh");
const GROUPS: Script = script!("groups.sh");
const VERSION: Script = script!("version.sh");

/// What a script may take beside the client's answers.
const GRACE: Duration = Duration::from_secs(10);

/// What one of several answers takes at most where the daemon is well: it writes its
/// whole list anew at each change.
const ONE_CHANGE: Duration = Duration::from_millis(500);

/// How many entries one script is given.
const AT_ONCE: usize = 200;

/// What is kept of what a script says of several entries.
const ANSWERS_MAX: usize = 4 << 20;

/// As much is looked at of what a client says that ends with trouble.
const SAID_MAX: usize = 64 << 10;

/// The filter for lists that are too long with all that is others'.
const OURS_ONLY: &str = "label%=dw-";

#[derive(Debug, Clone)]
pub struct PueueSettings {
    pub headnode: HeadnodeName,
    /// The client: a name to be found in PATH, or a path.
    pub command: String,
    /// Where a list is kept that is not understood.
    pub keep: PathBuf,
    /// How long one answer of the daemon is waited for.
    pub patience: Duration,
    /// The longest list that is read.
    pub list_max: usize,
}

impl PueueSettings {
    pub fn new(headnode: HeadnodeName, command: String, keep: PathBuf) -> Self {
        let (patience, list_max) = (Duration::from_secs(20), 16 << 20);
        Self { headnode, command, keep, patience, list_max }
    }
}

#[derive(Debug)]
pub struct Pueue<S> {
    work_dir: Arc<WorkDir<S>>,
    settings: PueueSettings,
    /// The whole list was too long once.
    filtered: AtomicBool,
}

/// Why a look brought no list, with as much of it as is kept.
enum Missed {
    Fault(Fault),
    TooLong(Vec<u8>),
    Odd(document::Odd, Vec<u8>),
    HungUp(Box<Surroundings>, String),
}

impl From<Fault> for Missed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<S: Shell> Pueue<S> {
    pub fn new(work_dir: Arc<WorkDir<S>>, settings: PueueSettings) -> Self {
        Self { work_dir, settings, filtered: AtomicBool::new(false) }
    }

    fn asked<'a>(&'a self, doing: Doing, around: &'a Surroundings) -> Asked<'a> {
        asked(&self.settings, doing, around)
    }

    async fn ask(
        &self,
        script: Script,
        args: &[&str],
        stdin: &str,
        keep: usize,
    ) -> Result<Ran, Fault> {
        let patience = self.settings.patience.as_secs_f64().to_string();
        let ours = [self.settings.command.as_str(), &patience];
        let args: Vec<&str> = ours.into_iter().chain(args.iter().copied()).collect();
        self.work_dir.ask(script, &args, stdin.as_bytes(), keep).await
    }

    /// As [`Self::ask`] for a script that asks the client once.
    async fn ask_once(&self, script: Script, args: &[&str], keep: usize) -> Result<Ended, Fault> {
        let script = script.within(self.settings.patience + GRACE);
        match self.ask(script, args, "", keep).await? {
            Ran::Ended(answer) => Ok(answer),
            Ran::TimedOut => Err(self.work_dir.timed_out(script)),
        }
    }

    async fn look_once(&self, filter: &[&str]) -> Result<QueueLook, Missed> {
        let answer = self.ask_once(LOOK, filter, self.settings.list_max).await?;
        listed(&self.settings, &answer)
    }

    async fn look_filtered(&self) -> Result<QueueLook, Missed> {
        let filter: &[&str] =
            if self.filtered.load(Ordering::Relaxed) { &[OURS_ONLY] } else { &[] };
        let looked = self.look_once(filter).await;
        if filter.is_empty() && matches!(looked, Err(Missed::TooLong(_))) {
            drop(looked);
            self.filtered.store(true, Ordering::Relaxed);
            return self.look_once(&[OURS_ONLY]).await;
        }
        looked
    }

    async fn not_understood(&self, why: &str, document: Vec<u8>) -> Fault {
        let PueueSettings { headnode, keep, .. } = self.settings.clone();
        let kept = tokio::task::spawn_blocking(move || kept::keep(&keep, &headnode, &document));
        let kept = match kept.await.map_err(std::io::Error::other).and_then(|kept| kept) {
            Ok(file) => format!("it is kept in {}", file.display()),
            Err(error) => format!("it could not be kept: {error}"),
        };
        let headnode = &self.settings.headnode;
        let text = format!(
            "the list of pueue on {headnode} cannot be understood: {why}; {kept}\n\
             hint: use pueue 3.4 or 4 there; `resume --headnode {headnode}` goes on when that is so"
        );
        Fault::new(FaultClass::FatalHost, text)
    }

    /// Asks for several things at once. The limit grows with them.
    async fn several(
        &self,
        script: Script,
        args: &[&str],
        lines: &str,
    ) -> Result<Result<Answers, Ended>, Fault> {
        let many = u32::try_from(lines.lines().count()).unwrap_or(u32::MAX);
        let limit = self.settings.patience + GRACE + ONE_CHANGE.saturating_mul(many);
        match self.ask(script.within(limit), args, lines, ANSWERS_MAX).await? {
            Ran::TimedOut => Err(self.work_dir.timed_out(script.within(limit))),
            Ran::Ended(ended) if ended.code == Some(0) => Ok(Ok(answers::answers(&ended.stdout))),
            Ran::Ended(ended) => Ok(Err(ended)),
        }
    }

    /// The same for what may be repeated, with the first trouble as the answer to all.
    async fn change(
        &self,
        script: Script,
        args: &[&str],
        lines: &str,
        is_fine: impl Fn(&str) -> bool,
    ) -> Result<(), Fault> {
        if lines.is_empty() {
            return Ok(());
        }
        let answers = match self.several(script, args, lines).await? {
            Ok(answers) => answers,
            Err(ended) => return Err(self.ended_early(Doing::Changing, &ended)),
        };
        let asked = self.asked(Doing::Changing, &answers.around);
        for line in lines.lines() {
            let key = line.split(' ').next().unwrap_or_default();
            match answers.of.get(key) {
                Some(Answer::Said { code: 0, .. }) => {}
                Some(Answer::Said { text, .. }) if is_fine(text) => {}
                Some(Answer::Said { code, text }) => {
                    return Err(trouble::fault(asked, Some(*code), text, Some(key)));
                }
                Some(Answer::Missing) | None => {
                    let text = format!("pueue on {} was not asked for all", asked.headnode);
                    return Err(Fault::new(FaultClass::TransientHost, text));
                }
            }
        }
        Ok(())
    }

    /// The fault of a script that did not get to its end.
    fn ended_early(&self, doing: Doing, ended: &Ended) -> Fault {
        let around = answers::answers(&ended.stdout).around;
        trouble::fault(self.asked(doing, &around), ended.code, &ended.stderr, None)
    }

    async fn add_some(&self, entries: &[Entry]) -> Vec<Result<Option<TaskId>, Fault>> {
        let mut lines = String::new();
        for entry in entries {
            if let Ok(attempt) = plain(&entry.attempt)
                && is_one_word(entry.group.as_str())
            {
                lines.push_str(&format!("{attempt} {}\n", entry.group));
            }
        }
        let all = |fault: &Fault| entries.iter().map(|_| Err(fault.clone())).collect();
        let root = match quote(&self.work_dir.root()) {
            Ok(root) => root,
            Err(error) => return all(&Fault::new(FaultClass::FatalHost, error.to_string())),
        };
        let answers = match self.several(ADD, &[&root], &lines).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(ended)) => return all(&self.ended_early(Doing::Adding, &ended)),
            // Whether the script ran is not known.
            Err(Fault { class: FaultClass::TransientHost, text }) => {
                return all(&Fault::new(FaultClass::Ambiguous, text));
            }
            Err(fault) => return all(&fault),
        };
        entries.iter().map(|entry| self.added(entry, &answers)).collect()
    }

    fn added(&self, entry: &Entry, answers: &Answers) -> Result<Option<TaskId>, Fault> {
        let attempt = plain(&entry.attempt)?;
        let group = entry.group.as_str();
        if !is_one_word(group) {
            let text = format!("{group:?} cannot be the name of a group");
            return Err(Fault::new(FaultClass::FatalCase, text));
        }
        let asked = self.asked(Doing::Adding, &answers.around);
        match answers.of.get(attempt) {
            Some(Answer::Said { code: 0, text }) => {
                let id = text.trim();
                let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
                Ok(is_id.then(|| TaskId::new(id)))
            }
            Some(Answer::Said { code, text }) => {
                Err(trouble::fault(asked, Some(*code), text, Some(group)))
            }
            Some(Answer::Missing) => {
                let text = format!("job.sh of {attempt} is missing");
                Err(Fault::new(FaultClass::TransientStep, text))
            }
            None if answers.whole => {
                let text = format!("pueued on {} has not answered for others", asked.headnode);
                Err(Fault::new(FaultClass::TransientHost, text))
            }
            None => {
                let text =
                    format!("what became of adding {attempt} on {} was not told", asked.headnode);
                Err(Fault::new(FaultClass::Ambiguous, text))
            }
        }
    }
}

fn asked<'a>(settings: &'a PueueSettings, doing: Doing, around: &'a Surroundings) -> Asked<'a> {
    Asked { headnode: settings.headnode.as_str(), command: &settings.command, doing, around }
}

/// The list in the answer of look.sh.
fn listed(settings: &PueueSettings, answer: &Ended) -> Result<QueueLook, Missed> {
    let (around, list) = answers::looked(&answer.stdout);
    if answer.code != Some(0) {
        let said = &list[..list.len().min(SAID_MAX)];
        let said = format!("{}\n{}", answer.stderr, String::from_utf8_lossy(said));
        if trouble::trouble(answer.code, &said) == Trouble::HungUp {
            return Err(Missed::HungUp(Box::new(around), said));
        }
        let asked = asked(settings, Doing::Looking, &around);
        return Err(trouble::fault(asked, answer.code, &said, None).into());
    }
    let kept = || list[..list.len().min(kept::MOST)].to_vec();
    if answer.cut {
        return Err(Missed::TooLong(kept()));
    }
    match document::read(list) {
        Ok(look) => Ok(QueueLook { instance: around.instance(), ..look }),
        Err(odd) => Err(Missed::Odd(odd, kept())),
    }
}

/// The version in the answer of version.sh.
fn version_in(settings: &PueueSettings, answer: &Ended) -> Result<String, Fault> {
    let said = String::from_utf8_lossy(&answer.stdout);
    let version = said.lines().find_map(|line| line.trim().strip_prefix("pueue "));
    if let Some(version) = version.filter(|_| answer.code == Some(0)) {
        return Ok(version.trim().to_owned());
    }
    let (around, _) = answers::looked(&answer.stdout);
    let said = match around.user.as_str() {
        // The program was asked, and said what it liked.
        "" => format!("{}\n{said}", answer.stderr),
        _ => answer.stderr.clone(),
    };
    let asked = asked(settings, Doing::Looking, &around);
    Err(trouble::fault(asked, answer.code, &said, None))
}

/// Whether it stands for itself in a line of input.
fn is_one_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '\\')
}

#[async_trait::async_trait]
impl<S: Shell> Queue for Pueue<S> {
    fn kind(&self) -> QueueKind {
        QueueKind::Pueue
    }

    async fn look(&self) -> Result<QueueLook, Fault> {
        match self.look_filtered().await {
            Ok(look) => return Ok(look),
            Err(Missed::Fault(fault)) => return Err(fault),
            Err(Missed::TooLong(_) | Missed::Odd(..) | Missed::HungUp(..)) => {}
        }
        // Once is no proof: it may have been cut off.
        match self.look_filtered().await {
            Ok(look) => Ok(look),
            Err(Missed::Fault(fault)) => Err(fault),
            Err(Missed::HungUp(around, said)) => {
                Err(trouble::wrong_secret(self.asked(Doing::Looking, &around), &said))
            }
            Err(Missed::Odd(odd, document)) => {
                Err(self.not_understood(&odd.to_string(), document).await)
            }
            Err(Missed::TooLong(document)) => {
                let why = format!("it has more than {} bytes", self.settings.list_max);
                Err(self.not_understood(&why, document).await)
            }
        }
    }

    async fn add(&self, entries: &[Entry]) -> Vec<Result<Option<TaskId>, Fault>> {
        let mut answers = Vec::with_capacity(entries.len());
        for some in entries.chunks(AT_ONCE) {
            answers.extend(self.add_some(some).await);
        }
        answers
    }

    async fn remove(&self, attempts: &[AttemptId]) -> Result<(), Fault> {
        for some in attempts.chunks(AT_ONCE) {
            let mut lines = String::new();
            for attempt in some {
                lines.push_str(plain(attempt)?);
                lines.push('\n');
            }
            // It runs, or is gone meanwhile.
            let is_fine = |text: &str| text.contains("The command failed for tasks");
            self.change(REMOVE, &[], &lines, is_fine).await?;
        }
        Ok(())
    }

    async fn create_groups(&self, groups: &[(GroupName, u32)]) -> Result<(), Fault> {
        let lines: String = groups
            .iter()
            .filter(|(name, _)| is_one_word(name.as_str()))
            .map(|(name, places)| format!("{name} {places}\n"))
            .collect();
        self.change(GROUPS, &["add"], &lines, |text| text.contains("already exists")).await
    }

    async fn start_groups(&self, groups: &[GroupName]) -> Result<(), Fault> {
        let names = groups.iter().filter(|name| is_one_word(name.as_str()));
        let lines: String = names.map(|name| format!("{name} -\n")).collect();
        self.change(GROUPS, &["start"], &lines, |_| false).await
    }

    async fn version(&self) -> Result<Option<String>, Fault> {
        let answer = self.ask_once(VERSION, &[], 4096).await?;
        version_in(&self.settings, &answer).map(Some)
    }
}
