//! What a `case.yaml` may say, and how its mistakes are told.

use std::collections::BTreeMap;

use daylily_lifecycle::case::Priority;
use daylily_lifecycle::ids::GroupName;

use super::{CaseFile, read};

#[test]
fn all_that_may_be_said_is_understood() {
    let said = read(
        "# for the night run\npriority: urgent\ngroup: gpu_a\ngpus: 2\n\
         notify: [anna@example.org]\nparams:\n  threads: 08\n  dose: 1.50\n  quick: Yes\n  \
         label: \"a 'b' $c\"\n  empty: ''\n  both: |\n    one\n    two\n",
    );
    let params = [
        ("threads", "08"),
        ("dose", "1.50"),
        ("quick", "Yes"),
        ("label", "a 'b' $c"),
        ("empty", ""),
        ("both", "one\ntwo\n"),
    ];
    let params: BTreeMap<String, String> =
        params.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(
        said,
        Ok(CaseFile {
            priority: Some(Priority::Urgent),
            group: Some(GroupName::new("gpu_a")),
            gpus: Some(2),
            params,
            notify: vec!["anna@example.org".to_owned()],
        })
    );
}

#[test]
fn one_that_says_nothing_is_no_mistake() {
    for text in ["", "# later\n", "---\n", "{}", "priority: null\nparams:\n"] {
        assert_eq!(read(text), Ok(CaseFile::default()), "{text:?}");
    }
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let text = "prioritaet: urgent\npriority: soon\ncommand: rm -rf /\ngpus: many\n\
                group: \"a b\"\nnotify: anna\nparams:\n  a-b: 1\n  deep: {x: 1}\n  none: ~\n  \
                twice: 1\n  twice: 2\n  bell: \"\\a\"\n";
    let told = read(text).expect_err("nothing of it is right").join("\n");
    insta::assert_snapshot!(told, @r"
    case.yaml:1:1: prioritaet: unknown key; did you mean priority?
    case.yaml:2:11: priority: found `soon`, expected one of urgent, normal, low
    case.yaml:3:1: command: unknown key; known here: priority, group, gpus, params, notify
    case.yaml:4:7: gpus: found `many`, expected a whole number from 0 to 10000
    case.yaml:5:8: group: found `a b`, expected a plain name; at most 64 letters, digits, dots, dashes and underscores, not beginning with a dot or a dash
    case.yaml:6:9: notify: found `anna`, expected a list
    case.yaml:8:3: params.a-b: found `a-b`, expected the name of a parameter; at most 128 letters, digits and underscores, not beginning with a digit
    case.yaml:9:9: params.deep: found a map, expected text, a number or a truth value
    case.yaml:10:9: params.none: found nothing, expected text, a number or a truth value
    case.yaml:12:3: params.twice: set twice, first at line 11, column 3; keep one of the two
    case.yaml:13:9: params.bell: found the control character \u{7} in `\u{7}`
    ");
}

#[test]
fn what_is_no_map_or_no_yaml_is_told_with_its_place() {
    let told = |text: &str| read(text).expect_err(text).join("\n");
    insta::assert_snapshot!(told("- a\n"), @"case.yaml:1:1: found a list, expected a map with the keys priority, group, gpus, params, notify");
    insta::assert_snapshot!(told("urgent"), @"case.yaml:1:1: found `urgent`, expected a map with the keys priority, group, gpus, params, notify");
    insta::assert_snapshot!(told("priority: [urgent"), @"case.yaml:1:11: not YAML: unclosed bracket '['");
    insta::assert_snapshot!(told("a: 1\n---\nb: 2\n"), @"case.yaml:2:1: found a second document, expected one; put everything into one document, without a `---` in between");
    insta::assert_snapshot!(told("params: 7\n"), @"case.yaml:1:9: params: found the number `7`, expected a map from names to text, numbers or truth values");
}

#[test]
fn aliases_make_no_more_of_it_than_a_job_can_take() {
    let long = "x".repeat(20_000);
    let text = format!("params: {{a: &a {long}, b: *a, c: *a, d: *a}}\n");
    let told = read(&text).expect_err("it is too much");
    assert_eq!(
        told,
        [
            "case.yaml:1:9: params: found more than 64 KiB of parameters; put what is long into a file"
        ]
    );
}

#[test]
fn what_is_said_of_one_is_bounded_whatever_is_in_it() {
    let many: String = (0..8_000).map(|n| format!("k{n}: 1\n")).collect();
    let long = "k".repeat(60_000);
    let nested: String =
        (0..30).map(|n| format!("{}{}:\n", " ".repeat(n), "n".repeat(1_500))).collect();
    for text in [
        many,
        format!("{long}: 1\n"),
        format!("params: {{{long}: [1]}}\n"),
        format!("priority: {long}\n"),
        format!("group: [{long}]\n"),
        format!("params: {{a: [{long}]}}\n"),
        format!("notify: {{{long}: {long}"),
        format!("!{long} x: 1"),
        format!("x: *{long}"),
        nested,
    ] {
        let problems = read(&text).unwrap_err();
        assert!(problems.len() <= 51, "{}", problems.len());
        let length: usize = problems.iter().map(String::len).sum();
        assert!(length < 20_000, "{length} bytes about {}", &text[..40]);
    }
}
