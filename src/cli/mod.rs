//! Owns the command line: one file for each verb, which says on stdout what it found
//! and on stderr what a person should know besides. No verb changes a case itself;
//! changing verbs file a request that the daemon answers.

pub mod accept;
pub mod args;
mod ask;
pub mod cancel;
pub mod confirm_dead;
mod describe;
pub mod desk;
mod find;
pub mod history;
pub mod hold;
pub mod log;
pub mod note;
mod output_file;
pub mod pause;
pub mod printer;
pub mod priority;
pub mod rerun;
pub mod resume;
pub mod retry;
mod select;
mod shapes;
pub mod show;
mod show_shape;
pub mod slots;
mod standing;
pub mod status;
mod status_shape;
mod waiting;
pub mod why;
mod words;

use std::process::ExitCode;

use args::{Cli, Verb};
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

/// Does what was typed.
pub fn run(cli: Cli, printer: &mut Printer) -> Outcome {
    let Cli { global, run_once: _, dry_run: _, verb } = cli;
    let Some(verb) = verb else { return Ok(Exit::Usage) };
    match verb {
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
        Verb::Pause(args) => desk::at(&global, |desk| pause::run(desk, &args, printer)),
        Verb::Run(_) | Verb::Check(_) | Verb::Init(_) | Verb::Demo(_) => Ok(Exit::Usage),
    }
}
