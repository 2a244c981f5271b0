//! Whether the headnode has the programs that are run there.

use daylily_lifecycle::ids::PipelineName;
use futures_util::future::join_all;

use super::{At, Report};
use crate::adapters::host::shell::{Ask, Ran, SHORT, Shell};
use crate::adapters::host::survey::{Rsync, Survey};
use crate::config::{PipelineSettings, Ship};

/// The first that makes missing folders on the way to where it copies.
pub(in crate::cli::check) const RSYNC_LEAST: (u32, u32, u32) = (3, 2, 3);

/// rsync runs at both ends of a copy, found in PATH there.
pub(super) fn rsync(report: &mut Report, at: &At<'_>, survey: &Survey) {
    if at.is_local() || matches!(at.headnode.ship, Ship::Shared { .. }) {
        return;
    }
    let (check, headnode) = (at.name("rsync"), &at.headnode.name);
    match &survey.rsync {
        Rsync::Found { path, says } => match Rsync::version(says) {
            Some(version) if version < RSYNC_LEAST => {
                let text = format!("{path} on {headnode} is too old: {says}");
                report.fail(
                    &check,
                    text,
                    at.there("install rsync 3.2.3 or later, and put its folder into `path` of the headnode"),
                );
            }
            Some((major, minor, patch)) => {
                report.ok(&check, format!("{path}, version {major}.{minor}.{patch}"));
            }
            None => {
                let text = format!("{path} on {headnode} does not tell its version: {says:?}");
                report.warn(&check, text, format!("see what this says there: {path} --version"));
            }
        },
        Rsync::Elsewhere(folders) => match folders.first() {
            Some(folder) => {
                let text = format!("rsync is not in PATH on {headnode}, but in {folder}");
                report.fail(&check, text, with_folder(at, folder));
            }
            None => {
                let text = format!("there is no rsync on {headnode}, and copying needs it");
                report.fail(&check, text, "on it: sudo apt install rsync");
            }
        },
    }
}

/// The line of the configuration that makes a folder known there.
pub(super) fn with_folder(at: &At<'_>, folder: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._~-+".contains(c);
    let folders = at.headnode.path.iter().map(String::as_str).chain([folder]).map(|folder| {
        if folder.chars().all(plain) { folder.to_owned() } else { format!("{folder:?}") }
    });
    let folders: Vec<String> = folders.collect();
    format!("in headnode {} of the configuration: path: [{}]", at.headnode.name, folders.join(", "))
}

/// The pipelines that cases get on this headnode.
pub(super) fn pipelines<'a>(
    at: &At<'a>,
) -> impl Iterator<Item = (&'a PipelineName, &'a PipelineSettings)> {
    let used = at.settings.pipelines_on(&at.headnode.name);
    let is_used = move |name: &PipelineName| used.iter().any(|(pipeline, _)| pipeline == name);
    at.settings.pipelines.iter().filter(move |(name, _)| is_used(name))
}

/// Whether what the pipelines of this headnode run is there. A warning only: a setup, or
/// the command itself, may yet make it so.
pub(super) async fn commands(report: &mut Report, at: &At<'_>, shell: &dyn Shell) {
    let looks = pipelines(at).filter_map(|(name, pipeline)| {
        let word = command_word(pipeline)?;
        let mut args = pipeline.shell.clone();
        args.push(format!("command -v {word}"));
        let script = "exec \"$@\" >/dev/null 2>&1";
        let ask = Ask { script, args, stdin: &[], more: None, limit: SHORT, keep: 1 };
        Some(async move { (name, word, shell.run(ask).await) })
    });
    for (name, word, ran) in join_all(looks).await {
        if let Ok(Ran::Ended(answer)) = ran
            && answer.code != Some(0)
        {
            let text = format!("{word} is not found in PATH of the headnode (pipeline {name})");
            let hint = format!("set headnodes[].path or pipelines.{name}.setup");
            report.warn(&at.name("command"), text, hint);
        }
    }
}

/// What a pipeline runs first, where that is a plain word and nothing else says where
/// programs are.
fn command_word(pipeline: &PipelineSettings) -> Option<&str> {
    let shell = pipeline.shell.first()?.rsplit('/').next()?;
    if !["sh", "bash", "dash", "ksh", "zsh"].contains(&shell)
        || pipeline.setup.is_some()
        || pipeline.env.contains_key("PATH")
    {
        return None;
    }
    let mut lines = pipeline.command.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let word = line.split([' ', '\t', ';']).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+');
    let begins = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    (begins && word.chars().all(plain)).then_some(word)
}
