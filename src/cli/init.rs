//! Owns `init`: an annotated configuration to begin with. It overwrites nothing, and
//! writes nothing that does not load.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::args::Init;
use super::printer::Printer;
use super::{Exit, Outcome, words_of_shell};
use crate::config::{self, Settings};

/// The annotated default. Every line that is replaced below stands in it once, which a
/// test holds.
const TEMPLATE: &str = include_str!("../../config/daylily-watch.yaml");

pub(super) fn init(init: &Init, printer: &mut Printer) -> Outcome {
    let file = &init.file;
    let text = render(init)?;
    let settings = write_new(file, &text)?;
    for intake in &settings.intakes {
        let mut builder = DirBuilder::new();
        let made = builder.mode(0o777).recursive(true).create(&intake.path);
        made.with_context(|| format!("make the intake {}", intake.path.display()))?;
    }
    printer.say(format!("wrote {}; the next steps:", file.display()))?;
    let config = words_of_shell(file);
    let intake = settings.intakes.first().map(|intake| words_of_shell(&intake.path));
    printer.line(format!("daylily-watch check --config {config}"))?;
    printer.line(format!("daylily-watch run --config {config}"))?;
    printer.line(format!("cp -r A_CASE {}/", intake.unwrap_or_default()))?;
    Ok(Exit::Done)
}

/// The annotated configuration with what was asked for filled in.
pub(super) fn render(init: &Init) -> anyhow::Result<String> {
    let mut lines: Vec<String> = TEMPLATE.lines().map(str::to_owned).collect();
    // The first paragraph tells of the default's own folders and numbers.
    let body = lines.iter().position(|line| line == "#").unwrap_or(0);
    let head = [
        "# The configuration of daylily-watch, for this machine alone: each folder that is dropped"
            .to_owned(),
        "# into the intake below is a case, copied to work_dir and run there.".to_owned(),
    ];
    lines.splice(..body, head);
    put(&mut lines, "    path: ./new_cases", format!("    path: {}", path(&init.intake)?))?;
    put(&mut lines, "    work_dir: ./work", format!("    work_dir: {}", path(&init.work_dir)?))?;
    put(&mut lines, "    command: dy-r", format!("    command: {}", quoted(&init.command)))?;
    let group = if init.gpus.is_empty() {
        format!("      - {{name: default, slots: {}}}", init.slots.unwrap_or(2))
    } else {
        format!("      - {{name: gpu, gpus: [{}]}}", list(&init.gpus))
    };
    put(&mut lines, "      - {name: default, slots: 2}", group)?;
    let default = lines.iter().find(|line| line.starts_with("# results: {fetch: [],")).cloned();
    let Some(default) = default else { bail!("the template has lost its line for results") };
    if !init.fetch.is_empty() || init.results != Path::new("./results") {
        let results = default
            .trim_start_matches("# ")
            .replace("fetch: []", &format!("fetch: [{}]", list(&init.fetch)))
            .replace("to: ./results", &format!("to: {}", path(&init.results)?));
        put(&mut lines, &default, results)?;
    }
    Ok(lines.join("\n") + "\n")
}

/// Replaces the one line that begins so; a remark behind it goes with it.
fn put(lines: &mut [String], old: &str, new: String) -> anyhow::Result<()> {
    let mut same = lines.iter_mut().filter(|line| line.starts_with(old));
    match (same.next(), same.next()) {
        (Some(line), None) => {
            *line = new;
            Ok(())
        }
        _ => bail!("the template has not exactly one line {old:?}"),
    }
}

fn path(path: &Path) -> anyhow::Result<String> {
    match path.to_str() {
        Some(text) => Ok(quoted(text)),
        None => bail!("{} is not valid UTF-8, which a configuration must be", path.display()),
    }
}

fn list(texts: &[String]) -> String {
    texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ")
}

/// Text as YAML reads it back: as it is where that is plain, else between double quotes,
/// where YAML knows the escapes of JSON. What YAML does not take as it is is escaped.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_');
    let inside = |c: char| plain(c) || matches!(c, '.' | '-');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        || text.starts_with("./")
        || text.starts_with("~/");
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if begins
        && text.trim_start_matches('~').chars().all(inside)
        && !words.contains(&text.to_ascii_lowercase().as_str())
    {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes it under another name, loads it, and gives it its own: what is there under
/// that name is never replaced.
fn write_new(file: &Path, text: &str) -> anyhow::Result<Settings> {
    let taken = || {
        anyhow::anyhow!(
            "{} is there already, and nothing was changed\n\
             hint: name another file, or move that one away",
            file.display()
        )
    };
    if file.symlink_metadata().is_ok() {
        return Err(taken());
    }
    let part = Part(file.with_added_extension("part"));
    let write = || -> std::io::Result<()> {
        let mut part = OpenOptions::new().write(true).create_new(true).open(&part.0)?;
        part.write_all(text.as_bytes())?;
        part.sync_all()
    };
    write().with_context(|| {
        format!("write {}\nhint: its folder must be there and writable", file.display())
    })?;
    let settings = config::load(&part.0).map_err(|mut errors| {
        for error in &mut errors.0 {
            error.file = file.to_owned();
        }
        anyhow::Error::new(errors).context("what was asked for makes no valid configuration")
    })?;
    match std::fs::hard_link(&part.0, file) {
        Ok(()) => Ok(settings),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(taken()),
        // Some file systems know no hard links.
        Err(_) => {
            std::fs::rename(&part.0, file).with_context(|| format!("write {}", file.display()))?;
            Ok(settings)
        }
    }
}

/// Removed when dropped.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // It has its own name by now, or was never there.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests;
