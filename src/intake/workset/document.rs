//! Owns what `daylily_work.yaml` says, in either dialect: sections, or the flat keys of
//! earlier monitors. Every mistake is told at once with its place. It opens no file.
//!
//! What a value means is fixed here: what follows works on a [`Workset`] only. The one
//! value that is shell text is [`Pipeline::command`]; all others are words and names.

mod reader;
mod rules;

use std::collections::BTreeMap;

use crate::config::error::{Complaint, Position, Problems, quoted};
use crate::config::tree::{self, Content, Entry, Node};
use crate::intake::workset::words;
use reader::Reader;

/// The name of the file, directly in the folder of a workset.
pub const NAME: &str = "daylily_work.yaml";

/// A larger one is not read.
pub const MOST_BYTES: u64 = 256 << 10;

/// In bytes, of all that goes into the command of an attempt, quoted. It is one argument of a
/// program, of which Linux takes 128 KiB; the script around it and a pipeline's `setup` are
/// the rest.
const MOST_RUN: usize = 96 << 10;

/// What a name that is put in is at most, quoted.
const LONGEST_NAME: usize = 4 * 255;

/// What is said of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workset {
    pub aws: Aws,
    pub stage: Stage,
    /// None: it runs where other cases run.
    pub cluster: Option<Cluster>,
    pub pipeline: Pipeline,
    pub export_uri: Option<String>,
    pub notes: Option<String>,
}

/// None is the daemon's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aws {
    pub profile: Option<String>,
    pub region: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub tables: Tables,
    /// A file name in `~/.ssh`.
    pub pem_key: Option<String>,
    pub extra_args: Vec<String>,
}

/// Where the tables are in the folder of the workset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    pub samples: Named,
    /// None: [`UNITS`], if that is there.
    pub units: Option<Named>,
}

/// A path within the workset, and where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub path: String,
    /// None: nobody said it.
    pub at: Option<Position>,
}

pub const SAMPLES: &str = "stage_samples.tsv";
pub const UNITS: &str = "stage_units.tsv";

impl Default for Tables {
    fn default() -> Self {
        Self { samples: Named { path: SAMPLES.to_owned(), at: None }, units: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    pub name: String,
    /// None: only a cluster that is there is used.
    pub template: Option<String>,
    pub create_args: Vec<String>,
    pub destroy_on_completion: bool,
    pub allow_existing: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Arguments of `day-clone`, the budget's among them; None: nothing is cloned.
    /// `{workset}` and `{workdir_name}` in them are put in for each attempt.
    pub clone: Option<Vec<String>>,
    /// None: made of the workset's name.
    pub workdir_name: Option<String>,
    /// Absolute, or within the workset's folder; None is that folder.
    pub run_directory: Option<String>,
    pub samples_config_path: String,
    pub units_config_path: String,
    pub dy_a_args: Vec<String>,
    /// What follows `dy-r`: shell text.
    pub command: String,
    pub environment: BTreeMap<String, String>,
}

impl Pipeline {
    /// How much of a command it is. A single quote is four characters in a quoted word, and
    /// thirteen in one that is quoted twice.
    fn length(&self) -> usize {
        let quoted = |text: &str, each: usize| {
            text.len() + (each - 1) * text.matches('\'').count() + 3 * each
        };
        let cloned = self.clone.iter().flatten();
        let cloned = cloned.map(|word| quoted(word, 4) + LONGEST_NAME * word.matches('{').count());
        let activated = self.dy_a_args.iter().map(|word| quoted(word, 13));
        let variables = self.environment.iter();
        let variables = variables.map(|(name, value)| name.len() + quoted(value, 4) + 32);
        let rest: usize = cloned.chain(activated).chain(variables).sum();
        quoted(&self.command, 4) + rest
    }
}

impl Workset {
    /// What it says and nothing is done about yet, as keys.
    pub fn not_acted_on(&self) -> Vec<&'static str> {
        let stages = self.stage.pem_key.is_some() || !self.stage.extra_args.is_empty();
        let all = [
            (stages, "stage.pem_key, stage.extra_args"),
            (self.cluster.is_some(), "cluster"),
            (self.export_uri.is_some(), "export_uri"),
        ];
        all.into_iter().filter(|(said, _)| *said).map(|(_, key)| key).collect()
    }
}

/// What a text comes to. The tables are looked into also where something else is wrong.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) workset: Option<Workset>,
    pub(super) tables: Tables,
}

const AWS: &[&str] = &["profile", "region"];
const STAGE: &[&str] = &["samples_tsv", "units_tsv", "pem_key", "extra_args"];
const CLUSTER: &[&str] =
    &["name", "template", "create_args", "destroy_on_completion", "allow_existing"];
const PIPELINE: &[&str] = &[
    "day_clone",
    "run_directory",
    "samples_config_path",
    "units_config_path",
    "dy_a_args",
    "dy_r_command",
    "environment",
];

/// In the order in which they count.
const CLONE: &[&str] = &["day_clone_args", "day-clone", "clone_args", "clone-args", "clone"];
const RUN: &[&str] =
    &["dy_r", "dy-r", "dy", "run", "run_suffix", "run-suffix", "run_cmd", "run-command"];
const EXPORT: &[&str] = &["export_uri", "export-uri", "export"];
const OTHERS: &[&str] = &["cluster_name", "workdir_name", "budget", "notes"];
const SECTIONS: &[&str] = &["aws", "stage", "cluster", "pipeline"];

/// What a flat key may be a map of, in the order in which they count.
const PARTS: &[&str] = &["suffix", "args", "cmd", "command"];

pub(super) fn read(text: &str, problems: &mut Problems) -> Document {
    // Editors of some systems begin a file with it; in the middle it is a character.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let nothing = Document { workset: None, tables: Tables::default() };
    match tree::parse_any(text) {
        Ok(Some(root)) => Reading { reader: Reader { problems } }.root(&root),
        Ok(None) => {
            let complaint = Complaint::new("the file says nothing, expected at least what to run")
                .hint("such as `dy-r: produce_snv_concordances -p -k -j 20`");
            problems.add(Position { line: 1, column: 1 }, "", complaint);
            nothing
        }
        Err((at, complaint)) => {
            problems.add(at, "", complaint);
            nothing
        }
    }
}

struct Reading<'a> {
    reader: Reader<'a>,
}

impl Reading<'_> {
    fn root(&mut self, root: &Node) -> Document {
        if !matches!(root.content, Content::Map(_)) {
            let expected = "a map, such as `dy-r: produce_snv_concordances -p -k -j 20`";
            self.reader.wrong::<()>(root, "", expected);
            return Document { workset: None, tables: Tables::default() };
        }
        let known: Vec<&str> =
            [SECTIONS, CLONE, RUN, EXPORT, OTHERS].into_iter().flatten().copied().collect();
        let entries = self.reader.map(root, "", &known);
        let section = |name: &'static str| reader::find(entries, name);
        let aws = section("aws").map_or_else(Aws::default, |entry| self.aws(entry));
        let stage = self.stage(section("stage"));
        let cluster = self.cluster(entries);
        let pipeline = self.pipeline(root, entries);
        let export_uri = self.first_of(entries, EXPORT).and_then(|(entry, text)| {
            self.reader.checked(entry.value.at, &entry.key, text, rules::s3_uri)
        });
        let notes = section("notes").and_then(|entry| self.reader.text(entry, "notes", rules::any));
        let tables = stage.tables.clone();
        let workset =
            pipeline.map(|pipeline| Workset { aws, stage, cluster, pipeline, export_uri, notes });
        if let Some(length) = workset.as_ref().map(|set| set.pipeline.length())
            && length > MOST_RUN
        {
            let complaint = Complaint::new(format!(
                "found {length} bytes of commands and environment, quoted, expected at most {MOST_RUN}"
            ));
            let hint = "put what is long into a file of the workset";
            self.reader.problems.add(root.at, "", complaint.hint(hint));
        }
        // Whatever was wrong anywhere, nothing of it is run.
        let workset = workset.filter(|_| self.reader.problems.is_empty());
        Document { workset, tables }
    }

    fn aws(&mut self, entry: &Entry) -> Aws {
        let entries = self.reader.map(&entry.value, "aws", AWS);
        Aws {
            profile: self.reader.text_of(entries, "aws", "profile", rules::word),
            region: self.reader.text_of(entries, "aws", "region", rules::region),
        }
    }

    fn stage(&mut self, entry: Option<&Entry>) -> Stage {
        let entries = entry.map_or(&[][..], |entry| self.reader.map(&entry.value, "stage", STAGE));
        let mut named = |key: &'static str| {
            let at = reader::find(entries, key)?.value.at;
            let path = self.reader.text_of(entries, "stage", key, rules::inside)?;
            Some(Named { path: rules::tidy(&path), at: Some(at) })
        };
        let samples = named("samples_tsv").unwrap_or(Tables::default().samples);
        let units = named("units_tsv");
        Stage {
            tables: Tables { samples, units },
            pem_key: self.reader.text_of(entries, "stage", "pem_key", rules::file_name),
            extra_args: self.reader.words_of(entries, "stage", "extra_args").unwrap_or_default(),
        }
    }

    fn cluster(&mut self, root: &[Entry]) -> Option<Cluster> {
        let flat = reader::find(root, "cluster_name")
            .and_then(|entry| self.reader.text(entry, "cluster_name", rules::word));
        let Some(entry) = reader::find(root, "cluster") else {
            // One that somebody else has made.
            return flat.map(|name| Cluster {
                name,
                template: None,
                create_args: Vec::new(),
                destroy_on_completion: false,
                allow_existing: true,
            });
        };
        let path = "cluster";
        let entries = self.reader.map(&entry.value, path, CLUSTER);
        let name = self.reader.text_of(entries, path, "name", rules::word);
        if let (Some(own), Some(_)) = (reader::find(entries, "name"), &flat) {
            self.reader.both(own.key_at, "cluster.name", "cluster_name");
        }
        let allow_existing = self.reader.flag_of(entries, path, "allow_existing");
        let template = self.reader.text_of(entries, path, "template", rules::any);
        let says = |key| reader::find(entries, key).is_some();
        let may_exist = allow_existing.unwrap_or_else(|| says("allow_existing"));
        if !says("template") && !may_exist {
            let complaint = Complaint::new("missing, expected the template of a cluster to create")
                .hint("or say `allow_existing: true` where one of this name is there");
            self.reader.problems.add(entry.key_at, "cluster.template", complaint);
        }
        let name = name.or(flat);
        if name.is_none() && !says("name") {
            let complaint = Complaint::new("missing, expected the name of the cluster")
                .hint("or leave out `cluster`: it then runs on the headnode of the configuration");
            self.reader.problems.add(entry.key_at, "cluster.name", complaint);
        }
        Some(Cluster {
            name: name.unwrap_or_default(),
            template,
            create_args: self.reader.words_of(entries, path, "create_args").unwrap_or_default(),
            destroy_on_completion: self
                .reader
                .flag_of(entries, path, "destroy_on_completion")
                .unwrap_or(true),
            allow_existing: allow_existing.unwrap_or(false),
        })
    }

    fn pipeline(&mut self, node: &Node, root: &[Entry]) -> Option<Pipeline> {
        let path = "pipeline";
        let section = reader::find(root, path);
        let entries =
            section.map_or(&[][..], |entry| self.reader.map(&entry.value, path, PIPELINE));
        let command = self.command(node, root, entries);
        let clone = self.clone_args(root, entries);
        let workdir_name = reader::find(root, "workdir_name").and_then(|entry| {
            let text = self.reader.text(entry, "workdir_name", rules::any)?;
            let safe = words::directory_name(&text);
            if safe.is_none() {
                let complaint = Complaint::new(format!(
                    "found {}, expected the name of a directory",
                    quoted(&text)
                ));
                self.reader.problems.add(entry.value.at, "workdir_name", complaint);
            }
            safe
        });
        let config_path = |reading: &mut Self, key, usual: &str| {
            let said = reading.reader.text_of(entries, path, key, rules::inside);
            said.map_or_else(|| usual.to_owned(), |said| rules::tidy(&said))
        };
        Some(Pipeline {
            clone,
            workdir_name,
            run_directory: self.reader.text_of(entries, path, "run_directory", rules::directory),
            samples_config_path: config_path(self, "samples_config_path", "config/samples.tsv"),
            units_config_path: config_path(self, "units_config_path", "config/units.tsv"),
            dy_a_args: self
                .reader
                .words_of(entries, path, "dy_a_args")
                .unwrap_or_else(|| vec!["slurm".to_owned(), "hg38".to_owned()]),
            environment: self.reader.environment(entries, path),
            command: command?,
        })
    }

    fn command(&mut self, node: &Node, root: &[Entry], section: &[Entry]) -> Option<String> {
        let own = reader::find(section, "dy_r_command");
        let before = self.reader.problems.len();
        let flat = self.first_of(root, RUN);
        let is_wrong = self.reader.problems.len() > before;
        if let (Some(own), Some((flat, _))) = (own, &flat) {
            self.reader.both(own.key_at, "pipeline.dy_r_command", &flat.key);
        }
        let (at, key, text) = match (own, flat) {
            (Some(own), _) => {
                let key = "pipeline.dy_r_command";
                (own.value.at, key.to_owned(), self.reader.text(own, key, rules::script)?)
            }
            (None, Some((flat, text))) => (flat.value.at, flat.key.clone(), text),
            // What is wrong with it is told.
            (None, None) if is_wrong => return None,
            (None, None) => {
                let said = RUN.iter().any(|key| reader::any(root, key).is_some());
                let complaint = Complaint::new(if said {
                    "nothing is to be run, expected what follows `dy-r`"
                } else {
                    "missing, expected what follows `dy-r`"
                })
                .hint("such as `dy-r: produce_snv_concordances -p -k -j 20`");
                self.reader.problems.add(node.at, "pipeline.dy_r_command", complaint);
                return None;
            }
        };
        self.reader.checked(at, &key, text, rules::pipeline_command)
    }

    /// The budget's arguments come with those of the clone.
    fn clone_args(&mut self, root: &[Entry], section: &[Entry]) -> Option<Vec<String>> {
        let own = reader::find(section, "day_clone");
        let flat = self.first_of(root, CLONE);
        if let (Some(own), Some((flat, _))) = (own, &flat) {
            self.reader.both(own.key_at, "pipeline.day_clone", &flat.key);
        }
        let mut args = match (own, flat) {
            (Some(_), _) => self.reader.words_of(section, "pipeline", "day_clone"),
            (None, Some((flat, text))) => self.reader.split(flat.value.at, &flat.key, &text),
            (None, None) => None,
        }
        .filter(|args| !args.is_empty());
        let place = own.or_else(|| CLONE.iter().find_map(|key| reader::find(root, key)));
        for word in args.iter().flatten() {
            if let (Some(name), Some(entry)) = (words::unknown_placeholder(word), place) {
                let complaint = Complaint::new(format!("nothing is put in for {{{name}}}"))
                    .hint("{workset} and {workdir_name} are known");
                self.reader.problems.add(entry.value.at, &entry.key, complaint);
            }
        }
        if let (Some(first), Some(entry)) = (args.iter().flatten().next(), place)
            && first == "day-clone"
        {
            let complaint =
                Complaint::new("begins with `day-clone` itself, expected its arguments")
                    .hint("leave that word out");
            self.reader.problems.add(entry.value.at, &entry.key, complaint);
        }
        if let Some(entry) = reader::find(root, "budget") {
            let budget = self.reader.text(entry, "budget", rules::word);
            match &mut args {
                Some(args) => args.extend(["--budget".to_owned(), budget.unwrap_or_default()]),
                None if place.is_some() => {}
                None => {
                    let complaint = Complaint::new(
                        "a budget is an argument of day-clone, and nothing is cloned",
                    )
                    .hint("say what is cloned, such as `day-clone: -d {workdir_name}`");
                    self.reader.problems.add(entry.key_at, "budget", complaint);
                }
            }
        }
        args
    }

    /// The first of some flat keys that says something.
    fn first_of<'e>(
        &mut self,
        root: &'e [Entry],
        keys: &[&'static str],
    ) -> Option<(&'e Entry, String)> {
        // Each is read, so that what is wrong in any of them is told.
        let said: Vec<_> = keys
            .iter()
            .filter_map(|key| reader::find(root, key))
            .filter_map(|entry| Some((entry, self.reader.flat(&entry.value, &entry.key, PARTS)?)))
            .collect();
        said.into_iter().find(|(_, text)| !text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests;
