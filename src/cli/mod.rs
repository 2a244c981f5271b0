//! Owns the command line: one file for each verb, which says on stdout what it found
//! and on stderr what a person should know besides. No verb changes a case itself;
//! changing verbs file a request that the daemon answers.

pub mod args;
pub mod printer;

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
pub fn run(cli: Cli) -> Outcome {
    let mut printer = Printer::to_stdout();
    let Cli { global, run_once, dry_run, verb } = cli;
    let _ = (&global, run_once, dry_run, &mut printer);
    match verb {
        None | Some(Verb::Run(_)) => Ok(Exit::Usage),
        Some(_) => Ok(Exit::Usage),
    }
}
