//! Owns the reading of a table as text: lines, cells between TABs, a header, and where each
//! of them stands. It knows no column. Of a table however large it keeps the header, and
//! one row at a time.

use std::collections::BTreeMap;

use crate::config::error::{Complaint, Position, Problems, quoted};

/// A larger file is not read.
pub(super) const MOST_BYTES: u64 = 8 << 20;

const MOST_COLUMNS: usize = 256;
const MOST_ROWS: usize = 50_000;

/// So many mistakes are found, of which few are listed.
const MOST_MISTAKES: usize = 1_000;

/// In characters, where a column is named.
const LONGEST_NAME: usize = 60;

pub(super) struct Table<'t> {
    header: Position,
    columns: Vec<&'t str>,
    lines: Vec<(usize, &'t str)>,
}

/// One row: what is wrong with it is told already.
pub(super) struct Row<'t, 'c> {
    columns: &'c [&'t str],
    line: usize,
    cells: Vec<(usize, &'t str)>,
}

/// One cell, and where it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'t> {
    pub(super) text: &'t str,
    pub(super) at: Position,
}

impl<'t> Table<'t> {
    /// None: there is no header to go by, which is told.
    pub(super) fn read(text: &'t str, problems: &mut Problems) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = (1..).zip(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)));
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let Some((line, header)) = lines.next() else {
            let complaint = Complaint::new("the table is empty, expected a header and rows");
            problems.add(Position { line: 1, column: 1 }, "", complaint);
            return None;
        };
        let at = Position { line, column: 1 };
        if header.split('\t').nth(MOST_COLUMNS).is_some() {
            let complaint = Complaint::new(format!("found more than {MOST_COLUMNS} columns"));
            problems.add(at, "", complaint);
            return None;
        }
        if !header.contains('\t') {
            let complaint = Complaint::new(format!("found no TAB in {}", quoted(header)))
                .hint("save it as text with TABs between the columns, and one line for each row");
            problems.add(at, "", complaint);
            return None;
        }
        let columns: Vec<&str> = header.split('\t').collect();
        check_header(line, header, problems);
        let mut kept: Vec<(usize, &str)> = lines.by_ref().take(MOST_ROWS).collect();
        if let Some((line, _)) = lines.next() {
            let complaint = Complaint::new(format!("found more than {MOST_ROWS} rows"));
            problems.add(Position { line, column: 1 }, "", complaint);
            kept.clear();
        } else if kept.is_empty() {
            problems.add(at, "", Complaint::new("found a header and no row"));
        }
        Some(Self { header: at, columns, lines: kept })
    }

    pub(super) fn columns(&self) -> &[&'t str] {
        &self.columns
    }

    /// Where the header stands.
    pub(super) fn header(&self) -> Position {
        self.header
    }

    /// Gives every row with as many cells as there are columns; the others are told.
    pub(super) fn each_row(
        &self,
        problems: &mut Problems,
        mut look: impl FnMut(&Row<'t, '_>, &mut Problems),
    ) {
        for (line, text) in self.lines.iter().copied() {
            if problems.len() >= MOST_MISTAKES {
                // It is no such table, and nobody counts how much it is not one.
                return;
            }
            let wanted = self.columns.len();
            let many = text.split('\t').count();
            if many != wanted {
                let at = Position { line, column: 1 };
                let what = if many < wanted { "short" } else { "long" };
                let complaint = Complaint::new(format!(
                    "the row is too {what}: found {many} cells, expected {wanted} as in the header"
                ));
                problems.add(at, "", complaint.hint("an empty cell needs its TAB too"));
                continue;
            }
            let row = Row { columns: &self.columns, line, cells: placed(text) };
            look(&row, problems);
        }
    }
}

impl<'t> Row<'t, '_> {
    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn cell(&self, column: &str) -> Option<Cell<'t>> {
        let index = self.columns.iter().position(|known| *known == column)?;
        self.at(index)
    }

    pub(super) fn each_cell(&self) -> impl Iterator<Item = (&'t str, Cell<'t>)> {
        let cell = |(index, column): (usize, &&'t str)| Some((*column, self.at(index)?));
        self.columns.iter().enumerate().filter_map(cell)
    }

    fn at(&self, index: usize) -> Option<Cell<'t>> {
        let (column, text) = *self.cells.get(index)?;
        Some(Cell { text, at: Position { line: self.line, column } })
    }
}

/// The cells of a line, each with the column at which it begins, in characters.
fn placed(line: &str) -> Vec<(usize, &str)> {
    let mut column = 1;
    line.split('\t')
        .map(|cell| {
            let begins = column;
            column += cell.chars().count() + 1;
            (begins, cell)
        })
        .collect()
}

fn check_header(line: usize, header: &str, problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for (column, name) in placed(header) {
        let at = Position { line, column };
        if name.is_empty() {
            let complaint = Complaint::new("found a column without a name")
                .hint("remove the TAB at the end of the header, or name the column");
            problems.add(at, "", complaint);
        } else if name.trim() != name {
            let complaint = Complaint::new("the name has blanks around it").hint("remove them");
            problems.add(at, shown(name), complaint);
        } else if let Some(first) = seen.insert(name, column) {
            let complaint = Complaint::new(format!("the column is there twice, first at {first}"))
                .hint("keep one of the two");
            problems.add(at, shown(name), complaint);
        }
    }
}

/// The name of a column in a message.
pub(super) fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect();
    if name.chars().nth(LONGEST_NAME).is_some() {
        shown.push_str("...");
    }
    shown
}
