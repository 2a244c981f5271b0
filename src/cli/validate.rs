//! `validate`: tells everything that is wrong with a workset, before anybody sends it. It
//! needs neither a configuration nor a daemon, and changes nothing.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::args::Validate;
use super::printer::Printer;
use super::{Exit, Outcome, words};
use crate::app;
use crate::config::error::ConfigError;
use crate::intake::workset::document::{self, Aws, Workset};
use crate::intake::workset::heads::{Asked, Heads, ask};
use crate::intake::workset::{self, Read};

/// What is told of a workset.
#[derive(Debug, Serialize)]
struct Told {
    valid: bool,
    problems: Vec<Problem>,
    /// Files within the workset that are named, tables among them.
    files: u64,
    /// Objects in S3 that are named.
    objects: usize,
    /// Whether S3 was asked for them.
    looked_at: bool,
    /// What the workset says and this version does nothing about.
    not_acted_on: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Problem {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    /// A key of the YAML, or a column of a table.
    key: String,
    message: String,
    hint: Option<String>,
}

pub(super) fn run(args: &Validate, printer: &mut Printer) -> Outcome {
    let shown = words::plain(&args.workset);
    if args.workset.contains("://") {
        printer.say(format!(
            "error: {shown} cannot be looked into by this version\n\
             hint: copy the workset into a folder and validate that"
        ))?;
        return Ok(Exit::Usage);
    }
    let folder = Path::new(&args.workset);
    if !folder.is_dir() {
        printer.say(format!(
            "error: there is no folder {shown}\nhint: name the folder that {} is in",
            document::NAME
        ))?;
        return Ok(Exit::Usage);
    }
    let Some(read) = workset::read(folder)? else {
        printer.say(format!(
            "error: {shown} is no workset: there is no {}\nhint: docs/worksets.md says what is in one",
            document::NAME
        ))?;
        return Ok(Exit::No);
    };
    let heads = if args.no_head { None } else { app::heads() };
    if heads.is_none() && !args.no_head && !read.objects.is_empty() {
        printer.say(format!(
            "error: this version cannot ask S3 for the {} that {shown} names\n\
             hint: `--no-head` validates all the rest",
            count(read.objects.len())
        ))?;
        return Ok(Exit::Usage);
    }
    match asked(&read, heads)? {
        Some(Asked::NotAll { why, .. }) => {
            printer.say(format!(
                "error: nothing can be said of {shown} yet: {}\n\
                 hint: try again later, or `--no-head` validates all the rest",
                words::plain(&why)
            ))?;
            Ok(Exit::Unreachable)
        }
        Some(Asked::All { problems }) => tell(args, read, problems.0, true, printer),
        Some(Asked::Stopped) | None => tell(args, read, Vec::new(), false, printer),
    }
}

/// None: nobody was asked.
fn asked(read: &Read, heads: Option<Arc<dyn Heads>>) -> anyhow::Result<Option<Asked>> {
    let Some(heads) = heads.filter(|_| !read.objects.is_empty()) else { return Ok(None) };
    let usual = Aws::default();
    let aws = read.workset.as_ref().map_or(&usual, |set| &set.aws);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let never = CancellationToken::new();
    Ok(Some(runtime.block_on(ask(&heads, aws, &read.objects, &never))))
}

fn tell(
    args: &Validate,
    read: Read,
    of_objects: Vec<ConfigError>,
    looked_at: bool,
    printer: &mut Printer,
) -> Outcome {
    let (files, objects, unseen) = (read.files, read.objects.len(), read.unseen);
    let not_acted_on = read.workset.as_ref().map(Workset::not_acted_on).unwrap_or_default();
    let mut errors = read.with_missing().0;
    errors.extend(of_objects);
    let valid = errors.is_empty();
    let exit = if valid { Exit::Done } else { Exit::No };
    if args.json {
        let problems = errors.into_iter().map(Problem::of).collect();
        printer.json(&Told { valid, problems, files, objects, looked_at, not_acted_on })?;
        return Ok(exit);
    }
    for error in &errors {
        let lines: Vec<String> = error.to_string().lines().map(words::plain).collect();
        printer.line(lines.join("\n"))?;
    }
    for key in not_acted_on {
        printer
            .say(format!("note: {key} is understood, and this version does nothing about it"))?;
    }
    if unseen > 0 {
        printer
            .say(format!("note: folders in S3 are not looked into, and {unseen} of them named"))?;
    }
    let shown = words::plain(&args.workset);
    if valid {
        let s3 = match (objects, looked_at) {
            (0, _) => String::new(),
            (many, true) => format!(" and {} in S3", count(many)),
            (many, false) => format!("; {} in S3 not looked at", count(many)),
        };
        let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        printer.line(format!("{shown}: valid, with {files} of its own{s3}"))?;
    } else {
        let many =
            if errors.len() == 1 { "1 problem" } else { &format!("{} problems", errors.len()) };
        printer.line(format!("{shown}: not valid, {many}"))?;
    }
    Ok(exit)
}

impl Problem {
    fn of(error: ConfigError) -> Self {
        Self {
            file: error.file.to_string_lossy().into_owned(),
            line: error.at.map(|at| at.line),
            column: error.at.map(|at| at.column),
            key: error.key,
            message: error.message,
            hint: error.hint,
        }
    }
}

fn count(objects: usize) -> String {
    if objects == 1 { "1 object".to_owned() } else { format!("{objects} objects") }
}
