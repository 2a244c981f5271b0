//! Owns the proof that every kind of mistake is told as promised, and that what is
//! right comes out as meant.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::{any, proptest};

use crate::config::changes;
use crate::config::error::{ConfigErrors, Problems};
use crate::config::kind::Section;
use crate::config::places::{self, Places};
use crate::config::secret::SecretSource;
use crate::config::sections::ROOT;
use crate::config::{Quiet, Settings, load, reference, resolve};

mod changing;
mod meaning;
mod mistakes;
mod settings;

/// The least that is a configuration; what a test adds begins at line 3.
const LEAST: &str = "intakes: [{name: in, path: ./in}]\n\
                     headnodes: [{name: here, host: local, work_dir: ./work}]\n";

fn read_at(base: &Path, text: &str) -> Result<Settings, ConfigErrors> {
    let places = Places { base: base.to_owned(), home: Some(PathBuf::from("/home/anna")) };
    let problems = Problems::new(Path::new("config.yaml"));
    resolve::settings(text, &base.join("config.yaml"), &places, problems)
}

fn read(text: &str) -> Settings {
    read_at(Path::new("/lab"), text).expect("a configuration without mistakes")
}

#[test]
fn null_is_the_default_of_every_key() {
    let nulls: String = ROOT
        .keys
        .iter()
        .filter(|key| !["intakes", "headnodes"].contains(&key.name))
        .map(|key| format!("{}: null\n", key.name))
        .collect();
    let settings = read(&format!("{LEAST}{nulls}"));
    assert_eq!(settings, read(LEAST));
}

#[test]
fn the_hash_ignores_how_it_is_written_and_notices_what_is_meant() {
    let hash = |text: &str| read(&format!("{LEAST}{text}")).hash;
    let least = hash("");
    assert_eq!(least.len(), 16);
    assert_eq!(hash("# a remark\npoll: {max: 30s}\nlost_after: 120s\n"), least);
    assert_ne!(hash("lost_after: 121s\n"), least);
    assert_ne!(hash("pipelines: {default: {command: other}}\n"), least);
}

#[test]
fn what_is_set_and_not_built_is_named_once_with_its_line() {
    let settings = read(
        r#"
intakes: [{name: in, path: ./in, settle: {manifest: SHA256SUMS}}]
headnodes:
  - name: here
    host: local
    work_dir: ./work
    ssh: {connect_timeout: 30s}
    pueue: {command: pueue}
    ship: {shared: {here: /mnt/lab, there: /data/lab}}
    bandwidth: 50MiB/s
    transfer_hours: 20:00-06:00
pipelines: {default: {probe: dy-r --version, stop: ./stop}}
rules: [{files: "*.dcm", group: default}]
aging: 12h
notify: [{kind: mail, to: lab@example.org, password: {env: MAIL_PASSWORD}}]
privacy: {log_tail: true}
http: {token: {file: ./token}}
"#,
    );
    let named: Vec<String> = settings
        .not_active
        .iter()
        .map(|not_active| {
            format!("{}: {}: {}", not_active.line, not_active.key_path, not_active.why)
        })
        .collect();
    insta::assert_snapshot!(named.join("\n"), @r"
    15: notify: nobody is notified
    16: privacy: there is no page and no notice yet
    17: http: there is no page and no API yet
    ");
}

#[test]
fn anchors_and_merge_keys_work_and_the_map_itself_wins() {
    let settings = read(
        "intakes:\n\
         - &base {name: a, path: ./a, rescan: 5s, settle: {quiet: 1s}}\n\
         - {<<: *base, name: b, path: ./b}\n\
         headnodes: [{name: here, host: local, work_dir: ./work}]\n",
    );
    assert_eq!(settings.intakes[1].name.as_str(), "b");
    assert_eq!(settings.intakes[1].rescan, Duration::from_secs(5));
    assert_eq!(settings.intakes[1].quiet, Quiet::Fixed(jiff::SignedDuration::from_secs(1)));
}

#[test]
fn a_secret_is_read_from_its_file_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let secret = SecretSource::File(file.clone()).read().unwrap();
    assert_eq!(secret.reveal(), "s3cret");
    assert_eq!(format!("{secret:?}"), "Secret(***)");
    std::fs::write(&file, "\n").unwrap();
    assert!(SecretSource::File(file).read().is_err());
    assert!(SecretSource::Environment("DAYLILY_NO_SUCH_VARIABLE".into()).read().is_err());
}

#[test]
fn a_file_that_is_not_there_is_told_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.yaml");
    let error = load(&file).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "$DIR");
    assert_eq!(
        error,
        "$DIR/config.yaml: cannot be read: No such file or directory (os error 2)\n  \
         hint: name the file with --config, or write one to begin with: `daylily-watch init FILE`"
    );
    std::fs::write(&file, b"log: {level: \xff}").unwrap();
    let error = load(&file).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "$DIR");
    assert_eq!(error, "$DIR/config.yaml: not UTF-8, from byte 13 on\n  hint: save it as UTF-8");
}

#[test]
fn without_a_configuration_every_place_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = ["a.yaml", "b.yaml"].map(|name| dir.path().join(name));
    let both = [first, second.clone()];
    let error = places::first_of(&both).unwrap_err().to_string();
    assert_eq!(
        error.replace(dir.path().to_str().unwrap(), "$DIR"),
        "no configuration found; looked at --config and $DAYLILY_WATCH_CONFIG (not given), \
         $DIR/a.yaml, $DIR/b.yaml\n  hint: `daylily-watch init` writes one to begin with"
    );
    std::fs::write(&second, "").unwrap();
    assert_eq!(places::first_of(&both).unwrap(), second);
}

#[test]
fn the_configuration_page_is_what_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    #[allow(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, reference()).unwrap();
    }
    let page = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        page == reference(),
        "docs/configuration.md is out of date; run UPDATE_DOCS=1 cargo test configuration_page"
    );
}

fn annotated() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/daylily-watch.yaml");
    std::fs::read_to_string(file).unwrap()
}

/// The file with every commented key put in force.
fn uncommented(text: &str) -> String {
    let is_key = |text: &str| {
        let key: String = text.trim_start().chars().take_while(|c| *c != ':').collect();
        text.contains(':')
            && !key.is_empty()
            && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let line = |line: &str| match line.split_once("# ") {
        Some((indent, rest)) if indent.trim().is_empty() && is_key(rest) => {
            format!("{indent}{rest}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_annotated_file_loads_and_its_commented_keys_are_the_defaults() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/daylily-watch.yaml");
    let settings = load(&file).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.not_active, []);
    let (short, long) = (annotated(), uncommented(&annotated()));
    assert_ne!(short, long);
    let long = read_at(Path::new("/lab"), &long).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(long.not_active, []);
    // Only `queue` is written out where the default follows from the host.
    let short = read(&short);
    let queue: Vec<String> =
        changes::changes(&long, &short).into_iter().map(|change| change.key_path).collect();
    assert_eq!(queue, ["headnodes[0].queue"]);
    let (hash, said) = (&short.hash, &short.said);
    assert_eq!(Settings { hash: hash.clone(), said: said.clone(), ..long }, short);
}

#[test]
fn every_key_of_the_table_is_in_the_annotated_file() {
    fn keys(section: &'static Section, found: &mut BTreeSet<&'static str>) {
        for key in section.keys {
            found.insert(key.name);
            if let Some((below, _)) = key.kind.section() {
                keys(below, found);
            }
        }
    }
    let mut all = BTreeSet::new();
    keys(&ROOT, &mut all);
    let text = annotated();
    let is_there = |key: &&str| {
        text.match_indices(&format!("{key}:")).any(|(at, _)| text[..at].ends_with([' ', '{', '\n']))
    };
    let missing: Vec<&str> = all.into_iter().filter(|key| !is_there(key)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// What is wrong with these folders, with the temporary folder called $DIR.
fn told_at(base: &Path, text: &str) -> String {
    match read_at(base, text) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(errors) => {
            errors.to_string().replace(base.canonicalize().unwrap().to_str().unwrap(), "$DIR")
        }
    }
}

#[test]
fn two_intakes_never_share_a_folder_not_even_through_a_symlink() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
    let told = told_at(
        dir.path(),
        r#"
intakes:
  - {name: a, path: ./real}
  - {name: b, path: ./link}
  - {name: c, path: ./link/new/../inner}
  - {name: d, path: ./x/../}
  - {name: e, path: ./other}
headnodes: [{name: here, host: local, work_dir: ~/work}]
state_dir: /var/lib/daylily
results: {to: /srv/results}
"#,
    );
    insta::assert_snapshot!(told, @r#"
    config.yaml:4:21: intakes[1].path: $DIR/real is the same folder as intakes[0].path (line 3): a case would be taken twice
      hint: choose another folder
    config.yaml:5:21: intakes[2].path: $DIR/real/inner is inside intakes[0].path (line 3): a case would be taken twice
      hint: choose another folder
    config.yaml:5:21: intakes[2].path: $DIR/real/inner is inside intakes[1].path (line 4): a case would be taken twice
      hint: choose another folder
    config.yaml:6:21: intakes[3].path: $DIR is around intakes[0].path (line 3): a case would be taken twice
      hint: choose another folder
    config.yaml:6:21: intakes[3].path: $DIR is around intakes[1].path (line 4): a case would be taken twice
      hint: choose another folder
    config.yaml:6:21: intakes[3].path: $DIR is around intakes[2].path (line 5): a case would be taken twice
      hint: choose another folder
    config.yaml:7:21: intakes[4].path: $DIR/other is inside intakes[3].path (line 6): a case would be taken twice
      hint: choose another folder
    "#);
}

#[test]
fn nothing_is_written_into_an_intake() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    std::os::unix::fs::symlink("in", dir.path().join("link")).unwrap();
    let told = told_at(
        dir.path(),
        r#"
state_dir: ./in/state
intakes:
  - {name: in, path: ./in, on_success: {move_to: ./link/done}, on_failure: {move_to: ./failed}}
  - {name: deep, path: ./work/in}
headnodes:
  - {name: here, host: local, work_dir: ./work}
  - {name: there, host: local, work_dir: ./link/work}
results: {to: .}
log: {file: in/log}
"#,
    );
    insta::assert_snapshot!(told, @r#"
    config.yaml:2:12: state_dir: $DIR/in/state is inside intakes[0].path (line 4): what is put there would arrive as a case
      hint: choose another folder
    config.yaml:4:50: intakes[0].on_success.move_to: $DIR/in/done is inside intakes[0].path (line 4): what is put there would arrive as a case
      hint: choose another folder
    config.yaml:7:41: headnodes[0].work_dir: $DIR/work is around intakes[1].path (line 5): what is copied there would arrive as a case
      hint: choose another folder
    config.yaml:8:42: headnodes[1].work_dir: $DIR/in/work is inside intakes[0].path (line 4): what is copied there would arrive as a case
      hint: choose another folder
    config.yaml:9:15: results.to: $DIR/in is inside intakes[0].path (line 4): what is put there would arrive as a case
      hint: choose another folder
    config.yaml:10:13: log.file: $DIR/in/log is inside intakes[0].path (line 4): what is put there would arrive as a case
      hint: choose another folder
    "#);
    let beside = "intakes: [{name: in, path: ./in}]\n\
                  headnodes: [{name: here, host: local, work_dir: ./in.work}]\n";
    assert_eq!(told_at(dir.path(), beside), "nothing is wrong");
}

#[test]
fn two_headnodes_of_one_machine_have_folders_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let told = told_at(
        dir.path(),
        r#"
intakes: [{name: in, path: ./in}]
headnodes:
  - {name: a, host: local, work_dir: ./work}
  - {name: b, host: local, work_dir: ./work/b}
"#,
    );
    insta::assert_snapshot!(told, @r#"
    config.yaml:5:38: headnodes[1].work_dir: $DIR/work/b is the same folder as, or in or around headnodes[0].work_dir (line 4): each headnode needs its own
      hint: choose another folder
    "#);
}

#[test]
fn a_path_in_the_home_folder_needs_one() {
    let places = Places { base: PathBuf::from("/lab"), home: None };
    let problems = Problems::new(Path::new("config.yaml"));
    let text = LEAST.replace("./work", "~/work");
    let told = resolve::settings(&text, Path::new("/lab/config.yaml"), &places, problems);
    insta::assert_snapshot!(told.unwrap_err(), @r#"
    config.yaml:2:13: headnodes[0].path[0]: found ~/, and HOME is not set
      hint: write the path out, or set HOME for the daemon
    config.yaml:2:13: headnodes[0].path[1]: found ~/, and HOME is not set
      hint: write the path out, or set HOME for the daemon
    config.yaml:2:49: headnodes[0].work_dir: found ~/, and HOME is not set
      hint: write the path out, or set HOME for the daemon
    "#);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = read_at(Path::new("/lab"), &text);
    }

    #[test]
    fn no_text_made_of_yaml_makes_the_reader_panic(
        text in "([a-z_]{1,8}: ?|- |[\\[\\]{}&*!|>,\"'#]|<<: |null|[0-9]{1,4}[a-z]?|[ \n]{1,3}|name|intakes|headnodes){0,60}"
    ) {
        let _ = read_at(Path::new("/lab"), &text);
        let _ = read_at(Path::new("/lab"), &format!("{LEAST}{text}"));
    }

    #[test]
    fn no_change_of_one_place_of_the_file_makes_the_reader_panic(
        at in any::<proptest::sample::Index>(), with in "[\\[\\]{}:\"'\n &*0-9a-z-]{0,4}"
    ) {
        let mut text = annotated();
        let at = at.index(text.len());
        text.replace_range(at..=at, &with);
        let _ = read_at(Path::new("/lab"), &text);
    }
}
