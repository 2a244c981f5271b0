//! Owns reading a part of what a job has printed, over any shell. It changes nothing there
//! and asks for no owner: whoever may log in may look.

use std::time::Duration;

use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::shell::{Ask, Ran, Shell};

const OUTPUT: &str = include_str!("scripts/output.sh");

/// Some megabytes over a slow line.
const LIMIT: Duration = Duration::from_secs(60);

/// More than the line before the part takes.
const FIRST_LINE: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// So that the part is the end of it.
    End,
    /// With this byte; with the first, where there is less.
    At(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Part {
        /// The byte that the part begins with.
        from: u64,
        bytes: Vec<u8>,
    },
    /// The job has not come to print anything.
    NoFile,
    NoFolder,
}

/// At most `most` bytes of the output of the attempt in `dir`.
pub async fn output(
    shell: &dyn Shell,
    dir: &str,
    begin: Begin,
    most: usize,
) -> Result<Output, Fault> {
    let begin = match begin {
        Begin::End => "end".to_owned(),
        Begin::At(byte) => byte.to_string(),
    };
    let args = vec![dir.to_owned(), begin, most.to_string()];
    let ask =
        Ask { script: OUTPUT, args, stdin: &[], more: None, limit: LIMIT, keep: most + FIRST_LINE };
    let answer = match shell.run(ask).await? {
        Ran::Ended(answer) => answer,
        Ran::TimedOut => {
            let text = format!("reading the output took longer than {} s", LIMIT.as_secs());
            return Err(Fault::new(FaultClass::TransientHost, text));
        }
    };
    match answer.code {
        Some(0) => {}
        Some(94) => return Ok(Output::NoFolder),
        Some(_) | None => {
            let said = answer.stderr.lines().next().unwrap_or("it has said nothing");
            let text = format!("the output cannot be read: {said}");
            return Err(Fault::new(FaultClass::TransientStep, text));
        }
    }
    if answer.stdout == b"none\n" {
        return Ok(Output::NoFile);
    }
    part(answer.stdout).ok_or_else(|| {
        let text = "the answer to where the output begins cannot be understood";
        Fault::new(FaultClass::TransientStep, text)
    })
}

fn part(mut bytes: Vec<u8>) -> Option<Output> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    let from = line.split_once(' ')?.1.parse().ok()?;
    bytes.drain(..=end);
    Some(Output::Part { from, bytes })
}
