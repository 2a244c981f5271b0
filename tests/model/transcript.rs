//! Runs the scripts in tests/it/scripts: what happens, command by command, and what the
//! operator sees. `UPDATE_SCRIPTS=1` writes down what they see now.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser as _;
use daylily_watch::cli::args::{Cli, Verb};
use daylily_watch::cli::desk::Desk;
use daylily_watch::cli::printer::Printer;
use daylily_watch::cli::{history, show, slots, status, why};

use crate::schedule::{Ask, CasePlan, Class, Fate, Happening, Lie, Mishap, name};
use crate::time::instant;
use crate::world::World;
use crate::world::people::of;

/// Before each line of what is seen.
const SEEN: &str = "  |";

/// However little there is to do, a daemon goes round.
const ROUND: Duration = Duration::from_secs(2);

/// A case that a script may name.
const CASES: usize = 8;

struct Stage {
    world: World,
    /// What is decided of jobs before their folders arrive.
    plans: Vec<CasePlan>,
}

#[test]
fn every_script_shows_what_the_operator_sees() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scripts");
    let listing = std::fs::read_dir(&dir).expect("the scripts are there");
    let mut scripts: Vec<PathBuf> =
        listing.map(|entry| entry.expect("it can be read").path()).collect();
    scripts.sort();
    assert!(scripts.len() >= 8, "{scripts:?}");
    let mut differ = Vec::new();
    for script in scripts {
        let written = std::fs::read_to_string(&script).expect("it is text");
        let played = play(&written);
        if played != written {
            differ.push(first_difference(&script, &written, &played));
            if crate::lives::setting("UPDATE_SCRIPTS", 0) == 1 {
                std::fs::write(&script, played).expect("it can be written");
            }
        }
    }
    assert!(
        differ.is_empty(),
        "{}\nhint: if this is what operators are to see, run it with UPDATE_SCRIPTS=1",
        differ.join("\n")
    );
}

fn first_difference(script: &Path, written: &str, played: &str) -> String {
    let both = written.lines().zip(played.lines());
    let (line, (was, is)) = both
        .enumerate()
        .find(|(_, (was, is))| was != is)
        .unwrap_or((written.lines().count().min(played.lines().count()), ("", "")));
    let name = script.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}, line {}:\n  written: {was}\n  seen:    {is}", line + 1)
}

/// The script with what is seen now.
fn play(script: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread needs nothing");
    runtime.block_on(async {
        let plans = vec![CasePlan::PLAIN; CASES];
        let mut stage = Stage { world: World::on_stage(), plans };
        stage.pass(Duration::from_millis(100)).await;
        let mut played = String::new();
        for line in script.lines() {
            if line.starts_with(SEEN) {
                continue;
            }
            played.push_str(line);
            played.push('\n');
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            for seen in stage.perform(line).await.lines() {
                let seen = format!("{SEEN} {seen}");
                played.push_str(seen.trim_end());
                played.push('\n');
            }
        }
        played
    })
}

/// The number of the case that is called so.
fn number(folder: &str) -> usize {
    let at = (0..CASES).find(|case| name(*case) == folder);
    at.unwrap_or_else(|| panic!("scripts have folders from {} on, not {folder}", name(0)))
}

impl Stage {
    async fn perform(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["daylily-watch", ..] => return self.ask(&words),
            ["anna:", "daylily-watch", "resume", "--headnode", headnode] => {
                self.world.ask("resume", "", of("headnode", (*headnode).into()));
            }
            ["anna:", "daylily-watch", "confirm-dead", "--case", folder] => {
                self.world.ask_of("confirm-dead", folder);
            }
            ["anna:", "daylily-watch", "pause", "--all", ..] => {
                self.happens(Happening::PauseAll(true)).await;
            }
            ["anna:", "daylily-watch", "resume", "--all", ..] => {
                self.happens(Happening::PauseAll(false)).await;
            }
            ["anna:", "daylily-watch", verb, folder] => {
                let ask = match *verb {
                    "cancel" => Ask::Cancel,
                    "rerun" => Ask::Rerun,
                    "hold" => Ask::Hold,
                    "resume" => Ask::Resume,
                    "retry" => Ask::Retry,
                    verb => panic!("scripts have no {verb}"),
                };
                self.happens(Happening::Asked(number(folder), ask)).await;
            }
            ["folder", folder, "arrives"] => {
                self.world.plan(self.plans.clone());
                self.world.arrives(folder, 0, false);
            }
            ["folder", folder, "arrives", "for", gpus, ..] => {
                self.world.plan(self.plans.clone());
                self.world.arrives(folder, gpus.parse().expect("it is a number"), false);
            }
            ["folder", folder, "is", "written", "to"] => {
                self.happens(Happening::Written(number(folder))).await;
            }
            ["folder", folder, "is", "taken", "away"] => {
                self.happens(Happening::Taken(number(folder))).await;
            }
            ["folder", folder, "is", "put", "back"] => {
                self.happens(Happening::PutBack(number(folder))).await;
            }
            ["the", "job", "of", folder, "runs", seconds, "s"] => {
                let seconds: u32 = seconds.parse().expect("it is a number");
                self.plans[number(folder)].runs = 10 * seconds;
            }
            ["the", "job", "of", folder, "waits", seconds, "s", "in", "the", "queue"] => {
                let seconds: u32 = seconds.parse().expect("it is a number");
                self.plans[number(folder)].lingers = 10 * seconds;
            }
            ["the", "job", "of", folder, "exits", "with", code] => {
                let code = code.parse().expect("it is a number");
                self.plans[number(folder)].fate = Fate::Exits(code);
            }
            ["the", "job", "of", folder, "vanishes"] => {
                self.plans[number(folder)].fate = Fate::Vanishes;
            }
            ["the", "job", "of", folder, "does", "not", "mind", "SIGTERM"] => {
                self.plans[number(folder)].fate = Fate::IsDeaf;
            }
            ["time", "passes", count, unit] => {
                let count: u64 = count.parse().expect("it is a number");
                let seconds = match *unit {
                    "s" => 1,
                    "min" => 60,
                    "h" => 3_600,
                    unit => panic!("time passes in s, min or h, not in {unit}"),
                };
                self.pass(Duration::from_secs(count * seconds)).await;
            }
            ["kill", "daemon"] => self.happens(Happening::Kill).await,
            ["kill", "daemon", side @ ("before" | "after"), ..] => {
                let what = words[3..].join(" ");
                self.world.seats[0].seat.points.kill_at(&format!("{side} {what}"));
            }
            ["the", "next", rest @ ..] => self.upset(rest),
            _ => self.happens(happening(line)).await,
        }
        String::new()
    }

    /// `the next add is lost`, `the next add is killed and comes 60 s late`.
    fn upset(&mut self, words: &[&str]) {
        let is = words.iter().position(|word| *word == "is" || *word == "comes");
        let is = is.unwrap_or_else(|| panic!("what of {words:?}?"));
        let mishap = match &words[is..] {
            ["is", "lost"] => Mishap::Lost,
            ["is", "refused"] => Mishap::Refused(Class::Step),
            ["is", "not", "understood"] => Mishap::Refused(Class::Broken),
            ["is", "a", "lie:", "nothing", "is", "there"] => Mishap::Lie(Lie::Empty),
            ["comes", seconds, "s", "late,", "after", "the", "daemon", "was", "killed"] => {
                Mishap::KilledAndLate(10 * seconds.parse::<u32>().expect("it is a number"))
            }
            other => panic!("scripts have no {other:?}"),
        };
        self.world.seats[0].seat.points.upset(&words[..is].join(" "), mishap);
    }

    async fn happens(&mut self, what: Happening) {
        self.world.happens(what).await;
        // What it makes the daemon do at once.
        self.pass(Duration::from_millis(50)).await;
    }

    async fn pass(&mut self, time: Duration) {
        let until = instant() + time;
        loop {
            // A daemon tells every few seconds that it lives.
            let held = self.world.step(Some(until.min(instant() + ROUND))).await;
            assert_eq!(held, Ok(()), "a script breaks a law");
            if instant() >= until {
                return;
            }
        }
    }

    /// What a reading verb prints at this moment.
    fn ask(&self, words: &[&str]) -> String {
        let seat = &self.world.seats[0].seat;
        let clock = self.world.ground.clock.clone();
        let desk = Desk::new(seat.settings.clone(), clock).expect("the database is there");
        let page = Page::default();
        let mut printer = Printer::new(Box::new(page.clone()), Box::new(page.clone()));
        let cli = Cli::try_parse_from(words).expect("a person may type this");
        let asked = match cli.verb.expect("a verb is typed") {
            Verb::Why(args) => why::run(&desk, &args, &mut printer),
            Verb::Status(args) => status::run(&desk, &args, &mut printer),
            Verb::Show(args) => show::run(&desk, &args, &mut printer),
            Verb::History(args) => history::run(&desk, &args, &mut printer),
            Verb::Slots(args) => slots::run(&desk, &args, &mut printer),
            verb => panic!("a script cannot {verb:?}"),
        };
        asked.expect("it can be told");
        let folder = seat.settings.results.to.parent().expect("results have a folder around");
        page.text().replace(&format!("{}/", folder.display()), "")
    }
}

fn happening(line: &str) -> Happening {
    let both = |what: fn(bool) -> Happening| [what(true), what(false)];
    let known = [
        both(Happening::HostAway),
        both(Happening::QueueAway),
        both(Happening::QueuePaused),
        both(Happening::Unmounted),
        both(Happening::IntakeAway),
        both(Happening::DiskFull),
        [Happening::QueueWiped, Happening::QueueReset],
        [Happening::Reboot, Happening::Restart],
    ];
    let found = known.into_iter().flatten().find(|known| known.to_string() == line);
    found.unwrap_or_else(|| panic!("nobody knows what to do at: {line}"))
}

#[derive(Debug, Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).expect("verbs print UTF-8")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
