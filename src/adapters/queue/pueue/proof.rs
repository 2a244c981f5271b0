//! Owns what `check` asks of pueue: everything about its client, its daemon and its list
//! in one script, without being the owner of any work_dir. It changes nothing there.

use std::collections::BTreeMap;
use std::time::Duration;

use daylily_lifecycle::ids::{AttemptId, GroupName, HeadnodeName};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use serde::Deserialize;
use serde_json::Value;

use super::answers::{self, Surroundings};
use super::document;
use super::trouble::{self, Asked, Doing, Trouble};
use crate::adapters::host::remains::Listed;
use crate::adapters::host::shell::{Answer, Ask, Ran, Shell};
use crate::adapters::queue::QueueLook;

const EXAMINE: &str =
    concat!(include_str!("scripts/client.sh"), "\n", include_str!("scripts/examine.sh"));
const ENTRIES: &str =
    concat!(include_str!("scripts/client.sh"), "\n", include_str!("scripts/entries.sh"));

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Beside the client's answers.
const GRACE: Duration = Duration::from_secs(15);

const LIST_MAX: usize = 16 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Such as 4.0.4. None: it is not found, or does not say.
    pub client: Option<String>,
    /// Those of our user, the one that answers first.
    pub daemons: Vec<Daemon>,
    pub list: Result<List, Fault>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    pub pid: u32,
    pub version: Option<String>,
    /// Its place in the kernel's tree of groups, which tells what ends with what.
    pub cgroup: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    pub look: QueueLook,
    /// How many entries of anybody run, by group.
    pub running: BTreeMap<GroupName, u32>,
}

/// Asks the client `command` on `headnode`, as people call it.
pub async fn examine(
    shell: &dyn Shell,
    headnode: &HeadnodeName,
    command: &str,
) -> Result<Examined, Fault> {
    let once = examine_once(shell, headnode, command).await?;
    match &once.list {
        // Once is no proof: the daemon may have gone away, or the document been cut off.
        Err(Missed::HungUp(_) | Missed::Odd(_)) => {}
        Err(Missed::Fault(_)) | Ok(_) => return Ok(once.told(headnode, command)),
    }
    Ok(examine_once(shell, headnode, command).await?.told(headnode, command))
}

/// The entries of one label, for a [`Trial`](crate::adapters::host::trial::Trial).
#[derive(Debug)]
pub struct Entries<S> {
    pub shell: S,
    pub headnode: HeadnodeName,
    pub command: String,
}

#[async_trait::async_trait]
impl<S: Shell> Listed for Entries<S> {
    async fn entries(&self, label: &AttemptId) -> Result<usize, Fault> {
        let answer = ask(&self.shell, ENTRIES, &self.command, &[label.as_str()]).await?;
        let said = String::from_utf8_lossy(&answer.stdout);
        if answer.code != Some(0) {
            let around = Surroundings::default();
            let asked = asked(&self.headnode, &self.command, &around);
            let said = format!("{}\n{said}", answer.stderr);
            return Err(trouble::fault(asked, answer.code, &said, None));
        }
        document_of(&answer.stdout).map(|document| document.tasks.len()).ok_or_else(|| {
            let text = format!("the list of pueue on {} cannot be understood", self.headnode);
            Fault::new(FaultClass::TransientHost, text)
        })
    }
}

struct Once {
    around: Surroundings,
    client: Option<String>,
    daemons: Vec<Daemon>,
    list: Result<List, Missed>,
}

enum Missed {
    Fault(Fault),
    HungUp(String),
    Odd(String),
}

impl Once {
    fn told(self, headnode: &HeadnodeName, command: &str) -> Examined {
        let asked = asked(headnode, command, &self.around);
        let list = self.list.map_err(|missed| match missed {
            Missed::Fault(fault) => fault,
            Missed::HungUp(said) => trouble::wrong_secret(asked, &said),
            Missed::Odd(why) => {
                let text = format!(
                    "the list of pueue on {headnode} cannot be understood: {why}\n\
                     hint: on {headnode}: cargo install pueue --locked, which installs version 4"
                );
                Fault::new(FaultClass::FatalHost, text)
            }
        });
        Examined { client: self.client, daemons: self.daemons, list }
    }
}

async fn examine_once(
    shell: &dyn Shell,
    headnode: &HeadnodeName,
    command: &str,
) -> Result<Once, Fault> {
    let answer = ask(shell, EXAMINE, command, &[]).await?;
    let (around, list) = answers::looked(&answer.stdout);
    let head = &answer.stdout[..answer.stdout.len() - list.len()];
    let head = String::from_utf8_lossy(head).into_owned();
    let client = head.lines().find_map(|line| line.strip_prefix("client "));
    let mut daemons: Vec<Daemon> = head.lines().filter_map(daemon).collect();
    let answering = around.instance();
    let answers =
        |pid: u32| answering.as_deref().is_some_and(|i| i.starts_with(&format!("{pid} ")));
    daemons.sort_by_key(|daemon| !answers(daemon.pid));
    let list = if answer.code == Some(0) {
        document::read(list)
            .map_err(|odd| Missed::Odd(odd.to_string()))
            .map(|look| List { look, running: running(list) })
    } else {
        let said = format!("{}\n{}", answer.stderr, String::from_utf8_lossy(list));
        Err(if trouble::trouble(answer.code, &said) == Trouble::HungUp {
            Missed::HungUp(said)
        } else {
            let asked = asked(headnode, command, &around);
            Missed::Fault(trouble::fault(asked, answer.code, &said, None))
        })
    };
    Ok(Once { around, client: client.and_then(version), daemons, list })
}

async fn ask(
    shell: &dyn Shell,
    script: &'static str,
    command: &str,
    args: &[&str],
) -> Result<Answer, Fault> {
    let patience = PATIENCE.as_secs().to_string();
    let args = [command, &patience].iter().chain(args).map(|&arg| arg.to_owned()).collect();
    let limit = PATIENCE + GRACE;
    match shell.run(Ask { script, args, stdin: &[], more: None, limit, keep: LIST_MAX }).await? {
        Ran::Ended(answer) => Ok(answer),
        Ran::TimedOut => {
            let text = format!("a script about pueue has not ended for {} s", limit.as_secs());
            Err(Fault::new(FaultClass::TransientHost, text))
        }
    }
}

fn asked<'a>(headnode: &'a HeadnodeName, command: &'a str, around: &'a Surroundings) -> Asked<'a> {
    Asked { headnode: headnode.as_str(), command, doing: Doing::Looking, around }
}

/// `pueue 4.0.4`, and nothing that could be anything else.
fn version(line: &str) -> Option<String> {
    let version = line.split_whitespace().nth(1)?;
    let plain = version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    (plain && version.starts_with(|c: char| c.is_ascii_digit())).then(|| version.to_owned())
}

fn daemon(line: &str) -> Option<Daemon> {
    let mut parts = line.strip_prefix("daemon ")?.splitn(3, '\t');
    let (pid, says, cgroup) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Daemon { pid: pid.parse().ok()?, version: version(says), cgroup: cgroup.to_owned() })
}

/// What is wanted of the document beside what [`document`] reads.
#[derive(Deserialize)]
struct Document {
    tasks: BTreeMap<String, Task>,
}

#[derive(Deserialize)]
struct Task {
    #[serde(default)]
    group: Value,
    #[serde(default)]
    status: Value,
}

fn document_of(bytes: &[u8]) -> Option<Document> {
    let begins = bytes.split_inclusive(|&b| b == b'\n').scan(0, |at, line| {
        let begins = *at;
        *at += line.len();
        Some((begins, line))
    });
    let (begins, _) =
        begins.into_iter().find(|(_, line)| line.trim_ascii_start().starts_with(b"{"))?;
    serde_json::from_slice(&bytes[begins..]).ok()
}

/// Those that have a place: running, or stopped in the middle.
fn running(bytes: &[u8]) -> BTreeMap<GroupName, u32> {
    let mut running = BTreeMap::new();
    for task in document_of(bytes).map(|document| document.tasks).unwrap_or_default().values() {
        let status = match &task.status {
            Value::String(word) => Some(word.as_str()),
            Value::Object(map) => map.keys().next().map(String::as_str),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        if let (Some("Running" | "Paused"), Some(group)) = (status, task.group.as_str()) {
            *running.entry(GroupName::new(group)).or_insert(0) += 1;
        }
    }
    running
}

#[cfg(test)]
mod tests;
