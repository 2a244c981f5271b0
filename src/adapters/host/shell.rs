//! Owns how scripts get to a headnode: the narrow [`Shell`] that local and remote
//! hosts differ in, and [`WorkDir`], which runs a script in one work_dir after it has
//! compared the owner. Nothing of anybody's making is ever put into a script's text.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use daylily_lifecycle::explain;
use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::outcome::{Fault, FaultClass};

/// Runs POSIX sh scripts on one machine.
///
/// A script gets a clean environment (HOME, USER, LANG, PATH, XDG_RUNTIME_DIR and the
/// headnode's own), no terminal and no other standard input than `stdin`. It runs in
/// a process group of its own, which is ended when the time is up or the future is
/// dropped; on another machine as soon as that machine hears of it.
#[async_trait::async_trait]
pub trait Shell: Send + Sync + 'static {
    /// A fault says that the script may or may not have run.
    async fn run(&self, ask: Ask<'_>) -> Result<Ran, Fault>;

    /// What was heard of the other side besides answers.
    fn heard(&self) -> Heard {
        Heard::default()
    }

    /// Lets go of what was opened to get there. A later script opens it again.
    async fn close(&self) {}
}

/// One way to a machine, used by several.
#[async_trait::async_trait]
impl<S: Shell + ?Sized> Shell for Arc<S> {
    async fn run(&self, ask: Ask<'_>) -> Result<Ran, Fault> {
        (**self).run(ask).await
    }

    fn heard(&self) -> Heard {
        (**self).heard()
    }

    async fn close(&self) {
        (**self).close().await;
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// The beginning of what the login shell printed, by the latest script that met any.
    pub noise: Option<String>,
    /// Some of that came on standard output, where whoever copies files stumbles over it.
    pub noise_in_answers: bool,
    /// How far that machine's clock is before ours, to some milliseconds.
    pub clock_skew_ms: Option<i64>,
}

/// What a script is given to read that is too long to be in memory as a whole.
pub trait Feed: std::fmt::Debug + Send + Sync {
    /// In bytes, of all pieces together.
    fn length(&self) -> usize;

    /// The same each time it is asked for. None: there are no more.
    fn piece(&self, number: usize) -> Option<Vec<u8>>;
}

#[derive(Debug, Clone)]
pub struct Ask<'a> {
    pub script: &'static str,
    /// `$1`, `$2` and so on.
    pub args: Vec<String>,
    pub stdin: &'a [u8],
    /// What comes behind it there.
    pub more: Option<&'a dyn Feed>,
    pub limit: Duration,
    /// At most this much of standard output is kept.
    pub keep: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    Ended(Answer),
    /// The time was up and the script was ended.
    TimedOut,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// None: ended by a signal. Some shells tell that as 128 and the signal's number.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    /// There was more on standard output than was to be kept.
    pub cut: bool,
    /// The beginning of standard error.
    pub stderr: String,
}

/// The daemon that may act in a work_dir, as its database knows itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub database_id: String,
    /// Raised at each start of the daemon.
    pub generation: u64,
    /// Drawn anew at each start: a copy of the database has another.
    pub word: String,
    /// The words of its earlier starts, by generation. What the owner file says must be
    /// one of them: anything else was written by a daemon on a copy.
    pub earlier: BTreeMap<u64, String>,
}

impl Owner {
    /// A start that knows of none before it.
    pub fn of_start(database_id: impl Into<String>, generation: u64, word: &str) -> Self {
        let (database_id, word) = (database_id.into(), word.to_owned());
        Self { database_id, generation, word, earlier: BTreeMap::new() }
    }

    /// As it stands in the owner file.
    pub fn text(&self) -> String {
        format!("{} {} {}", self.database_id, self.generation, self.word)
    }

    /// The earlier starts, one a line.
    pub(crate) fn earlier_lines(&self) -> String {
        self.earlier.iter().map(|(generation, word)| format!("{generation} {word}\n")).collect()
    }
}

/// One work_dir on one machine, asked about by one daemon.
#[derive(Debug)]
pub struct WorkDir<S> {
    shell: S,
    /// Whose it is, for what people are to type.
    headnode: HeadnodeName,
    path: String,
    owner: Owner,
}

/// How long a script that only looks or writes small files may take.
pub(crate) const SHORT: Duration = Duration::from_secs(30);

/// Whose trouble it is when a script meets any. An owner that is not ours and the like
/// are the headnode's with each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// What all cases share: what is refused there is refused to every case.
    Host,
    /// One attempt's directory, which its job may have closed or filled. It is small, so
    /// that only a headnode in trouble makes it slow.
    Attempt,
    /// What a job makes as large, as many and as odd as it likes: all trouble is its own.
    Case,
}

/// A script that begins with `owner.sh` (or is `own.sh` or `take_over.sh`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    pub(crate) text: &'static str,
    pub(crate) about: About,
    pub(crate) limit: Duration,
}

impl Script {
    pub(crate) const fn short(about: About, text: &'static str) -> Self {
        Self { text, about, limit: SHORT }
    }

    pub(crate) const fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }
}

/// What scripts end with, beside 0.
pub(crate) mod code {
    pub(crate) const OTHER_HEADNODE: i32 = 87;
    pub(crate) const NOT_ENTERED: i32 = 88;
    pub(crate) const COPY: i32 = 89;
    pub(crate) const NO_OWNER: i32 = 90;
    pub(crate) const OTHER_OWNER: i32 = 91;
    pub(crate) const NEWER_GENERATION: i32 = 92;
    pub(crate) const ODD_OWNER: i32 = 93;
    pub(crate) const MISSING: i32 = 94;
    pub(crate) const NO_PROC: i32 = 95;
    pub(crate) const NOT_BEGUN: i32 = 96;
    pub(crate) const NOT_WRITABLE: i32 = 97;
}

impl<S: Shell> WorkDir<S> {
    /// `path` is absolute.
    pub fn new(shell: S, headnode: HeadnodeName, path: String, owner: Owner) -> Self {
        Self { shell, headnode, path, owner }
    }

    /// The daemon that may act here, if it is us.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub fn shell(&self) -> &S {
        &self.shell
    }

    /// Where the attempt directories are.
    pub fn root(&self) -> String {
        format!("{}/.daylily-watch", self.path.trim_end_matches('/'))
    }

    /// Runs a script. Its arguments follow work_dir, database id, generation and word.
    /// [`Ran::TimedOut`] is left to the caller; an owner that is not us and the like
    /// are faults.
    pub(crate) async fn ask(
        &self,
        script: Script,
        args: &[&str],
        stdin: &[u8],
        keep: usize,
    ) -> Result<Ran, Fault> {
        self.ask_fed(script, args, stdin, None, keep).await
    }

    /// The same with more to read.
    pub(crate) async fn ask_fed(
        &self,
        script: Script,
        args: &[&str],
        stdin: &[u8],
        more: Option<&dyn Feed>,
        keep: usize,
    ) -> Result<Ran, Fault> {
        let Owner { database_id, generation, word, .. } = &self.owner;
        let ours = [self.path.clone(), database_id.clone(), generation.to_string(), word.clone()];
        let args = ours.into_iter().chain(args.iter().map(|&a| a.to_owned())).collect();
        let Script { text: script, limit, .. } = script;
        let ran = self.shell.run(Ask { script, args, stdin, more, limit, keep }).await?;
        if let Ran::Ended(answer) = &ran
            && let Some(fault) = self.misfit(answer)
        {
            return Err(fault);
        }
        Ok(ran)
    }

    /// As [`Self::ask`], for a script that has to end with 0 and in time.
    pub(crate) async fn must(
        &self,
        script: Script,
        args: &[&str],
        stdin: &[u8],
        keep: usize,
    ) -> Result<Vec<u8>, Fault> {
        match self.ask(script, args, stdin, keep).await? {
            Ran::TimedOut => Err(self.timed_out(script)),
            Ran::Ended(answer) if answer.code != Some(0) => Err(self.failed(script, &answer)),
            Ran::Ended(answer) if answer.cut => Err(Fault::new(
                FaultClass::TransientStep,
                format!("{}: the answer has more than {keep} bytes", self.path),
            )),
            Ran::Ended(answer) => Ok(answer.stdout),
        }
    }

    pub(crate) fn timed_out(&self, script: Script) -> Fault {
        let class = match script.about {
            About::Host | About::Attempt => FaultClass::TransientHost,
            About::Case => FaultClass::TransientStep,
        };
        let text = format!("{} has not answered for {} s", self.path, script.limit.as_secs());
        Fault::new(class, text)
    }

    /// Trouble that is the same whichever script met it.
    fn misfit(&self, answer: &Answer) -> Option<Fault> {
        let path = &self.path;
        let adopt = explain::adopt(&self.headnode);
        let resume = explain::resume(&self.headnode);
        let (class, text) = match answer.code? {
            code::NOT_ENTERED => (
                FaultClass::TransientHost,
                format!(
                    "{path} cannot be entered: {}\nhint: see its rights and its file system",
                    first_line(&answer.stderr)
                ),
            ),
            code::NO_OWNER => (
                FaultClass::FatalHost,
                format!(
                    "{path}/.daylily-watch/owner is missing\nhint: is {path} mounted? once \
                     it is, `{resume}` goes on; where it is the right one, `{adopt}` makes it \
                     this database's again"
                ),
            ),
            code::OTHER_OWNER => (
                FaultClass::FatalHost,
                format!(
                    "{path} belongs to the database {}\nhint: one work_dir is for one database: \
                     use the state_dir of that one, or give this headnode a work_dir of its own \
                     and `{resume}`; where that one is lost, `{adopt}` takes over what runs there",
                    first_line(&answer.stderr)
                ),
            ),
            code::OTHER_HEADNODE => (
                FaultClass::FatalHost,
                format!(
                    "{path} is used by this database as the headnode {}\nhint: correct name, host \
                     and work_dir of this headnode and `{resume}`: what runs there is looked for \
                     by the name; where it only has another name now, `{adopt}` says so",
                    first_line(&answer.stderr)
                ),
            ),
            code::NEWER_GENERATION => (
                FaultClass::FatalHost,
                format!(
                    "{path} was used by a later start of this database\nhint: a daemon runs on \
                     another copy of it, or an old copy was put in place: use the newest one; \
                     where that is lost, `{adopt}` takes over what runs there"
                ),
            ),
            code::COPY => (
                FaultClass::FatalHost,
                format!(
                    "{path} is used by another daemon on a copy of this database, or this one was \
                     restored from a backup\nhint: end that daemon, for good, if there is one; \
                     then `{adopt}` takes over what runs there"
                ),
            ),
            code::ODD_OWNER => (
                FaultClass::FatalHost,
                format!(
                    "{path}/.daylily-watch/owner cannot be read\nhint: see whether the file \
                     system of {path} is whole and who may read there, then `{resume}`; where \
                     only that file is spoilt, `{adopt}` writes it anew"
                ),
            ),
            code::NO_PROC => {
                (FaultClass::FatalHost, "/proc cannot be read on the headnode".to_owned())
            }
            code::NOT_WRITABLE => (
                FaultClass::FatalHost,
                format!(
                    "nothing can be written to {path}/.daylily-watch\nhint: see who may write \
                     there and whether its file system is read-only"
                ),
            ),
            _ => return None,
        };
        Some(Fault::new(class, text))
    }

    /// The fault of a script that ended with another code than 0.
    pub(crate) fn failed(&self, script: Script, answer: &Answer) -> Fault {
        let said = first_line(&answer.stderr);
        let says = |words: [&str; 2]| words.iter().any(|word| said.contains(word));
        let class = match script.about {
            _ if says(["No space left", "Disk quota exceeded"]) => FaultClass::NoSpace,
            About::Host if says(["Permission denied", "Read-only file system"]) => {
                FaultClass::FatalHost
            }
            About::Host | About::Attempt | About::Case => FaultClass::TransientStep,
        };
        let text = match (said.is_empty(), answer.code) {
            (false, _) => format!("{}: {said}", self.path),
            (true, Some(code::MISSING)) => format!("{}: the directory is missing", self.path),
            (true, Some(code)) => format!("{}: the script ended with {code}", self.path),
            (true, None) => format!("{}: the script was ended by a signal", self.path),
        };
        Fault::new(class, text)
    }
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}
