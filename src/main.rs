//! The daylily-watch program: parses what was typed, has it done, and prints an error
//! once. All else is in the library.

use std::process::ExitCode;

use daylily_watch::cli::printer::Printer;
use daylily_watch::cli::{parsed, run, tell_error};

fn main() -> ExitCode {
    let mut printer = Printer::to_stdout();
    let exit = match run(parsed(), &mut printer) {
        Ok(exit) => exit,
        Err(error) => tell_error(&error, &mut printer),
    };
    ExitCode::from(exit)
}
