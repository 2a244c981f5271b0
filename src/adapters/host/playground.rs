//! Owns the folder of a selftest on a headnode: the records that its jobs write of
//! themselves, where the program under test never looks, and the signs that they wait
//! for. It is removed as a whole.

use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::proof::ask;
use super::shell::{Answer, Shell};

const BEGIN: &str = include_str!("scripts/play_begin.sh");
const LOOK: &str = include_str!("scripts/play_look.sh");
const SIGN: &str = include_str!("scripts/play_sign.sh");
const END: &str = include_str!("scripts/trial_end.sh");

pub struct Playground<S> {
    shell: S,
    dir: String,
}

/// What one look at it saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The names of the records and signs.
    pub records: Vec<String>,
    /// In the folder that was asked about.
    pub files: usize,
    /// How many jobs have written their end.
    pub ended: usize,
    /// Whether a daemon has ever had its work_dir in it.
    pub may_have_attempts: bool,
}

impl<S: Shell> Playground<S> {
    /// In `folder`, which is there and ours to write to; `word` tells it from all others.
    pub fn new(shell: S, folder: &str, word: &str) -> Self {
        Self { shell, dir: format!("{}/.daylily-selftest-{word}", folder.trim_end_matches('/')) }
    }

    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// Where a daemon may have its work_dir.
    pub fn work_dir(&self) -> String {
        format!("{}/work", self.dir)
    }

    pub fn records(&self) -> String {
        format!("{}/records", self.dir)
    }

    pub async fn make(&self) -> Result<(), Fault> {
        self.must(BEGIN, &[&self.dir], "cannot be made").await.map(drop)
    }

    /// Also counts the files in one folder.
    pub async fn look(&self, folder: &str) -> Result<Seen, Fault> {
        let answer = self.must(LOOK, &[&self.dir, folder], "cannot be looked at").await?;
        let text = String::from_utf8_lossy(&answer.stdout);
        let mut seen = Seen::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("record", name)) => seen.records.push(name.to_owned()),
                Some(("files", count)) => seen.files = count.trim().parse().unwrap_or(0),
                Some(("ended", count)) => seen.ended = count.trim().parse().unwrap_or(0),
                None if line == "attempts" => seen.may_have_attempts = true,
                None if line == "end" => return Ok(seen),
                Some(_) | None => {}
            }
        }
        let text = format!("{} cannot be looked at: the answer has no end", self.dir);
        Err(Fault::new(FaultClass::TransientStep, text))
    }

    /// Makes a sign. `name` is a plain file name.
    pub async fn give_sign(&self, name: &str) -> Result<(), Fault> {
        self.must(SIGN, &[&self.dir, name], "cannot be written to").await.map(drop)
    }

    /// Removes all of it. Nothing of it may run any more.
    pub async fn remove(&self) -> Result<(), Fault> {
        self.must(END, &[&self.dir], "cannot be removed").await.map(drop)
    }

    async fn must(
        &self,
        script: &'static str,
        args: &[&str],
        otherwise: &str,
    ) -> Result<Answer, Fault> {
        let answer = ask(&self.shell, script, args).await?;
        if answer.code == Some(0) {
            return Ok(answer);
        }
        let said = answer.stderr.lines().next().unwrap_or_default();
        Err(Fault::new(FaultClass::TransientStep, format!("{} {otherwise}: {said}", self.dir)))
    }
}
