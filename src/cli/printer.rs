//! Owns what reaches stdout and stderr. A reader that goes away (`| head`) ends the
//! output and is no error. Nothing else in the program prints.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::mask::masked;

/// Where a verb's answer goes: data to stdout, talk to stderr.
pub struct Printer {
    out: Box<dyn Write>,
    talk: Box<dyn Write>,
    terminal: bool,
    closed: bool,
}

impl Printer {
    pub fn to_stdout() -> Self {
        Self {
            out: Box::new(io::stdout()),
            talk: Box::new(io::stderr()),
            terminal: io::stdout().is_terminal(),
            closed: false,
        }
    }

    /// Prints somewhere else, as for nobody at a terminal.
    pub fn new(out: Box<dyn Write>, talk: Box<dyn Write>) -> Self {
        Self { out, talk, terminal: false, closed: false }
    }

    /// How many columns a person sees. None: nobody does, so lines are not broken.
    pub fn width(&self) -> Option<usize> {
        let size = self.terminal.then(terminal_size::terminal_size).flatten();
        size.map(|(width, _)| usize::from(width.0))
    }

    /// Whether a person reads along, so that lines may be drawn over.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// One line of data.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        let text = masked(text.as_ref());
        let text = steady(&text);
        let written = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        self.open_or(written)
    }

    /// Data as JSON, on one line or, for a terminal, on several.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        let text = if self.terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        // Nothing of the data is lost: what steers a terminal stands there escaped.
        self.line(escaped(&text.map_err(io::Error::other)?))
    }

    /// The same on one line always, for a stream.
    pub fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(escaped(&text))
    }

    /// One line for the person at the keyboard, not for what reads stdout.
    pub fn say(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.talk, "{}", steady(&masked(text.as_ref())))
    }

    /// Rows under a header, columns as wide as what is in them, the last one unbounded.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            longest.max(header.get(column).map_or(0, |name| name.chars().count()))
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        for row in std::iter::once(&header).chain(rows) {
            let mut text = String::new();
            for (column, cell) in row.iter().enumerate() {
                text.push_str(cell);
                if column + 1 < row.len() {
                    let missing = widths[column].saturating_sub(cell.chars().count());
                    text.extend(std::iter::repeat_n(' ', missing + 2));
                }
            }
            self.line(text.trim_end())?;
        }
        Ok(())
    }

    /// Whether the reader of stdout has gone away.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn open_or(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

/// The text without what would steer a terminal, whoever wrote it and wherever it was
/// forgotten: also without the marks by which a name can be shown in another order than it
/// has. Lines and columns stay.
pub(super) fn steady(text: &str) -> Cow<'_, str> {
    match text.contains(steers) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.replace(steers, "\u{FFFD}")),
    }
}

/// The same for JSON, in which such characters stand in strings only.
fn escaped(json: &str) -> Cow<'_, str> {
    if !json.contains(steers) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match steers(c) {
            true => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => text.push(c),
        }
    }
    Cow::Owned(text)
}

fn steers(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
