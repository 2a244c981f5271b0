//! What a `daylily_work.yaml` may say, in both dialects, and how its mistakes are told.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Document, NAME, Named, Workset, read};
use crate::config::error::{Position, Problems};

fn understood(text: &str) -> Workset {
    let mut problems = Problems::new(Path::new(NAME));
    let document = read(text, &mut problems);
    assert_eq!(problems.into_errors().into_lines(), Vec::<String>::new(), "{text}");
    document.workset.expect("nothing is wrong with it")
}

fn told(text: &str) -> String {
    let mut problems = Problems::new(Path::new(NAME));
    let Document { workset, .. } = read(text, &mut problems);
    assert_eq!(workset, None, "nothing of a file with a mistake in it is run: {text}");
    problems.into_errors().into_lines().join("\n")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn every_key_of_the_sections_is_understood() {
    let set = understood(
        "aws: {profile: lab, region: us-west-2}\n\
         stage:\n  samples_tsv: ./tables//s.tsv\n  units_tsv: u.tsv\n  pem_key: lab.pem\n  \
         extra_args: [--dry, \"a b\"]\n\
         cluster: {name: c1, template: t.yaml, create_args: [--x], destroy_on_completion: false}\n\
         pipeline:\n  day_clone: [-d, \"{workdir_name}\", -t, 1.0]\n  run_directory: /fsx/run\n  \
         samples_config_path: config/a.tsv\n  units_config_path: config/b.tsv\n  \
         dy_a_args: [local, hg38]\n  dy_r_command: |\n    produce -p\n  \
         environment: {A: 'it''s $(x)', B: 08, C: ''}\n\
         export_uri: s3://b/results/\nnotes: for the night\nworkdir_name: \"a b/$(x)\"\n\
         budget: lab-1\n",
    );
    let at = |line, column| Some(Position { line, column });
    assert_eq!(set.stage.tables.samples, Named { path: "tables/s.tsv".to_owned(), at: at(3, 16) });
    assert_eq!(set.stage.tables.units, Some(Named { path: "u.tsv".to_owned(), at: at(4, 14) }));
    assert_eq!(set.stage.pem_key.as_deref(), Some("lab.pem"));
    assert_eq!(set.stage.extra_args, words(&["--dry", "a b"]));
    let cluster = set.cluster.expect("it is there");
    assert_eq!((cluster.name.as_str(), cluster.destroy_on_completion), ("c1", false));
    let pipeline = set.pipeline;
    let clone = words(&["-d", "{workdir_name}", "-t", "1.0", "--budget", "lab-1"]);
    assert_eq!(pipeline.clone, Some(clone));
    assert_eq!(pipeline.workdir_name.as_deref(), Some("a_b___x_"));
    assert_eq!(pipeline.run_directory.as_deref(), Some("/fsx/run"));
    assert_eq!(pipeline.dy_a_args, words(&["local", "hg38"]));
    assert_eq!(pipeline.command, "produce -p\n");
    let environment = [("A", "it's $(x)"), ("B", "08"), ("C", "")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(pipeline.environment, BTreeMap::from(environment));
    assert_eq!(set.export_uri.as_deref(), Some("s3://b/results/"));
    assert_eq!(set.notes.as_deref(), Some("for the night"));
}

#[test]
fn what_is_left_out_has_its_default() {
    let set = understood("dy-r: produce_all\n");
    assert_eq!(set.stage.tables.samples, Named { path: "stage_samples.tsv".to_owned(), at: None });
    assert_eq!((set.stage.tables.units, set.cluster), (None, None));
    let pipeline = set.pipeline;
    assert_eq!((pipeline.clone, pipeline.workdir_name, pipeline.run_directory), (None, None, None));
    assert_eq!(pipeline.dy_a_args, words(&["slurm", "hg38"]));
    assert_eq!(pipeline.samples_config_path, "config/samples.tsv");
    assert_eq!(pipeline.units_config_path, "config/units.tsv");
    // A section that says nothing says nothing.
    understood("dy-r: x\naws:\nstage: ~\npipeline: null\n");
}

#[test]
fn the_flat_dialect_is_understood_as_it_is_written_in_the_field() {
    let set = understood(
        "day-clone: \" -d {workdir_name} -t main  \"\n\
         dy-r: produce_snv_concordances -p -k -j 20 --config aligners=[\"sent\",\"bwa2a\"] \
         snv_callers=[\"deep19\"]\n\
         export_uri: \"s3://bucket/results/\"\ncluster_name: c1\n",
    );
    assert_eq!(set.pipeline.clone, Some(words(&["-d", "{workdir_name}", "-t", "main"])));
    assert_eq!(
        set.pipeline.command,
        "produce_snv_concordances -p -k -j 20 --config aligners=[\"sent\",\"bwa2a\"] \
         snv_callers=[\"deep19\"]"
    );
    // Only one that is there is meant: nothing says what it would be made of.
    let cluster = set.cluster.expect("it is named");
    assert_eq!((cluster.name.as_str(), cluster.allow_existing), ("c1", true));
    assert!(!cluster.destroy_on_completion);
}

#[test]
fn of_the_flat_aliases_the_first_that_says_something_counts() {
    for key in ["dy_r", "dy-r", "dy", "run", "run_suffix", "run-suffix", "run_cmd", "run-command"] {
        assert_eq!(understood(&format!("{key}: x y\n")).pipeline.command, "x y");
    }
    for key in ["day_clone_args", "day-clone", "clone_args", "clone-args", "clone"] {
        let set = understood(&format!("dy: x\n{key}: -d 'a b'\n"));
        assert_eq!(set.pipeline.clone, Some(words(&["-d", "a b"])));
    }
    for key in ["export_uri", "export-uri", "export"] {
        let set = understood(&format!("dy: x\n{key}: s3://b/p\n"));
        assert_eq!(set.export_uri.as_deref(), Some("s3://b/p"));
    }
    let set = understood("run: third\ndy-r: ' '\ndy: {suffix: '', args: [second, -j, 2]}\n");
    assert_eq!(set.pipeline.command, "second -j 2");
    for part in ["suffix", "args", "cmd", "command"] {
        assert_eq!(understood(&format!("run: {{{part}: z}}\n")).pipeline.command, "z");
    }
}

#[test]
fn a_byte_order_mark_and_dos_line_ends_are_no_mistake() {
    let set = understood(
        "\u{feff}pipeline:\r\n  dy_r_command: |\r\n    a\r\n    b\r\n  dy_a_args:\r\n  - local\r\n",
    );
    assert_eq!((set.pipeline.command.as_str(), set.pipeline.dy_a_args.len()), ("a\nb\n", 1));
}

#[test]
fn what_would_not_fit_into_one_command_is_refused() {
    let most = "'".repeat(24_000);
    understood(&format!("dy-r: \"{most}\"\n"));
    let two = format!("pipeline: {{dy_r_command: \"{most}\", environment: {{A: \"{most}\"}}}}\n");
    assert!(told(&two).contains("expected at most 98304; put what is long into a file"));
}

/// What is told of each, below the text that it is told of.
fn all_told(texts: &[&str]) -> String {
    let told = texts.iter().map(|text| format!("{}\n{}\n", text.escape_debug(), told(text)));
    told.collect::<Vec<String>>().join("\n")
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    insta::assert_snapshot!(told(
        "aws: {profil: lab, region: \"us west\"}\n\
         stage:\n  samples_tsv: ../s.tsv\n  units_tsv: /etc/passwd\n  pem_key: ../id\n  extra_args: {a: 1}\n\
         cluster: {allow_existing: yes, destroy_on_completion: \"true\"}\n\
         pipline: {}\n\
         pipeline:\n  run_directory: ~/x\n  samples_config_path: /etc/cron.d/x\n  dy_a_args: [slurm, [x]]\n  \
         environment: {a-b: 1, DAYLILY_ATTEMPT: x, C: ~, D: \"\\0\", E: [1]}\n  dy_r_comand: x\n\
         day-clone: \"-d 'x\"\nexport_uri: gs://b/x\nworkdir_name: ..\nbudget: \"-x\"\nbudget: y\nnotes: [1]\n"
    ));
}

#[test]
fn what_contradicts_itself_is_told() {
    insta::assert_snapshot!(all_told(&[
        "pipeline: {dy_r_command: x, day_clone: [-d, a]}\ndy-r: y\nclone: -d b\n\
         cluster: {name: a, template: t}\ncluster_name: b\n",
        "dy-r: dy-r x\nday-clone: day-clone -d {workdir}\n",
        "dy-r: x\nbudget: b\n",
        "dy-r: \"\"\nrun: []\n",
        "cluster:\n  name: a\ndy: x\n",
        "cluster: {allow_existing: true}\ndy: x\n",
    ]));
}

#[test]
fn what_is_no_map_or_no_yaml_is_told_with_its_place() {
    insta::assert_snapshot!(all_told(&[
        "",
        "- a\n",
        "dy-r: [x\n",
        "dy-r: x\n---\ndy-r: y\n",
        "dy-r: !!python/object x\n",
        "dy-r: \"a\\0b\"\n",
    ]));
}
