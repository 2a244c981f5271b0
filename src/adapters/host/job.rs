//! Owns the text of `job.sh` and `case.json`: an attempt's own values, quoted, before
//! the fixed part in `scripts/job.sh`. The command decides nothing of the protocol.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use daylily_lifecycle::ids::IntakeName;

use super::Job;
use super::names::bounded_name;
use super::quote::{Unquotable, quote};

/// What a job gets from its headnode, whichever case it is of.
#[derive(Debug, Clone)]
pub struct JobGround {
    /// The absolute `<work_dir>/.daylily-watch`.
    pub root: String,
    /// Put before the PATH; `~/` at the start is the home on the headnode.
    pub path: Vec<String>,
    /// The headnode's environment; the job's own goes before it.
    pub env: BTreeMap<String, String>,
    /// Of what the command makes.
    pub umask: u32,
    /// How long to wait between two tries to write the end record.
    pub retry_every: Duration,
    /// How many tries are made.
    pub retries: u32,
}

impl JobGround {
    pub fn new(root: String, path: Vec<String>, env: BTreeMap<String, String>, umask: u32) -> Self {
        // A day of waiting for room.
        let (retry_every, retries) = (Duration::from_secs(10), 24 * 360);
        Self { root, path, env, umask, retry_every, retries }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Unquotable(#[from] Unquotable),
    #[error("{name:?} cannot be the name of an environment variable")]
    VariableName { name: String },
    #[error("no shell is configured for the command")]
    NoShell,
}

/// Where the lock of a case is, below `cases/`: its intake's folder and its name.
///
/// It goes by the case's name on the headnode: that is the folder two attempts must
/// not work in at once, and what a person abandoned and shipped elsewhere must not
/// block the new try.
pub fn case_lock(job: &Job) -> (String, String) {
    lock_of(&job.intake, &job.remote_name)
}

/// The same by the names alone.
pub(super) fn lock_of(intake: &IntakeName, remote_name: &str) -> (String, String) {
    (bounded_name(intake.as_str(), ""), bounded_name(remote_name, ".lock"))
}

/// Enough to rebuild the row of a lost database.
pub fn case_json(job: &Job) -> String {
    match &job.record {
        Some(record) => record.to_line(),
        None => serde_json::json!({
            "attempt": job.attempt,
            "number": job.number,
            "intake": job.intake,
            "name": job.name,
            "arrival": job.arrival,
            "digest": job.digest,
            "remote_name": job.remote_name,
            "dir": job.dir,
        })
        .to_string(),
    }
}

pub fn job_script(job: &Job, ground: &JobGround) -> Result<String, JobError> {
    let (intake, lock) = case_lock(job);
    let root = &ground.root;
    let mut text = String::from(
        "#!/bin/sh\n# Runs one attempt of one case, once, however often it is started.\n",
    );
    let mut assign = |name: &str, value: &str| -> Result<(), Unquotable> {
        let value = quote(value)?;
        text.push_str(&format!("{name}={value}\n"));
        Ok(())
    };
    assign("attempt", job.attempt.as_str())?;
    assign("attempt_dir", &format!("{root}/{}", job.attempt))?;
    assign("case_lock", &format!("{root}/cases/{intake}/{lock}"))?;
    assign("retries", &ground.retries.to_string())?;
    assign("retry_every", &ground.retry_every.as_secs_f64().to_string())?;
    write_path(&mut text, ground)?;
    let mut env = ground.env.clone();
    env.extend(job.env.clone());
    // Last, so that nothing configured makes the job's processes those of another.
    env.insert("DAYLILY_ATTEMPT".to_owned(), job.attempt.to_string());
    write_surroundings(&mut text, job, ground, &env)?;
    write_run(&mut text, job, &after_setup(job, &job.command))?;
    text.push_str(include_str!("scripts/claim.sh"));
    text.push('\n');
    text.push_str(include_str!("scripts/job.sh"));
    Ok(text)
}

/// A script for `sh -s` that runs `command` with all that the job has, but one thing:
/// what carries DAYLILY_ATTEMPT counts as a process of the job. The command itself knows
/// the id by that name all the same, and what it starts finds it as DAYLILY_STOP.
pub fn stop_script(job: &Job, command: &str, ground: &JobGround) -> Result<String, JobError> {
    let mut text = String::new();
    write_path(&mut text, ground)?;
    let mut env = ground.env.clone();
    env.extend(job.env.clone());
    env.remove("DAYLILY_ATTEMPT");
    env.insert("DAYLILY_STOP".to_owned(), job.attempt.to_string());
    write_surroundings(&mut text, job, ground, &env)?;
    let known = format!("DAYLILY_ATTEMPT=$DAYLILY_STOP\n{}", after_setup(job, command));
    write_run(&mut text, job, &known)?;
    text.push_str("unset DAYLILY_ATTEMPT\nPATH=$path\nexport PATH\n");
    text.push_str("(surroundings || exit 96; run) </dev/null\nexit $?\n");
    Ok(text)
}

fn write_path(text: &mut String, ground: &JobGround) -> Result<(), JobError> {
    text.push_str("path=");
    for folder in &ground.path {
        match folder.strip_prefix("~/") {
            Some(below) => write_to(text, format_args!("\"${{HOME:-/}}\"/{}", quote(below)?)),
            None => text.push_str(&quote(folder)?),
        }
        text.push(':');
    }
    text.push_str("\"${PATH:-/usr/local/bin:/usr/bin:/bin}\"\n\n");
    Ok(())
}

fn write_surroundings(
    text: &mut String,
    job: &Job,
    ground: &JobGround,
    env: &BTreeMap<String, String>,
) -> Result<(), JobError> {
    text.push_str("# Where and with what the command runs.\nsurroundings() {\n");
    write_to(text, format_args!("    umask {:04o}\n", ground.umask & 0o777));
    for (name, value) in env {
        if !is_variable(name) {
            return Err(JobError::VariableName { name: name.clone() });
        }
        write_to(text, format_args!("    export {name}={}\n", quote(value)?));
    }
    write_to(text, format_args!("    cd -- {}\n}}\n\n", quote(&job.dir)?));
    Ok(())
}

fn write_run(text: &mut String, job: &Job, command: &str) -> Result<(), JobError> {
    if job.shell.is_empty() {
        return Err(JobError::NoShell);
    }
    text.push_str("run() {\n    exec");
    for word in &job.shell {
        write_to(text, format_args!(" {}", quote(word)?));
    }
    write_to(text, format_args!(" {}\n}}\n\n", quote(command)?));
    Ok(())
}

/// Setup and command in one shell, since the setup is there to change that shell.
fn after_setup(job: &Job, command: &str) -> String {
    match job.setup.as_deref().map(str::trim) {
        // The colon keeps a setup of comments alone from being a syntax error.
        Some(setup) if !setup.is_empty() => {
            format!("{{ :\n{setup}\n}} || exit $?\n{command}")
        }
        Some(_) | None => command.to_owned(),
    }
}

pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn write_to(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String has no way to fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests;
