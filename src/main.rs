//! The daylily-watch program: parses, does what was typed, prints an error once.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use daylily_watch::cli::args::Cli;
use daylily_watch::cli::{Exit, run};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Nobody is left to tell where stderr is closed.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            Exit::Usage.into()
        }
    }
}
