//! Owns what the scripts of this folder print: the surroundings, the list after them, or
//! one answer for each of several entries. A line that is not understood says nothing.

use std::collections::{BTreeMap, BTreeSet};

/// What is told of the surroundings is short; anything longer was told by something else.
const MOST_TOLD: usize = 64 << 10;

/// What a script told of where pueue was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    pub user: String,
    /// XDG_RUNTIME_DIR, or nothing.
    pub runtime: String,
    /// PUEUE_CONFIG_PATH, or nothing.
    pub config: String,
    pub path: String,
    /// Folders outside of `path` that have the program.
    pub found: Vec<String>,
    /// Daemons of our user.
    pub daemons: Vec<Daemon>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    pub pid: u32,
    pub parent: u32,
    /// In the kernel's ticks since the machine was started.
    pub started: u64,
    /// Whether it was started with the configuration that we ask with, where we name one.
    pub named: Option<bool>,
}

impl Surroundings {
    /// Which run of the daemon answers, where just one can: one that is no child of
    /// another, as what it starts carries its name for a moment.
    pub fn instance(&self) -> Option<String> {
        let pids: BTreeSet<u32> = self.daemons.iter().map(|daemon| daemon.pid).collect();
        let mut daemons: Vec<&Daemon> =
            self.daemons.iter().filter(|daemon| !pids.contains(&daemon.parent)).collect();
        if daemons.iter().any(|daemon| daemon.named == Some(true)) {
            daemons.retain(|daemon| daemon.named == Some(true));
        }
        match daemons[..] {
            [daemon] => Some(format!("{} {}", daemon.pid, daemon.started)),
            _ => None,
        }
    }

    fn take(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "user" => self.user = rest.to_owned(),
            "runtime" => self.runtime = rest.to_owned(),
            "config" => self.config = rest.to_owned(),
            "path" => self.path = rest.to_owned(),
            "found" => self.found.push(rest.to_owned()),
            "pueued" => self.daemons.extend(daemon(rest)),
            _ => {}
        }
    }
}

fn daemon(line: &str) -> Option<Daemon> {
    let words: Vec<&str> = line.split(' ').collect();
    let [pid, parent, started, named] = words[..] else { return None };
    let named = match named {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let (pid, parent) = (pid.parse().ok()?, parent.parse().ok()?);
    Some(Daemon { pid, parent, started: started.parse().ok()?, named })
}

/// The surroundings, and what follows them.
pub fn looked(stdout: &[u8]) -> (Surroundings, &[u8]) {
    let mut around = Surroundings::default();
    let mut rest = stdout;
    while !rest.is_empty() && stdout.len() - rest.len() < MOST_TOLD {
        let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        if end > MOST_TOLD {
            break;
        }
        let line = String::from_utf8_lossy(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
        if line == "answer" {
            return (around, rest);
        }
        around.take(&line);
    }
    (around, &[])
}

/// What a script said of several entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    pub of: BTreeMap<String, Answer>,
    pub around: Surroundings,
    /// It got to its end: what has no answer was not tried.
    pub whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is no `job.sh`, and the client was not called.
    Missing,
    Said {
        code: i32,
        text: String,
    },
}

pub fn answers(stdout: &[u8]) -> Answers {
    let mut answers = Answers::default();
    let mut last = String::new();
    for line in String::from_utf8_lossy(stdout).lines() {
        if let Some(said) = line.strip_prefix("| ") {
            if let Some(Answer::Said { text, .. }) = answers.of.get_mut(&last) {
                text.push_str(said);
                text.push('\n');
            }
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["answer", key, code] => {
                let Ok(code) = code.parse() else { continue };
                last = key.to_owned();
                answers.of.insert(last.clone(), Answer::Said { code, text: String::new() });
            }
            ["missing", key] => {
                answers.of.insert(key.to_owned(), Answer::Missing);
            }
            ["end"] => answers.whole = true,
            _ => answers.around.take(line),
        }
    }
    answers
}

#[cfg(test)]
mod tests;
