//! Owns what a workset means for its case: what of it is waited for, what is wrong with it,
//! what is to be asked of S3, and how its pipeline is run.

use std::path::Path;

use daylily_lifecycle::settle::Manifest;
use daylily_lifecycle::workset_run::{TableCopy, WorksetRun};

use crate::intake::directory::manifest::Wanted;
use crate::intake::workset::document::{NAME, SAMPLES, Workset};
use crate::intake::workset::{self, Read};
use crate::reconcile::scan::rules::Rules;

/// What is known of a case besides its folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Knowledge<'a> {
    /// Its name.
    pub(crate) workset: &'a str,
    pub(crate) wanted: &'a Wanted,
    /// A person said to start it without what is missing.
    pub(crate) accepted: bool,
    /// Whether there is somebody to ask for objects in S3.
    pub(crate) asks: bool,
}

/// What a workset comes to.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) manifest: Manifest,
    pub(crate) problems: Vec<String>,
    /// None where anything is wrong.
    pub(crate) run: Option<Box<WorksetRun>>,
}

/// `listed` is what was found of a list of checksums.
pub(crate) fn seen(read: Read, listed: Manifest, known: &Knowledge<'_>) -> Seen {
    let run = read.workset.as_ref().map(|set| run(set, &read, known.workset));
    // Files that are still to come are waited for by the condition that waits for manifests.
    let waits = match known.wanted {
        Wanted::Usual => true,
        Wanted::None | Wanted::Named(_) => false,
    };
    let without_table = read.samples.is_none();
    let is_mistake = !waits || (known.accepted && without_table);
    let problems = if is_mistake && !read.missing.is_empty() {
        read.with_missing()
    } else {
        let Read { problems, missing, files, objects, unseen, samples, .. } = read;
        if problems.0.is_empty() {
            let objects = u64::try_from(objects.len()).unwrap_or(u64::MAX);
            let asked = if known.asks { objects } else { 0 };
            let first = missing.first().map(|missing| {
                let path = crate::tree::shown(missing.path.as_ref());
                (path, crate::tree::shown(missing.by.as_ref()))
            });
            let manifest = Manifest::Workset {
                name: name(samples.as_deref(), list(&listed)),
                files,
                missing: u64::try_from(missing.len()).unwrap_or(u64::MAX),
                first,
                objects: asked,
                unseen: unseen + (objects - asked),
                listed: list(&listed).is_some(),
            };
            let manifest = if is_whole(&listed) { manifest } else { listed };
            return Seen { manifest, problems: Vec::new(), run: run.map(Box::new) };
        }
        problems
    };
    // It is told at once, also where more is still to come.
    let manifest = if is_whole(&listed) { listed } else { Manifest::None };
    Seen { manifest, problems: problems.into_lines(), run: None }
}

fn is_whole(listed: &Manifest) -> bool {
    match listed {
        Manifest::None | Manifest::There { missing: 0, .. } => true,
        Manifest::Missing { .. }
        | Manifest::Odd { .. }
        | Manifest::There { .. }
        | Manifest::Workset { .. } => false,
    }
}

/// By what a comparison with all that it names is known again.
pub(crate) fn name(samples: Option<&str>, list: Option<&str>) -> String {
    let samples = crate::tree::shown(samples.unwrap_or(SAMPLES).as_ref());
    match list {
        Some(list) => format!("{samples} and {list}"),
        None => samples,
    }
}

/// The list of checksums that is there.
fn list(listed: &Manifest) -> Option<&str> {
    match listed {
        Manifest::There { name, .. } => Some(name),
        Manifest::None
        | Manifest::Missing { .. }
        | Manifest::Odd { .. }
        | Manifest::Workset { .. } => None,
    }
}

fn run(set: &Workset, read: &Read, name: &str) -> WorksetRun {
    let pipeline = &set.pipeline;
    let usual = || workset::directory_name(name).unwrap_or_else(|| "workset".to_owned());
    let copies = [
        (read.samples.as_ref(), &pipeline.samples_config_path),
        (read.units.as_ref(), &pipeline.units_config_path),
    ];
    let copies = copies.into_iter().filter_map(|(from, to)| Some((from?, to)));
    WorksetRun {
        clone: pipeline.clone.clone(),
        workdir_name: pipeline.workdir_name.clone().unwrap_or_else(usual),
        run_directory: pipeline.run_directory.clone(),
        tables: copies.map(|(from, to)| TableCopy { from: from.clone(), to: to.clone() }).collect(),
        dy_a_args: pipeline.dy_a_args.clone(),
        command: pipeline.command.clone(),
        environment: pipeline.environment.clone(),
    }
}

/// Reads the folder, unless what makes it a workset is no part of a case, or is refused.
pub(crate) fn read(folder: &Path, rules: &Rules) -> std::io::Result<Option<Read>> {
    match rules.scan.ignore.matches(NAME) || rules.refuse_worksets {
        true => Ok(None),
        false => workset::read(folder),
    }
}

/// Whether it is a workset in an intake that takes none.
pub(crate) fn is_refused(folder: &Path, rules: &Rules) -> bool {
    rules.refuse_worksets && !rules.scan.ignore.matches(NAME) && workset::is_one(folder)
}

pub(crate) fn refusal() -> String {
    format!("{NAME} makes it a workset, and this intake is configured to refuse worksets")
}
