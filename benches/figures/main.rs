//! Measures figures 1, 2, 3 and 7 of docs/performance.md: what a script does that people
//! would write, and what daylily-watch does, in turn in one run, over a real sshd and a
//! real pueued on loopback. Ends with 1 where a bound is missed.

#![allow(clippy::unwrap_used, reason = "what cannot be measured ends the run and says where")]

mod figure;
mod latency;
mod makespan;
mod running;
mod stage;
mod ours;
mod plain;
mod processor;
#[allow(dead_code, reason = "tests use what is not needed here")]
#[path = "../../tests/it/servers/mod.rs"]
mod servers;
#[allow(dead_code, reason = "tests use what is not needed here")]
#[path = "../../tests/it/wait.rs"]
mod wait;

use std::process::ExitCode;

use figure::Figure;

fn main() -> ExitCode {
    let Some(asked) = Asked::read(std::env::args().skip(1)) else {
        say("arguments: --rounds COUNT, --only FIGURE,FIGURE");
        return ExitCode::from(2);
    };
    let rounds = asked.rounds;
    say(&format!("median of {rounds}; {}", processor::machine()));
    let mut met = true;
    for (number, measure) in FIGURES {
        if asked.only.is_empty() || asked.only.contains(&number) {
            for line in measure(rounds) {
                met &= line.is_met();
                say(&line.to_string());
            }
        }
    }
    say(&format!("afterwards: {}", processor::machine()));
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Measure = fn(usize) -> Vec<Figure>;

const FIGURES: [(u32, Measure); 4] = [
    (1, latency::measure),
    (2, makespan::of_a_hundred_cases),
    (3, makespan::of_ten_cases_without_work),
    (7, running::measure),
];

struct Asked {
    rounds: usize,
    /// Empty: all.
    only: Vec<u32>,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut asked = Self { rounds: 5, only: Vec::new() };
        while let Some(word) = words.next() {
            match word.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--rounds" => {
                    asked.rounds = words.next()?.parse().ok().filter(|&rounds| rounds > 0)?;
                }
                "--only" => {
                    let numbers: Result<_, _> = words.next()?.split(',').map(str::parse).collect();
                    asked.only = numbers.ok()?;
                }
                _ => return None,
            }
        }
        Some(asked)
    }
}

fn say(text: &str) {
    #[allow(clippy::print_stdout, reason = "what was measured is what this prints")]
    {
        println!("{text}");
    }
}
