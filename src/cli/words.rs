//! Owns the phrases that several verbs print: times and ages, names, columns, lines
//! broken to a width. What people put into names and reasons is made plain here, so
//! that it cannot steer the terminal.

use daylily_lifecycle::explain::{Clock, lasted};
use daylily_lifecycle::ids::{Arrival, CaseName};
use jiff::Timestamp;

/// The text with everything that would move a cursor or break a line replaced.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// What went wrong as one line: the hints that follow on lines of their own behind it.
pub(super) fn one_line(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("hint: "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" - ")
}

/// A name that leaves room for what stands beside it, where a person reads it.
pub(super) fn shortened(name: String, width: Option<usize>) -> String {
    let most = width.map_or(usize::MAX, |width| (width / 3).clamp(12, 40));
    if name.chars().count() <= most {
        return name;
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

/// A case as people call it: `HG002`, or `HG002.2` for its second arrival.
pub(super) fn case_name(name: &CaseName, arrival: Arrival) -> String {
    match arrival {
        Arrival::FIRST => plain(name.as_str()),
        Arrival(later) => format!("{}.{later}", plain(name.as_str())),
    }
}

/// `3 min 12 s ago`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", lasted(now.duration_since(at)))
}

/// `14:03 CET, 3 min ago`.
pub(super) fn since(at: Timestamp, clock: Clock<'_>) -> String {
    format!("{}, {}", clock.at(at), ago(at, clock.now))
}

/// A full local instant to the second, for lists that span days.
pub(super) fn local(at: Timestamp, clock: Clock<'_>) -> String {
    at.to_zoned(clock.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// `1 case`, `2 cases`.
pub(super) fn count(number: usize, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {more}") }
}

/// Rows as lines, every column but the last as wide as what is in it.
pub(super) fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let many = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..many).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        text.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A text under what it is about: indented, and broken at words where somebody sees it.
pub(super) fn under(text: &str, indent: usize, width: Option<usize>) -> Vec<String> {
    hanging(text, indent, indent, width)
}

/// The same with another indent from the second line on.
pub(super) fn hanging(text: &str, first: usize, rest: usize, width: Option<usize>) -> Vec<String> {
    let room = |indent| width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(20));
    let indent = |lines: &[String]| if lines.is_empty() { first } else { rest };
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in plain(text).split(' ') {
        if !line.is_empty()
            && line.chars().count() + 1 + word.chars().count() > room(indent(&lines))
        {
            let indent = indent(&lines);
            lines.push(format!("{:indent$}{}", "", line.trim_end()));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let indent = indent(&lines);
    lines.push(format!("{:indent$}{line}", ""));
    lines
}

#[cfg(test)]
mod tests;
