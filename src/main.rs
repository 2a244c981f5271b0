//! The daylily-watch program: parses what was typed, has it done, and prints an error
//! once. All else is in the library.

use std::process::ExitCode;

use clap::Parser;
use daylily_watch::cli::args::Cli;
use daylily_watch::cli::printer::Printer;
use daylily_watch::cli::{Exit, run};

fn main() -> ExitCode {
    let mut printer = Printer::to_stdout();
    let exit = match run(Cli::parse(), &mut printer) {
        Ok(exit) => exit,
        Err(error) => {
            // Nobody is left to tell where stderr is closed.
            let _ = printer.say(format!("{error:#}"));
            Exit::Usage
        }
    };
    ExitCode::from(exit)
}
