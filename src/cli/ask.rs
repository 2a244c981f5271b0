//! Owns what all changing verbs do: file a request for each case, wait for the answers
//! where a daemon runs, and tell them. Only the daemon changes a case.

use std::collections::BTreeMap;

use daylily_lifecycle::explain::argument;
use daylily_lifecycle::ids::{Actor, CaseId, CaseName};
use serde_json::{Map, Value};

use super::args::Change;
use super::desk::{Daemon, Desk, not_known};
use super::printer::Printer;
use super::select::{self, Selected};
use super::standing::Sentences;
use super::{Exit, Outcome, waiting, words};
use crate::app::VERSION;
use crate::store::requests::{self, NewRequest, RequestId};

/// How many looks for an answer are made in vain before the verb gives up: 3 s.
const LOOKS: u32 = 60;

/// The same for what the daemon takes its time for: 2 min.
const MANY_LOOKS: u32 = 2400;

/// How many for a new sentence, which comes within the daemon's next round: 1 s.
const LOOKS_FOR_SENTENCE: u32 = 20;

/// What is asked, of each case alike.
pub(super) struct Asked {
    pub(super) verb: &'static str,
    pub(super) args: Map<String, Value>,
    pub(super) reason: Option<String>,
    /// How many looks for an answer are made in vain.
    looks: u32,
}

impl Asked {
    /// Without options of its own.
    pub(super) fn plain(verb: &'static str, reason: Option<String>) -> Self {
        Self { verb, args: Map::new(), reason, looks: LOOKS }
    }

    /// It takes longer than a moment.
    pub(super) fn patiently(self) -> Self {
        Self { looks: MANY_LOOKS, ..self }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.args.insert(name.to_owned(), value.into());
        self
    }

    fn request(&self, desk: &Desk, target: &str) -> NewRequest {
        NewRequest {
            at: desk.now,
            actor: caller(),
            verb: self.verb.to_owned(),
            target: target.to_owned(),
            args: self.args.clone(),
            reason: self.reason.clone(),
        }
    }
}

/// A verb that is about cases and has no more to it than its name.
pub(super) fn plainly(
    desk: &Desk,
    verb: &'static str,
    change: &Change,
    printer: &mut Printer,
) -> Outcome {
    let Some(cases) = select::cases(desk, printer, &change.selection)? else {
        return Ok(Exit::Usage);
    };
    of_cases(desk, &Asked::plain(verb, change.reason.clone()), &cases, printer)
}

/// Asks it of every case and tells for each what became of it.
pub(super) fn of_cases(
    desk: &Desk,
    asked: &Asked,
    cases: &[Selected],
    printer: &mut Printer,
) -> Outcome {
    if cases.is_empty() {
        printer.say("no case is like that: nothing was done")?;
        return Ok(Exit::Done);
    }
    let targets: Vec<&str> = cases.iter().map(|case| case.case.as_str()).collect();
    let answers = match file(desk, asked, &targets)? {
        Filed::Answered(answers) => answers,
        Filed::NobodyThere => return nobody(desk, printer, cases.len()),
    };
    let done = |answer: &Option<String>| answer.as_deref() == Some("done");
    let changed = cases.iter().zip(&answers).filter(|(_, answer)| done(answer));
    let changed = planned(desk, &changed.map(|(case, _)| case.case.clone()).collect::<Vec<_>>())?;
    let mut exit = Exit::Done;
    for (case, answer) in cases.iter().zip(&answers) {
        let told = tell(printer, asked, case, answer.as_deref(), changed.get(&case.case))?;
        exit = worse(exit, told);
    }
    Ok(exit)
}

/// Asks it of what is no case; `what` is how people call it.
pub(super) fn of_other(
    desk: &Desk,
    asked: &Asked,
    target: &str,
    what: &str,
    printer: &mut Printer,
) -> Outcome {
    let answer = match file(desk, asked, &[target])? {
        Filed::Answered(answers) => answers.into_iter().next().flatten(),
        Filed::NobodyThere => {
            desk.banner(printer, false)?;
            return nobody(desk, printer, 1);
        }
    };
    // What it has come to, not what it was.
    desk.banner(printer, false)?;
    match answer.as_deref() {
        Some(done) if is_done(done) => {
            let done: Vec<String> = done.lines().map(words::plain).collect();
            printer.line(format!("{what}: {}", done.join("\n")))?;
            Ok(Exit::Done)
        }
        Some(refusal) => {
            // Its hints have lines of their own.
            let refusal: Vec<String> = refusal.lines().map(words::plain).collect();
            printer.line(format!("{what}: {}", refusal.join("\n")))?;
            Ok(Exit::No)
        }
        None => late(printer, what),
    }
}

/// Asks it of every target, and hands each answer on as soon as all are there. None: no
/// daemon runs, which is told.
pub(super) fn of_each(
    desk: &Desk,
    asked: &Asked,
    targets: &[&str],
    printer: &mut Printer,
) -> anyhow::Result<Option<Vec<Option<String>>>> {
    match file(desk, asked, targets)? {
        Filed::Answered(answers) => Ok(Some(answers)),
        Filed::NobodyThere => {
            nobody(desk, printer, targets.len())?;
            Ok(None)
        }
    }
}

/// Whether an answer says that it was done, perhaps with what came of it.
pub(super) fn is_done(answer: &str) -> bool {
    answer == "done" || answer.starts_with("done: ")
}

enum Filed {
    /// In the order of the targets; None: not answered yet.
    Answered(Vec<Option<String>>),
    NobodyThere,
}

fn file(desk: &Desk, asked: &Asked, targets: &[&str]) -> anyhow::Result<Filed> {
    let requests: Vec<_> = targets.iter().map(|target| asked.request(desk, target)).collect();
    let ids = requests::file_all(&desk.settings.state_dir, VERSION, &requests)?;
    if !desk.daemon().is_running() {
        return Ok(Filed::NobodyThere);
    }
    Ok(Filed::Answered(answers(desk, &ids, asked.looks)?))
}

/// Waits as long as answers come.
fn answers(desk: &Desk, ids: &[RequestId], looks: u32) -> anyhow::Result<Vec<Option<String>>> {
    let mut answers: Vec<Option<String>> = vec![None; ids.len()];
    let mut in_vain = 0;
    while in_vain < looks && answers.iter().any(Option::is_none) {
        waiting::pause_for(waiting::ASKING);
        in_vain += 1;
        for (id, answer) in ids.iter().zip(&mut answers) {
            if answer.is_none()
                && let Some(done) = desk.reader.request(*id)?.and_then(|stored| stored.done)
            {
                *answer = Some(done.outcome);
                in_vain = 0;
            }
        }
    }
    Ok(answers)
}

fn tell(
    printer: &mut Printer,
    asked: &Asked,
    case: &Selected,
    answer: Option<&str>,
    sentence: Option<&String>,
) -> Outcome {
    match answer {
        Some("done") => {
            printer.line(format!("{}: done", case.name))?;
            let sentence = sentence.map_or("It is no more.", String::as_str);
            for text in words::under(sentence, 4, printer.width()) {
                printer.line(text)?;
            }
            Ok(Exit::Done)
        }
        Some(refusal) => {
            let name = argument(&CaseName::new(&case.name));
            let refusal = words::plain(refusal);
            printer.line(format!("{}: {}: {refusal}", case.name, cannot(asked.verb)))?;
            printer.say(format!("hint: `why {name}` says where it is"))?;
            Ok(Exit::No)
        }
        None => late(printer, &case.name),
    }
}

/// That a verb was refused, as a clause about the case.
fn cannot(verb: &str) -> String {
    match verb {
        "accept" => "cannot be accepted".to_owned(),
        "hold" => "cannot be held".to_owned(),
        "resume" => "cannot be released".to_owned(),
        "retry" => "cannot be tried again".to_owned(),
        "rerun" => "cannot be run again".to_owned(),
        "cancel" => "cannot be cancelled".to_owned(),
        "priority" => "cannot change its priority".to_owned(),
        "confirm-dead" => "cannot be confirmed dead".to_owned(),
        "note" => "cannot be remarked on".to_owned(),
        other => format!("cannot {other}"),
    }
}

/// Why cases are now where they are: the daemon plans them after it has answered.
fn planned(desk: &Desk, cases: &[CaseId]) -> anyhow::Result<BTreeMap<CaseId, String>> {
    let mut looks = 0;
    let mut rows = Vec::new();
    for case in cases {
        loop {
            let row = desk.reader.board_row(case)?;
            if looks == LOOKS_FOR_SENTENCE || row.as_ref().is_none_or(|row| row.planned) {
                rows.extend(row);
                break;
            }
            looks += 1;
            waiting::pause_for(waiting::ASKING);
        }
    }
    let sentences = Sentences::read(desk)?;
    Ok(rows.into_iter().map(|row| (row.case.clone(), sentences.of(&row))).collect())
}

fn nobody(desk: &Desk, printer: &mut Printer, number: usize) -> Outcome {
    let asked = words::count(number, "request is", "requests are");
    let since = match desk.daemon() {
        Daemon::Silent(alive) | Daemon::Ended(alive) => {
            format!(", the last was seen at {}", desk.clock().at_second(alive.at))
        }
        Daemon::Unknown(file) => {
            let unknown = not_known(&file);
            printer.say(format!("{unknown}; {asked} recorded, and done when one runs"))?;
            return Ok(Exit::Unreachable);
        }
        Daemon::Running(_) | Daemon::None => String::new(),
    };
    printer.say(format!(
        "no daemon is running{since}: {asked} recorded, and done when it starts again"
    ))?;
    Ok(Exit::Unreachable)
}

fn late(printer: &mut Printer, what: &str) -> Outcome {
    printer.say(format!(
        "{what}: recorded; the daemon has not answered yet and does it when it gets to it"
    ))?;
    Ok(Exit::Unreachable)
}

/// Of several ends the one that a script must see.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::No, _) | (_, Exit::No) => Exit::No,
        (Exit::Done, other) => other,
        (one, Exit::Done) => one,
        (one, _) => one,
    }
}

/// Who asks: the real user, also where the name is not in the passwd database.
pub(super) fn caller() -> Actor {
    let uid = nix::unistd::getuid();
    let name = match nix::unistd::User::from_uid(uid) {
        Ok(Some(user)) => words::plain(&user.name),
        Ok(None) | Err(_) => "somebody".to_owned(),
    };
    Actor::new(format!("{name} (uid {uid})"))
}
