use std::path::PathBuf;

use daylily_lifecycle::ids::PipelineName;
use proptest::prelude::{Strategy, any};
use proptest::{prop_assert_eq, proptest};

use super::{quoted, render};
use crate::cli::args::Init;
use crate::config::{self, Settings};

fn asked() -> Init {
    Init {
        file: PathBuf::from("config.yaml"),
        intake: PathBuf::from("./new_cases"),
        work_dir: PathBuf::from("./work"),
        results: PathBuf::from("./results"),
        command: "dy-r".to_owned(),
        gpus: Vec::new(),
        slots: None,
        fetch: Vec::new(),
    }
}

fn load(init: &Init) -> Settings {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("config.yaml");
    std::fs::write(&file, render(init).expect("it can be rendered")).expect("there is room");
    config::load(&file).unwrap_or_else(|errors| panic!("it loads: {errors}"))
}

#[test]
fn without_wishes_it_means_the_annotated_default() {
    let settings = load(&asked());
    assert!(settings.intakes[0].path.ends_with("new_cases"));
    assert_eq!(settings.headnodes[0].groups[0].slots, vec![None, None]);
    assert_eq!(settings.pipelines[&PipelineName::new("default")].command, "dy-r");
    assert_eq!(settings.not_active, Vec::new());
}

#[test]
fn every_wish_comes_back_as_it_was_said() {
    let odd = r#"sh -c 'echo "$HOME: #1 \n" | tee {a,b}' & true"#;
    let settings = load(&Init {
        intake: PathBuf::from("/srv/Größe: #1/'in'"),
        work_dir: PathBuf::from("/srv/- work \"x\""),
        results: PathBuf::from("./~weird/[r]"),
        command: odd.to_owned(),
        gpus: vec!["0".to_owned(), "GPU-1e3".to_owned()],
        fetch: vec!["*.vcf.gz".to_owned(), "{a,b}/**".to_owned()],
        ..asked()
    });
    assert_eq!(settings.intakes[0].path, PathBuf::from("/srv/Größe: #1/'in'"));
    assert_eq!(settings.headnodes[0].work_dir, PathBuf::from("/srv/- work \"x\""));
    assert!(settings.results.to.ends_with("~weird/[r]"));
    assert_eq!(settings.pipelines[&PipelineName::new("default")].command, odd);
    let slots = &settings.headnodes[0].groups[0].slots;
    assert_eq!(slots, &vec![Some("0".to_owned()), Some("GPU-1e3".to_owned())]);
    assert_eq!(settings.results.fetch, vec!["*.vcf.gz", "{a,b}/**"]);
}

#[test]
fn words_that_yaml_takes_for_something_else_stay_text() {
    for command in ["true", "no", "0600", "1e3", "null", "~", "- x", "? y", "&a", "*b", "!c", "@d"]
    {
        let settings = load(&Init { command: command.to_owned(), ..asked() });
        let pipeline = &settings.pipelines[&PipelineName::new("default")];
        assert_eq!(pipeline.command, command, "quoted as {}", quoted(command));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_back_as_it_was(text in any::<String>().prop_map(|text| text.replace('\0', ""))) {
        let read: String = serde_saphyr::from_str(&format!("{}\n", quoted(&text))).expect("it is YAML");
        prop_assert_eq!(read, text);
    }
}
