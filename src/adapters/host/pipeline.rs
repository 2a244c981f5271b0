//! Owns the command of a workset's attempt: the workset's own values, quoted, before the
//! fixed part in `scripts/pipeline.sh`. What follows `dy-r` is shell text that the workset
//! may say, and is read by a shell; nothing else of a workset is.

use std::fmt::Write as _;

use daylily_lifecycle::workset_run::WorksetRun;

use super::quote::{Unquotable, quote};

/// Where an attempt of a workset runs, and under which names.
#[derive(Debug, Clone, Copy)]
pub struct WorksetPlace<'a> {
    /// The folder of the case on the headnode.
    pub dir: &'a str,
    pub attempt_dir: &'a str,
    /// Put in for `{workset}`.
    pub workset: &'a str,
    /// Put in for `{workdir_name}`.
    pub workdir_name: &'a str,
}

/// The command, for a POSIX shell.
pub fn workset_command(run: &WorksetRun, place: &WorksetPlace<'_>) -> Result<String, Unquotable> {
    let mut text = String::new();
    let mut line = |text_of_line: String| {
        text.push_str(&text_of_line);
        text.push('\n');
    };
    let within = |path: &str| match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", place.dir),
    };
    let run_directory = run.run_directory.as_deref().map_or(place.dir.to_owned(), within);
    line(format!("dw_attempt_dir={}", quote(place.attempt_dir)?));
    line(format!("dw_run={}", quote(&run_directory)?));
    line(format!("dw_activate={}", quote(&words("dy-a", &run.dy_a_args)?)?));
    line(format!("dw_command={}", quote(&format!("dy-r {}", run.command))?));
    line(format!("dw_clones={}", if run.clone.is_some() { "yes" } else { "" }));
    let args: Vec<String> = run.clone.iter().flatten().map(|word| put_in(word, place)).collect();
    line(format!("dw_clone() {{\n    {}\n}}", words("day-clone", &args)?));
    let mut tables = String::from("dw_tables() {\n    :");
    for table in &run.tables {
        let (from, to) = (quote(&within(&table.from))?, quote(&format!("./{}", table.to))?);
        // Writing to a String has no way to fail.
        let _ = write!(tables, "\n    dw_copy {from} {to}");
    }
    line(format!("{tables}\n}}"));
    let mut environment = String::from("dw_environment() {\n    :");
    for (name, value) in run.environment.iter().filter(|(name, _)| super::job::is_variable(name)) {
        let _ = write!(environment, "\n    export {name}={} || return", quote(value)?);
    }
    line(format!("{environment}\n}}"));
    text.push_str(include_str!("scripts/pipeline.sh"));
    Ok(text)
}

fn words(program: &str, args: &[String]) -> Result<String, Unquotable> {
    let mut text = program.to_owned();
    for arg in args {
        text.push(' ');
        text.push_str(&quote(arg)?);
    }
    Ok(text)
}

/// Once, from left to right: what is put in is not looked at again.
fn put_in(word: &str, place: &WorksetPlace<'_>) -> String {
    let mut text = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = [("{workset}", place.workset), ("{workdir_name}", place.workdir_name)];
        match known.into_iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, value)) => {
                text.push_str(value);
                rest = &rest[name.len()..];
            }
            None => {
                text.push('{');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests;
