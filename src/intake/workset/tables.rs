//! Owns what the tables of a workset must say: which columns there are, which of them name
//! files, and what rows must agree on. It looks at no file.

use std::collections::{HashMap, HashSet};

use super::location::{self, Location, ObjectUri};
use super::table::{Cell, Row, Table, shown};
use crate::config;
use crate::config::error::{Complaint, Position, Problems, quoted};

/// What a table asks to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The table's own name.
    pub table: String,
    pub at: Position,
    pub column: String,
    pub wanted: Wanted,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    File,
    Folder,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Within the workset, as written or under `sample_data/`.
    Inside(String),
    Object(ObjectUri),
}

/// The rules of one kind of table.
pub(super) struct Rules {
    /// These columns must be there, with something in each cell: those of one library, and
    /// more.
    required: &'static [&'static [&'static str]],
    /// The rows that are one library, and the column that tells its lanes apart.
    lanes: Option<(&'static [&'static str], &'static str)>,
    /// What the rows of one sample agree on, by the column that names it.
    agree: Option<(&'static str, &'static [&'static str])>,
}

impl Rules {
    fn required(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().copied().flatten().copied()
    }

    fn requires(&self, column: &str) -> bool {
        self.required().any(|required| required == column)
    }
}

const GROUP: &[&str] = &[
    "RUN_ID",
    "SAMPLE_ID",
    "EXPERIMENTID",
    "SAMPLE_TYPE",
    "LIB_PREP",
    "SEQ_VENDOR",
    "SEQ_PLATFORM",
];
const FOLDER: &str = "PATH_TO_CONCORDANCE_DATA_DIR";

pub(super) static SAMPLES: Rules = Rules {
    required: &[GROUP, &["LANE", "SEQBC_ID", "R1_FQ", "R2_FQ"]],
    lanes: Some((GROUP, "LANE")),
    agree: Some((
        "SAMPLE_ID",
        &[FOLDER, "IS_POS_CTRL", "IS_NEG_CTRL", "N_X", "N_Y", "EXTERNAL_SAMPLE_ID"],
    )),
};

pub(super) static UNITS: Rules = Rules {
    required: &[&[
        "RUNID",
        "SAMPLEID",
        "EXPERIMENTID",
        "LANEID",
        "BARCODEID",
        "LIBPREP",
        "SEQ_VENDOR",
        "SEQ_PLATFORM",
    ]],
    lanes: None,
    agree: None,
};

const VENDORS: &[&str] = &["ILMN", "ONT", "PACBIO", "UG"];

/// More than the largest table of people names.
const MOST_FILES: usize = 50_000;

/// Whether the cells of a column are files. All others are not, whatever they look like.
fn names_files(column: &str) -> Option<Wanted> {
    match column {
        FOLDER => Some(Wanted::Folder),
        "R1_FQ" | "R2_FQ" => Some(Wanted::File),
        column => {
            let is_file = column.starts_with("S3")
                || ["_URI", "_PATH", "_CRAM", "_BAM"].iter().any(|end| column.ends_with(end));
            is_file.then_some(Wanted::File)
        }
    }
}

/// Reads one table; the files that it names, each once.
pub(super) fn read(
    name: &str,
    text: &str,
    rules: &Rules,
    problems: &mut Problems,
) -> Vec<NamedFile> {
    let Some(table) = Table::read(text, problems) else { return Vec::new() };
    check_columns(&table, rules, problems);
    let mut groups = Groups::default();
    let mut samples = Samples::default();
    let mut files = Files { table: name, seen: HashSet::new(), files: Vec::new(), too_many: false };
    table.each_row(problems, |row, problems| {
        for column in rules.required() {
            required(row, column, problems);
        }
        if let Some(cell) = row.cell("SEQ_VENDOR") {
            vendor(cell, problems);
        }
        if let Some(cell) = row.cell("SUBSAMPLE_PCT") {
            subsample(cell, problems);
        }
        if let Some((key, lane)) = rules.lanes {
            groups.add(row, key, lane);
        }
        if let Some((name, columns)) = rules.agree {
            samples.add(row, name, columns, problems);
        }
        for (column, cell) in row.each_cell() {
            if let Some(wanted) = names_files(column) {
                files.add(column, cell, wanted, rules, problems);
            }
        }
    });
    if let Some((_, lane)) = rules.lanes {
        groups.finish(lane, problems);
    }
    files.files
}

fn check_columns(table: &Table<'_>, rules: &Rules, problems: &mut Problems) {
    let missing = rules.required().filter(|column| !table.columns().contains(column));
    for column in missing {
        let near = table
            .columns()
            .iter()
            .copied()
            .find(|name| name.trim().eq_ignore_ascii_case(column))
            .or_else(|| {
                let unknown = table.columns().iter().filter(|name| !rules.requires(name));
                config::nearest(column, unknown.copied())
            });
        let complaint = Complaint::new("the column is missing");
        problems.add(
            table.header(),
            column,
            match near {
                Some(near) => complaint.hint(format!("rename {} to {column}", quoted(near))),
                None => complaint.hint("the names of columns are written in capitals, as here"),
            },
        );
    }
}

fn required(row: &Row<'_, '_>, column: &str, problems: &mut Problems) {
    let Some(cell) = row.cell(column) else { return };
    if cell.text.is_empty() {
        problems.add(cell.at, column, Complaint::new("the cell is empty, expected something"));
    } else if names_files(column).is_none() {
        is_plain(column, cell, problems);
    }
}

/// What programs on the headnode would stumble over, where we look at a cell at all.
fn is_plain(column: &str, cell: Cell<'_>, problems: &mut Problems) -> bool {
    let complaint = if cell.text.chars().any(char::is_control) {
        Complaint::new(format!("found a control character in {}", quoted(cell.text)))
    } else if cell.text.trim() != cell.text {
        Complaint::new(format!("found blanks around {}", quoted(cell.text))).hint("remove them")
    } else {
        return true;
    };
    problems.add(cell.at, shown(column), complaint);
    false
}

fn vendor(cell: Cell<'_>, problems: &mut Problems) {
    if cell.text.is_empty() || VENDORS.contains(&cell.text) {
        return;
    }
    let known = VENDORS.join(", ");
    let complaint = Complaint::new(format!("found {}, expected one of {known}", quoted(cell.text)));
    let near = config::nearest(&cell.text.to_ascii_uppercase(), VENDORS.iter().copied());
    problems.add(
        cell.at,
        "SEQ_VENDOR",
        match near {
            Some(near) => complaint.hint(format!("did you mean {near}?")),
            None => complaint,
        },
    );
}

fn subsample(cell: Cell<'_>, problems: &mut Problems) {
    let is_number = |text: &str| {
        let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-');
        text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && text.chars().all(digits)
            && text.parse::<f64>().is_ok()
    };
    if cell.text.is_empty() || cell.text == "na" || is_number(cell.text) {
        return;
    }
    let complaint = Complaint::new(format!("found {}, expected na or a number", quoted(cell.text)));
    problems.add(cell.at, "SUBSAMPLE_PCT", complaint.hint("such as 0.25, with a point"));
}

/// Rows of one library: more than one are its lanes, which are counted from 1.
#[derive(Default)]
struct Groups<'t> {
    rows: HashMap<Vec<&'t str>, Group<'t>>,
}

struct Group<'t> {
    rows: usize,
    first: usize,
    zero: Vec<Cell<'t>>,
}

impl<'t> Groups<'t> {
    fn add(&mut self, row: &Row<'t, '_>, key: &[&str], lane: &str) {
        let key: Option<Vec<&str>> = key.iter().map(|c| row.cell(c).map(|c| c.text)).collect();
        let (Some(key), Some(lane)) = (key, row.cell(lane)) else { return };
        let group = self.rows.entry(key);
        let group = group.or_insert(Group { rows: 0, first: row.line(), zero: Vec::new() });
        group.rows += 1;
        if !lane.text.is_empty() && lane.text.bytes().all(|byte| byte == b'0') {
            group.zero.push(lane);
        }
    }

    fn finish(self, lane: &str, problems: &mut Problems) {
        let many = self.rows.into_values().filter(|group| group.rows > 1);
        let mut zero: Vec<(Cell<'_>, usize, usize)> = many
            .flat_map(|group| {
                group.zero.into_iter().map(move |cell| (cell, group.rows, group.first))
            })
            .collect();
        zero.sort_by_key(|(cell, _, _)| cell.at);
        for (cell, rows, first) in zero.into_iter().take(1_000) {
            let complaint = Complaint::new(format!(
                "found {}, and the library has {rows} rows, the first at line {first}",
                quoted(cell.text)
            ))
            .hint("give each row its lane, counted from 1");
            problems.add(cell.at, lane, complaint);
        }
    }
}

/// What was said first of each sample.
#[derive(Default)]
struct Samples<'t> {
    first: HashMap<(&'t str, &'static str), Cell<'t>>,
}

impl<'t> Samples<'t> {
    fn add(
        &mut self,
        row: &Row<'t, '_>,
        name: &str,
        columns: &'static [&'static str],
        problems: &mut Problems,
    ) {
        let Some(sample) = row.cell(name).filter(|cell| !cell.text.is_empty()) else { return };
        for &column in columns {
            let Some(cell) = row.cell(column) else { continue };
            let first = *self.first.entry((sample.text, column)).or_insert(cell);
            let is_nothing = |cell: Cell<'_>| matches!(cell.text, "" | "na");
            if first.text != cell.text && !(is_nothing(first) && is_nothing(cell)) {
                let (line, name) = (first.at.line, quoted(sample.text));
                let complaint = Complaint::new(format!(
                    "found {}, and line {line} has {} for the same sample {name}",
                    quoted(cell.text),
                    quoted(first.text)
                ))
                .hint("make them the same");
                problems.add(cell.at, column, complaint);
            }
        }
    }
}

struct Files<'n> {
    table: &'n str,
    seen: HashSet<(Wanted, Place)>,
    files: Vec<NamedFile>,
    too_many: bool,
}

impl Files<'_> {
    fn add(
        &mut self,
        column: &str,
        cell: Cell<'_>,
        wanted: Wanted,
        rules: &Rules,
        problems: &mut Problems,
    ) {
        // A read is required where its column is; all else may be left out.
        let may_be_na = !rules.requires(column);
        if cell.text.is_empty() || (may_be_na && cell.text.eq_ignore_ascii_case("na")) {
            return;
        }
        if !is_plain(column, cell, problems) {
            return;
        }
        let expected = match (wanted, location::of(cell.text)) {
            (_, Ok(Location::Web | Location::Headnode)) => return,
            (Wanted::File, Ok(Location::Object(uri))) if uri.is_prefix() => "s3://bucket/key",
            (_, Ok(Location::Object(uri))) => {
                return self.put(column, cell, wanted, Place::Object(uri), problems);
            }
            (_, Ok(Location::Inside(path))) => {
                return self.put(column, cell, wanted, Place::Inside(path), problems);
            }
            (_, Err(expected)) => expected,
        };
        let complaint = Complaint::new(format!("found {}, expected {expected}", quoted(cell.text)));
        problems.add(cell.at, shown(column), complaint);
    }

    fn put(
        &mut self,
        column: &str,
        cell: Cell<'_>,
        wanted: Wanted,
        place: Place,
        problems: &mut Problems,
    ) {
        if self.files.len() >= MOST_FILES {
            if !self.too_many {
                self.too_many = true;
                let complaint = Complaint::new(format!("names more than {MOST_FILES} files"));
                problems.add(cell.at, shown(column), complaint);
            }
            return;
        }
        if self.seen.insert((wanted, place.clone())) {
            let (table, column) = (self.table.to_owned(), shown(column));
            self.files.push(NamedFile { table, at: cell.at, column, wanted, place });
        }
    }
}

#[cfg(test)]
mod tests;
