//! `log`: the output of a case's job, from the file that it writes where that can be
//! read from here, else from what was kept of it, else from the headnode over ssh.

mod far;

use std::path::{Path, PathBuf};

use daylily_lifecycle::attempt::Attempt;
use daylily_lifecycle::case::Case;
use serde::Serialize;

use super::args::Log;
use super::desk::Desk;
use super::output_file::OutputFile;
use super::printer::Printer;
use super::{Exit, Outcome, find, waiting, words};
use crate::config::{HeadnodeSettings, HostAddress};
use far::{Far, Seen};

pub fn run(desk: &Desk, args: &Log, printer: &mut Printer) -> Outcome {
    desk.begin(printer, args.json)?;
    let Some(found) = find::case(desk, printer, &args.case)? else { return Ok(Exit::Usage) };
    let Some(mut case) = desk.reader.case(&found.case)? else { return Ok(Exit::Usage) };
    let name = words::case_name(&case.name, case.arrival);
    while case.attempts().next().is_none() && args.follow && !case.state.name().is_terminal() {
        waiting::pause();
        let Some(now) = desk.reader.case(&found.case)? else { return Ok(Exit::No) };
        case = now;
    }
    let Some(number) = args.attempt.or_else(|| case.attempts().map(|a| a.number).max()) else {
        printer.say(format!("{name} has not run yet; `why {name}` says why"))?;
        return Ok(Exit::No);
    };
    let Some(attempt) = case.attempts().find(|attempt| attempt.number == number).cloned() else {
        let had = words::count(case.attempts().count(), "attempt", "attempts");
        printer.say(format!("{name} has no attempt {number}; it has had {had}"))?;
        return Ok(Exit::Usage);
    };
    let lines = if args.lines == 0 { usize::MAX } else { args.lines as usize };
    let mut tail = Tail { desk, printer, json: args.json, case, attempt };
    match (written(desk, &tail.attempt), args.follow) {
        (Written::Here(path), true) => tail.follow(&path, lines),
        (Written::Here(path), false) => tail.once(&path, lines),
        (Written::There(headnode, host), follow) => {
            let mut far = Far::new(headnode, host, &desk.reader, &tail.attempt)?;
            let outcome = tail.show_far(&mut far, lines, follow);
            far.leave();
            outcome
        }
        (Written::Unknown, _) => tail.kept(lines),
    }
}

/// Where the job writes.
enum Written<'a> {
    Here(PathBuf),
    There(&'a HeadnodeSettings, &'a str),
    /// On a headnode that the configuration no longer has.
    Unknown,
}

fn written<'a>(desk: &'a Desk, attempt: &Attempt) -> Written<'a> {
    let place = &attempt.place;
    let node = desk.settings.headnodes.iter().find(|node| node.name == place.headnode);
    match node.map(|node| (node, &node.host)) {
        Some((_, HostAddress::Local)) => {
            Written::Here(Path::new(&place.attempt_dir).join("output.log"))
        }
        Some((node, HostAddress::Ssh(host))) => Written::There(node, host),
        None => Written::Unknown,
    }
}

struct Tail<'a> {
    desk: &'a Desk,
    printer: &'a mut Printer,
    json: bool,
    case: Case,
    attempt: Attempt,
}

impl Tail<'_> {
    fn once(&mut self, path: &Path, lines: usize) -> Outcome {
        match OutputFile::open(path).and_then(|mut file| file.end(lines, false)) {
            Ok(text) => self.print("output", Some(path), &text),
            Err(error) => {
                if self.attempt.started_at.is_none() && !self.has_ended() {
                    return self.not_begun();
                }
                let shown = words::plain(&path.display().to_string());
                self.printer.say(format!("{shown} cannot be read: {error}"))?;
                self.kept(lines)
            }
        }
    }

    /// What was brought home of it, which is less.
    fn kept(&mut self, lines: usize) -> Outcome {
        match self.print_kept(lines)? {
            Some(exit) => Ok(exit),
            None => self.nothing(),
        }
    }

    /// None: nothing was.
    fn print_kept(&mut self, lines: usize) -> anyhow::Result<Option<Exit>> {
        let path =
            self.desk.settings.state_dir.join("logs").join(format!("{}.log", self.attempt.id));
        if let Ok(text) = OutputFile::open(&path).and_then(|mut file| file.end(lines, false)) {
            self.printer.say("what follows is the copy that was kept of its end")?;
            return self.print("kept", Some(&path), &text).map(Some);
        }
        match self.attempt.stored.as_ref().map(|stored| stored.log_tail.clone()) {
            Some(text) => {
                self.printer.say("what follows is the end of it as it was stored")?;
                let from = text.lines().count().saturating_sub(lines);
                let text: Vec<&str> = text.lines().skip(from).collect();
                self.print("stored", None, &text.join("\n")).map(Some)
            }
            None => Ok(None),
        }
    }

    fn nothing(&mut self) -> Outcome {
        if !self.has_ended() {
            return self.not_begun();
        }
        self.printer.say("nothing was kept of its output")?;
        Ok(Exit::No)
    }

    /// From a headnode behind ssh, unless it came home.
    fn show_far(&mut self, far: &mut Far<'_>, lines: usize, follow: bool) -> Outcome {
        if follow && !self.has_ended() {
            return self.follow_far(far, lines);
        }
        if let Some(exit) = self.print_kept(lines)? {
            return Ok(exit);
        }
        match far.end(lines, false) {
            Ok(Seen::Text { text, .. }) => {
                let path = far.path();
                self.print("headnode", Some(&path), &text)
            }
            Ok(Seen::Stopped) => Ok(Exit::No),
            Ok(Seen::NoFile) => self.nothing(),
            Ok(Seen::NoFolder) => self.no_folder(far),
            Err(fault) => self.not_seen(&far.trouble(&fault)),
        }
    }

    fn follow_far(&mut self, far: &mut Far<'_>, lines: usize) -> Outcome {
        let mut is_begun = false;
        loop {
            // Asked before the headnode is: what was written by then is read below.
            let ended = self.look()?;
            if ended && !is_begun {
                return self.show_far(far, lines, false);
            }
            let seen = if is_begun { far.whole_lines(ended) } else { far.end(lines, true) };
            match seen {
                Ok(Seen::Text { text, more }) => {
                    self.lines(&text)?;
                    is_begun = true;
                    if more && !self.printer.is_closed() {
                        continue;
                    }
                }
                Ok(Seen::Stopped) => return Ok(Exit::Done),
                // It comes when the job begins; `clean` may take it away after the end.
                Ok(Seen::NoFile | Seen::NoFolder) if ended || !is_begun => {}
                Ok(Seen::NoFile | Seen::NoFolder) => return self.no_folder(far),
                Err(fault) => return self.not_seen(&far.trouble(&fault)),
            }
            if ended || self.printer.is_closed() || far.pause().is_break() {
                return Ok(Exit::Done);
            }
        }
    }

    /// What begins makes its folder first: without one there is nothing, or work_dir is not
    /// what it was.
    fn no_folder(&mut self, far: &Far<'_>) -> Outcome {
        if self.attempt.started_at.is_none() || self.attempt.cleaned_at.is_some() {
            return self.nothing();
        }
        self.not_seen(&far.missing())
    }

    fn not_seen(&mut self, text: &str) -> Outcome {
        for line in text.lines() {
            self.printer.say(words::plain(line))?;
        }
        Ok(Exit::Unreachable)
    }

    fn not_begun(&mut self) -> Outcome {
        let number = self.attempt.number;
        self.printer.say(format!("attempt {number} has not printed anything yet"))?;
        Ok(Exit::No)
    }

    fn print(&mut self, source: &'static str, path: Option<&Path>, text: &str) -> Outcome {
        if self.json {
            self.printer.json(&LogShape {
                case: self.case.id.to_string(),
                name: self.case.name.to_string(),
                attempt: self.attempt.id.to_string(),
                number: self.attempt.number,
                source,
                path: path.map(|path| path.to_string_lossy().into_owned()),
                lines: text.lines().map(readable).collect(),
            })?;
        } else {
            self.lines(text)?;
        }
        Ok(Exit::Done)
    }

    fn lines(&mut self, text: &str) -> anyhow::Result<()> {
        for line in text.lines().map(readable) {
            if self.json {
                self.printer.json_line(&LineShape { line })?;
            } else {
                self.printer.line(line)?;
            }
            if self.printer.is_closed() {
                break;
            }
        }
        Ok(())
    }

    /// Prints what comes until the attempt has ended and all of it was read.
    fn follow(&mut self, path: &Path, lines: usize) -> Outcome {
        let mut file: Option<OutputFile> = None;
        loop {
            // Asked before the file is read: what was written by then is read below.
            let ended = self.look()?;
            match &mut file {
                Some(file) => {
                    while let Some(text) = file.whole_lines(ended)? {
                        self.lines(&text)?;
                    }
                }
                None => match OutputFile::open(path) {
                    Ok(mut opened) => {
                        let text = opened.end(lines, true)?;
                        self.lines(&text)?;
                        file = Some(opened);
                        continue;
                    }
                    Err(_) if ended => return self.once(path, lines),
                    // It comes when the job begins.
                    Err(_) => {}
                },
            }
            if ended || self.printer.is_closed() {
                return Ok(Exit::Done);
            }
            waiting::pause();
        }
    }

    /// Reads the attempt anew and says whether it has ended.
    fn look(&mut self) -> anyhow::Result<bool> {
        if let Some(case) = self.desk.reader.case(&self.case.id)? {
            if let Some(now) = case.attempts().find(|attempt| attempt.id == self.attempt.id) {
                self.attempt = now.clone();
            }
            self.case = case;
        }
        Ok(self.has_ended())
    }

    fn has_ended(&self) -> bool {
        let is_current = self.case.attempt().is_some_and(|now| now.id == self.attempt.id);
        self.attempt.end.is_some() || !is_current || self.case.state.name().is_terminal()
    }
}

/// A line of output without what would steer a terminal. A bar that was drawn over
/// itself becomes its last state.
fn readable(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let last = line.rsplit('\r').next().unwrap_or(line);
    last.chars()
        .map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// The shape of `log --json`.
#[derive(Debug, Serialize)]
struct LogShape {
    case: String,
    name: String,
    attempt: String,
    number: u32,
    /// `output`: the file the job writes; `headnode`: the same on another machine; `kept`:
    /// the copy of its end; `stored`: the last lines in the database.
    source: &'static str,
    path: Option<String>,
    lines: Vec<String>,
}

/// The shape of a line of `log --follow --json`.
#[derive(Debug, Serialize)]
struct LineShape {
    line: String,
}
