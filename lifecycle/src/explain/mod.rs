//! Owns the sentences: why a case is where it is. One sentence in plain English with
//! what is waited for, since when, and what happens next. Instants with their zone,
//! never a duration that goes on, a rank or a rate: those are joined when read
//! ([`joined`]), so that a stored sentence stays true.

mod ended;
mod headnode;
mod held;
mod on_the_way;
mod pueue;

pub use ended::{cancelled, failed, succeeded};
pub use headnode::{
    adopt, draining, drift, headnode_paused, headnode_trouble, lost_contact, no_contact,
    outside_of_hours, queue_refused, queue_set_aside, queue_silent, refused, resume, taken_back_by,
};
pub use held::held;
pub use on_the_way::{
    arriving, cancelling, cannot_be_looked_at, clearing, copying, ended_fetching, handed_over,
    queued, rejected, running, silent, stopping, trouble, unreadable, vanished, waiting,
};
pub use pueue::{pueue_client, pueue_daemon};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::ids::{CaseName, GroupName, HeadnodeName};
use crate::policy::Pause;

/// How instants are written: in the reader's zone, with the date where it is another day.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'a> {
    pub zone: &'a TimeZone,
    pub now: Timestamp,
}

impl Clock<'_> {
    /// `14:03 CET`, or with the date where that is not today.
    pub fn at(&self, instant: Timestamp) -> String {
        self.write(instant, "%H:%M %Z")
    }

    /// To the second.
    pub fn at_second(&self, instant: Timestamp) -> String {
        self.write(instant, "%H:%M:%S %Z")
    }

    /// Without the zone, where the sentence has named it already.
    pub fn again(&self, instant: Timestamp) -> String {
        self.write(instant, "%H:%M")
    }

    pub fn again_second(&self, instant: Timestamp) -> String {
        self.write(instant, "%H:%M:%S")
    }

    /// Always with the date, for sentences that nobody will write anew.
    pub fn dated(&self, instant: Timestamp) -> String {
        instant.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    fn write(&self, instant: Timestamp, format: &str) -> String {
        let zoned = instant.to_zoned(self.zone.clone());
        let today = self.now.to_zoned(self.zone.clone()).date();
        if zoned.date() == today {
            zoned.strftime(format).to_string()
        } else {
            zoned.strftime(&format!("%Y-%m-%d {format}")).to_string()
        }
    }
}

/// A duration that is over, in its two largest units: `3 h 10 min`, `42 s`.
pub fn lasted(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut parts = Vec::new();
    let mut rest = seconds;
    for (size, name) in units {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            parts.push(format!("{count} {name}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "less than 1 s".to_owned() } else { parts.join(" ") }
}

/// A case's name as the last argument of a command: quoted where a shell would split it,
/// and told from an option where it begins as one does.
pub fn argument(name: &CaseName) -> String {
    let end_of_options = if name.as_str().starts_with('-') { "-- " } else { "" };
    format!("{end_of_options}{}", quoted(name.as_str()))
}

/// Text as one word of a command: quoted where a shell would split or expand it.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '+' | '/');
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with(['-', '~']) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Who holds the places a case waits for, and how many go first: true only when read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub holders: Vec<CaseName>,
    pub ahead: usize,
}

/// A fault's text may have hints on lines of their own; a sentence is one line.
pub fn one_line(text: String) -> String {
    if !text.contains('\n') {
        return text;
    }
    let lines = text.lines().map(|line| line.trim().trim_start_matches("hint: "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Joins to a stored sentence what is true only at the moment of reading.
pub fn joined(because: &str, standing: &Standing) -> String {
    let Some(stem) = because.strip_suffix("taken.") else {
        return because.to_owned();
    };
    let mut text = format!("{stem}taken");
    match standing.holders.as_slice() {
        [] => {}
        few if few.len() <= 4 => {
            let names: Vec<&str> = few.iter().map(CaseName::as_str).collect();
            text.push_str(&format!(" ({})", names.join(", ")));
        }
        many => {
            let names: Vec<&str> = many.iter().take(3).map(CaseName::as_str).collect();
            text.push_str(&format!(" ({} and {} more)", names.join(", "), many.len() - 3));
        }
    }
    match standing.ahead {
        0 => {}
        1 => text.push_str(" and 1 case goes first"),
        more => text.push_str(&format!(" and {more} cases go first")),
    }
    text.push('.');
    text
}

/// The red button, as the first line of every output and as a case's sentence.
pub fn stopped(pause: &Pause, clock: Clock<'_>) -> String {
    format!(
        "Stopped{}: nothing new ships or starts, running jobs are not touched, and \
         `resume --all` lifts it.",
        by_since(pause, clock)
    )
}

/// The first line of every output while the red button is pressed.
pub fn stopped_banner(pause: &Pause, clock: Clock<'_>) -> String {
    let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = pause.reason.as_deref().unwrap_or("no reason given");
    format!("STOPPED{by} since {}: {reason}", clock.at(pause.since))
}

pub fn intake_paused(intake: &crate::ids::IntakeName, pause: &Pause, clock: Clock<'_>) -> String {
    format!(
        "Waiting for a person: the intake {intake} is paused{}; `resume --intake {intake}` lifts it.",
        by_since(pause, clock)
    )
}

fn by_since(pause: &Pause, clock: Clock<'_>) -> String {
    let by = pause.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = pause.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{by} since {}{reason}", clock.at(pause.since))
}

/// What a case needs is no longer in the configuration.
pub fn unconfigured(case: &crate::case::Case, kind: &str, name: &str) -> String {
    let known = case.state.name().in_plain_words();
    format!(
        "Waiting for a person: the {kind} {name} is not in the configuration any more, so it is \
         not known what became of this case since it was last seen {known}; put it back and \
         start the daemon again, and it goes on by itself."
    )
}

/// No group of the headnode can ever meet what a case asks for.
pub fn impossible_demand(group: Option<&GroupName>, gpus: u32, headnode: &HeadnodeName) -> String {
    match (group, gpus) {
        (Some(group), 0) => {
            format!("it asks for the group {group}, which {headnode} does not have")
        }
        (Some(group), gpus) => {
            format!("it asks for {gpus} GPUs in the group {group}, which {headnode} does not have")
        }
        (None, gpus) => {
            format!("it asks for {gpus} GPUs and no group of {headnode} has as many")
        }
    }
}
