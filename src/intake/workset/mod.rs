//! Owns what a Daylily workset is: a folder with `daylily_work.yaml` and tables of samples.
//! It reads them, tells everything that is wrong at once, and says which files and objects
//! must be there. It ships nothing, runs nothing, and never says when a case is complete.
//!
//! `document` knows the YAML, `table` lines and cells, `tables` the columns, `location`
//! where a file of a table is, `heads` what S3 says of it, `words` how arguments are written.

pub mod document;
pub mod heads;
pub mod location;
mod table;
pub mod tables;
mod words;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use crate::config::error::{Complaint, ConfigError, ConfigErrors, Problems, quoted};
use crate::intake::directory::small_file::{self, SmallFile};
use document::{Document, NAME, Named, Tables, UNITS, Workset};
use tables::{NamedFile, Place, Wanted};

/// Where files that tables name may lie too.
const SAMPLE_DATA: &str = "sample_data";

/// What was read of a folder that is a workset.
#[derive(Debug)]
pub struct Read {
    /// None where anything at all is wrong with the YAML.
    pub workset: Option<Workset>,
    /// Everything that is wrong with what is there.
    pub problems: ConfigErrors,
    /// What is named and not there, tables first: still arriving, or a mistake.
    pub missing: Vec<Missing>,
    /// How many files within the workset are named, tables among them.
    pub files: u64,
    /// The objects in S3 that must be there.
    pub objects: Vec<NamedFile>,
    /// Prefixes in S3: nobody looks whether anything is below them.
    pub unseen: u64,
    /// The tables that are there.
    pub samples: Option<String>,
    pub units: Option<String>,
}

/// Something within the workset that is named and not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Relative to the workset.
    pub path: String,
    /// Which file names it.
    pub by: String,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Table(Named),
    Cell(NamedFile),
}

impl Read {
    /// Everything that is wrong, where what is not there is a mistake.
    pub fn with_missing(self) -> ConfigErrors {
        let mut all = self.problems.0;
        for missing in self.missing {
            let mut problems = Problems::new(Path::new(&missing.by));
            missing.tell(&mut problems);
            all.extend(problems.into_errors().0);
        }
        sorted(all)
    }
}

impl Missing {
    fn tell(&self, problems: &mut Problems) {
        let hint = "put it there, or correct the name";
        match &self.what {
            What::Table(named) => {
                let complaint = Complaint::new(format!(
                    "the table {} is not in the workset",
                    quoted(&self.path)
                ));
                match named.at {
                    Some(at) => problems.add(at, "stage", complaint.hint(hint)),
                    None => problems.about_the_file(complaint.hint(hint)),
                }
            }
            What::Cell(file) => {
                let complaint = Complaint::new(format!(
                    "{} is not in the workset, neither as written nor under {SAMPLE_DATA}/",
                    quoted(&self.path)
                ));
                problems.add(file.at, &file.column, complaint.hint(hint));
            }
        }
    }
}

/// The name of a workset as the directory of a run may have it. None: nothing of it can be.
pub fn directory_name(name: &str) -> Option<String> {
    words::directory_name(name)
}

/// Whether a folder says that it is a workset.
pub fn is_one(folder: &Path) -> bool {
    folder.join(NAME).symlink_metadata().is_ok()
}

/// Reads the folder of a workset. None: it is none. An error is one of the file system's,
/// and says nothing of the workset.
pub fn read(folder: &Path) -> io::Result<Option<Read>> {
    let mut problems = Problems::new(Path::new(NAME));
    let document = match small_file::read(folder, NAME, document::MOST_BYTES)? {
        SmallFile::Missing => return Ok(None),
        SmallFile::Odd(why) => {
            problems.about_the_file(odd(NAME, &why));
            Document { workset: None, tables: Tables::default() }
        }
        SmallFile::Text(text) => document::read(&text, &mut problems),
    };
    let mut reading = Reading {
        folder,
        real: std::fs::canonicalize(folder)?,
        read: Read {
            workset: document.workset,
            problems: ConfigErrors(Vec::new()),
            missing: Vec::new(),
            files: 0,
            objects: Vec::new(),
            unseen: 0,
            samples: None,
            units: None,
        },
        found: problems.into_errors().0,
    };
    let Tables { samples, units } = document.tables;
    // One with the usual name is one, whether or not it is named.
    let unnamed = || Named { path: UNITS.to_owned(), at: None };
    let units = units.or_else(|| is_there(folder, UNITS).then(unnamed));
    reading.read.samples = reading.table(&samples, &tables::SAMPLES)?;
    if let Some(units) = units {
        reading.read.units = reading.table(&units, &tables::UNITS)?;
    }
    let Reading { mut read, found, .. } = reading;
    read.missing.sort_by_key(|missing| matches!(missing.what, What::Cell(_)));
    read.problems = sorted(found);
    Ok(Some(read))
}

struct Reading<'a> {
    folder: &'a Path,
    /// The same without any symlink.
    real: PathBuf,
    read: Read,
    found: Vec<ConfigError>,
}

impl Reading<'_> {
    /// Its path, where it is there.
    fn table(&mut self, named: &Named, rules: &tables::Rules) -> io::Result<Option<String>> {
        let path = &named.path;
        self.read.files += 1;
        let mut problems = Problems::new(Path::new(path));
        let inside = self.look(path);
        let read = match inside {
            Inside::Outside => {
                problems.about_the_file(Complaint::new("leads out of the workset"));
                None
            }
            Inside::Missing => Some(SmallFile::Missing),
            Inside::File | Inside::Folder | Inside::Other => {
                Some(small_file::read(self.folder, path, table::MOST_BYTES)?)
            }
        };
        let files = match read {
            None => Vec::new(),
            Some(SmallFile::Missing) => {
                let what = What::Table(named.clone());
                self.read.missing.push(Missing { path: path.clone(), by: NAME.to_owned(), what });
                return Ok(None);
            }
            Some(SmallFile::Odd(why)) => {
                problems.about_the_file(odd(path, &why));
                Vec::new()
            }
            Some(SmallFile::Text(text)) => tables::read(path, &text, rules, &mut problems),
        };
        for file in files {
            self.file(file, &mut problems);
        }
        self.found.extend(problems.into_errors().0);
        Ok(Some(path.clone()))
    }

    fn file(&mut self, file: NamedFile, problems: &mut Problems) {
        match &file.place {
            Place::Object(_) if file.wanted == Wanted::Folder => self.read.unseen += 1,
            Place::Object(_) => self.read.objects.push(file),
            Place::Inside(path) => {
                self.read.files += 1;
                let elsewhere = format!("{SAMPLE_DATA}/{path}");
                let found = match self.look(path) {
                    Inside::Missing => self.look(&elsewhere),
                    found => found,
                };
                let expected = match (file.wanted, found) {
                    (Wanted::File, Inside::File) | (Wanted::Folder, Inside::Folder) => return,
                    (_, Inside::Missing) => {
                        let (path, by) = (path.clone(), file.table.clone());
                        self.read.missing.push(Missing { path, by, what: What::Cell(file) });
                        return;
                    }
                    (_, Inside::Outside) => "what is in the workset, and it leads out of it",
                    (Wanted::File, Inside::Folder | Inside::Other) => "a file, and it is none",
                    (Wanted::Folder, Inside::File | Inside::Other) => "a folder, and it is none",
                };
                let complaint =
                    Complaint::new(format!("found {}, expected {expected}", quoted(path)));
                problems.add(file.at, &file.column, complaint);
            }
        }
    }

    /// Through symlinks of the workset's own.
    fn look(&self, path: &str) -> Inside {
        let Ok(real) = std::fs::canonicalize(self.folder.join(path)) else {
            return Inside::Missing;
        };
        match real.symlink_metadata() {
            Ok(_) if !real.starts_with(&self.real) => Inside::Outside,
            Ok(meta) if meta.is_file() => Inside::File,
            Ok(meta) if meta.is_dir() => Inside::Folder,
            Ok(_) => Inside::Other,
            Err(_) => Inside::Missing,
        }
    }
}

enum Inside {
    File,
    Folder,
    /// A FIFO or the like.
    Other,
    Missing,
    Outside,
}

fn is_there(folder: &Path, path: &str) -> bool {
    folder.join(path).symlink_metadata().is_ok()
}

/// What the reader of a small file says, without the name before it.
fn odd(name: &str, why: &str) -> Complaint {
    let why = why.strip_prefix(name).unwrap_or(why).trim_start();
    match why.split_once("; ") {
        Some((what, hint)) => Complaint::new(what).hint(hint),
        None => Complaint::new(why),
    }
}

/// By file, the YAML first, then by place.
fn sorted(mut errors: Vec<ConfigError>) -> ConfigErrors {
    errors.sort_by(|a, b| {
        let key = |e: &ConfigError| (e.file != Path::new(NAME), e.file.clone(), e.at);
        key(a).cmp(&key(b))
    });
    ConfigErrors(errors)
}
