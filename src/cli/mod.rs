//! Owns the command line: one file for each verb, which says on stdout what it found
//! and on stderr what a person should know besides. No verb changes a case itself;
//! changing verbs file a request that the daemon answers.

pub mod accept;
mod adopt;
pub mod args;
mod ask;
mod backup;
mod bars;
pub mod cancel;
mod check;
mod clean;
pub mod confirm_dead;
mod connection;
mod demo;
mod describe;
pub mod desk;
pub mod drain;
mod disk;
mod dry_run;
mod find;
mod follow;
pub mod history;
pub mod hold;
mod init;
pub mod log;
pub mod note;
mod output_file;
pub mod pause;
pub mod printer;
pub mod priority;
mod reload;
pub mod rerun;
mod restore;
pub mod resume;
pub mod retry;
mod run;
mod select;
mod selftest;
mod shapes;
pub mod show;
mod show_shape;
pub mod slots;
mod standing;
pub mod status;
mod status_shape;
mod tell;
mod validate;
mod waiting;
pub mod why;
mod words;

#[cfg(test)]
mod fuzz;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::app::AppError;
use crate::config;
use crate::config::error::ConfigErrors;
use crate::store::error::StoreError;
use crate::telemetry::LoggingError;
use args::{Cli, Global, Run, Status, Verb};
use printer::Printer;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// The answer is no: a failed case, something unhealthy, a refusal.
    No,
    /// The words or the configuration are wrong.
    Usage,
    /// The daemon or a host cannot be reached.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        })
    }
}

/// What a verb comes to: an end, or an error that is printed once with its causes.
pub type Outcome = anyhow::Result<Exit>;

/// What was typed. What is wrong with it ends the program, told in words that do not
/// steer the terminal.
pub fn parsed() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        let plainly = std::env::args_os().map(|word| match word.to_str() {
            Some(text) => words::plain(text).into(),
            None => word,
        });
        Cli::try_parse_from(plainly).err().unwrap_or(error).exit()
    })
}

/// Does what was typed.
pub fn run(cli: Cli, printer: &mut Printer) -> Outcome {
    let Cli { global, run_once, dry_run, verb } = cli;
    if let Some(refusal) = misplaced(&global, run_once || dry_run, verb.as_ref()) {
        printer.say(refusal)?;
        return Ok(Exit::Usage);
    }
    let verb = match verb {
        None if run_once || dry_run || global.config.is_some() => {
            Verb::Run(Run { run_once, dry_run })
        }
        None => return welcome(&global, printer),
        Some(Verb::Run(run)) => {
            Verb::Run(Run { run_once: run.run_once || run_once, dry_run: run.dry_run || dry_run })
        }
        Some(verb) => verb,
    };
    match verb {
        Verb::Run(args) => run::run(&global, &args, printer),
        Verb::Check(args) => check::check(&global, &args, printer),
        Verb::Demo(args) => demo::demo(&args, printer),
        Verb::Selftest(args) => selftest::run(&global, &args, printer),
        Verb::Init(args) => init::init(&args, printer),
        Verb::Status(args) => desk::at(&global, |desk| status::run(desk, &args, printer)),
        Verb::Show(args) => desk::at(&global, |desk| show::run(desk, &args, printer)),
        Verb::Why(args) => desk::at(&global, |desk| why::run(desk, &args, printer)),
        Verb::History(args) => desk::at(&global, |desk| history::run(desk, &args, printer)),
        Verb::Log(args) => desk::at(&global, |desk| log::run(desk, &args, printer)),
        Verb::Slots(args) => desk::at(&global, |desk| slots::run(desk, &args, printer)),
        Verb::Retry(args) => desk::at(&global, |desk| retry::run(desk, &args, printer)),
        Verb::Rerun(args) => desk::at(&global, |desk| rerun::run(desk, &args, printer)),
        Verb::Cancel(args) => desk::at(&global, |desk| cancel::run(desk, &args, printer)),
        Verb::Hold(args) => desk::at(&global, |desk| hold::run(desk, &args, printer)),
        Verb::Resume(args) => desk::at(&global, |desk| resume::run(desk, &args, printer)),
        Verb::Accept(args) => desk::at(&global, |desk| accept::run(desk, &args, printer)),
        Verb::Priority(args) => desk::at(&global, |desk| priority::run(desk, &args, printer)),
        Verb::Note(args) => desk::at(&global, |desk| note::run(desk, &args, printer)),
        Verb::ConfirmDead(args) => {
            desk::at(&global, |desk| confirm_dead::run(desk, &args, printer))
        }
        Verb::Drain(args) => desk::at(&global, |desk| drain::run(desk, &args, printer)),
        Verb::Reload(args) => desk::at(&global, |desk| reload::run(desk, &args, printer)),
        Verb::Pause(args) => desk::at(&global, |desk| pause::run(desk, &args, printer)),
        Verb::Adopt(args) => desk::at(&global, |desk| adopt::run(desk, &args, printer)),
        Verb::Clean(args) => desk::at(&global, |desk| clean::run(desk, &args, printer)),
        Verb::Validate(args) => validate::run(&args, printer),
        Verb::Backup(args) => backup::run(&global, &args, printer),
        Verb::Restore(args) => restore::run(&global, &args, printer),
    }
}

/// What is wrong with an option where it stands.
fn misplaced(global: &Global, only_run: bool, verb: Option<&Verb>) -> Option<&'static str> {
    match verb {
        None | Some(Verb::Run(_)) => None,
        Some(_) if only_run => Some(
            "error: --run-once and --dry-run are of `run` alone\n\
             hint: daylily-watch run --run-once",
        ),
        Some(Verb::Init(_)) if global.config.is_some() => Some(
            "error: `init` takes the file to write without --config\n\
             hint: daylily-watch init FILE",
        ),
        Some(Verb::Demo(_)) if global.config.is_some() => Some(
            "error: `demo` runs with a configuration of its own and takes none\n\
             hint: daylily-watch demo",
        ),
        Some(_) => None,
    }
}

/// What somebody sees who types nothing but the name: how things are, where that can
/// be told, and what else can be typed.
fn welcome(global: &Global, printer: &mut Printer) -> Outcome {
    if config::find(None).is_ok() {
        let args = Status { ended: 3, state: None, intake: None, held: false, json: false };
        if let Err(error) = desk::at(global, |desk| status::run(desk, &args, printer)) {
            tell_error(&error, printer);
        }
        printer.line("")?;
    }
    printer.line(Cli::command().render_help().to_string().trim_end())?;
    Ok(Exit::Done)
}

/// A path as one word of a command to be pasted.
fn words_of_shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '=');
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Prints an error once, its causes with it and its hints last.
pub fn tell_error(error: &anyhow::Error, printer: &mut Printer) -> Exit {
    let mut text = String::new();
    let mut hints = String::new();
    let mut before = String::new();
    for cause in error.chain() {
        let told = cause.to_string();
        // What was typed, or stands in a file's name, does not steer the terminal.
        let told: String = told.lines().map(words::plain).collect::<Vec<_>>().join("\n");
        let told = match cause.downcast_ref::<StoreError>() {
            // It names only what was being done.
            Some(StoreError::Sql { .. }) => format!("the database cannot be used: {told}"),
            Some(_) | None => told,
        };
        if told == before {
            continue;
        }
        if cause.is::<ConfigErrors>() {
            // Each mistake has its own hint, which stays with it.
            if !text.is_empty() {
                text.push_str(":\n");
            }
            text.push_str(&told);
            break;
        }
        let (hint, said): (Vec<&str>, Vec<&str>) =
            told.lines().partition(|line| line.trim_start().starts_with("hint:"));
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&said.join("\n"));
        for hint in hint {
            hints.push_str(&format!("\n{hint}"));
        }
        before = told;
    }
    // With nobody to read it there is nobody else to tell.
    let _ = printer.say(format!("error: {text}{hints}"));
    exit_of(error)
}

fn exit_of(error: &anyhow::Error) -> Exit {
    let configuration = error.chain().any(|cause| {
        cause.is::<ConfigErrors>()
            || cause.is::<LoggingError>()
            || matches!(cause.downcast_ref::<AppError>(), Some(AppError::NoSlurm { .. }))
    });
    if configuration { Exit::Usage } else { Exit::No }
}
