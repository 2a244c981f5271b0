//! Who is heard before whom.

use daylily_lifecycle::case::{Order, Priority};
use daylily_lifecycle::ids::{GroupName, HeadnodeName, PipelineName};

use super::{Matching, Orders, Rule};
use crate::config::RuleSettings;
use crate::config::case_file::CaseFile;
use crate::tree::Names;

fn orders(rules: &[(&str, &str, &str, Option<Priority>)]) -> Orders {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let rule = |&(files, pipeline, group, priority): &(&str, &str, &str, Option<Priority>)| Rule {
        settings: RuleSettings {
            files: files.to_owned(),
            pipeline: some(pipeline).map(PipelineName::new),
            group: some(group).map(GroupName::new),
            priority,
        },
        pattern: Names::new(&[files.to_owned()]).unwrap(),
    };
    Orders {
        pipeline: None,
        priority: Priority::Low,
        headnode: HeadnodeName::new("hpc"),
        group: Some(GroupName::new("of_intake")),
        rules: rules.iter().map(rule).collect(),
    }
}

fn asked(orders: &Orders, files: &[&str], said: CaseFile) -> Order {
    let mut matching = Matching::default();
    for file in files {
        matching.saw(orders, file);
    }
    orders.order(matching, said)
}

fn rule(orders: &Orders, files: &[&str]) -> Option<String> {
    asked(orders, files, CaseFile::default()).rule
}

#[test]
fn the_first_rule_of_the_configuration_counts_whatever_comes_first_in_the_folder() {
    let orders = orders(&[("*.dcm", "mc_dose", "", None), ("raw/**/*.fastq", "align", "", None)]);
    let both = ["raw/a/b.fastq", "series/deep/1.dcm", "series/deep/2.dcm"];
    let because = "rules[0]: series/deep/1.dcm matches *.dcm";
    assert_eq!(rule(&orders, &both).as_deref(), Some(because));
    let because = "rules[1]: raw/a/b.fastq matches raw/**/*.fastq";
    assert_eq!(rule(&orders, &both[..1]).as_deref(), Some(because));
    assert_eq!(rule(&orders, &["x/raw/a/b.fastq", "1.dcm.gz"]), None);
}

#[test]
fn a_pattern_with_a_slash_is_one_of_paths_and_a_star_stays_within_a_folder() {
    let orders = orders(&[("raw/*.dcm", "", "", None), ("a b/[xy]?", "", "", None)]);
    assert_eq!(rule(&orders, &["raw/deep/1.dcm", "1.dcm"]), None);
    assert!(rule(&orders, &["a b/x1"]).is_some_and(|rule| rule.starts_with("rules[1]")));
}

#[test]
fn its_case_file_comes_before_its_rule_and_that_before_its_intake() {
    let orders = orders(&[("*.dcm", "mc_dose", "of_rule", Some(Priority::Normal))]);
    let wants = |order: &Order| {
        let group = order.group.as_ref().map(ToString::to_string).unwrap_or_default();
        (order.pipeline.to_string(), order.priority, group)
    };
    let by_intake = asked(&orders, &["x"], CaseFile::default());
    let expected = ("default".to_owned(), Priority::Low, "of_intake".to_owned());
    assert_eq!(wants(&by_intake), expected);
    let by_rule = asked(&orders, &["x.dcm"], CaseFile::default());
    let expected = ("mc_dose".to_owned(), Priority::Normal, "of_rule".to_owned());
    assert_eq!(wants(&by_rule), expected);
    let said = CaseFile {
        priority: Some(Priority::Urgent),
        group: Some(GroupName::new("said")),
        gpus: Some(2),
        ..CaseFile::default()
    };
    let by_sender = asked(&orders, &["x.dcm"], said);
    assert_eq!(wants(&by_sender), ("mc_dose".to_owned(), Priority::Urgent, "said".to_owned()));
    assert_eq!(by_sender.gpus, 2);
}

#[test]
fn the_pipeline_of_an_intake_comes_before_that_of_a_rule() {
    let mut orders = orders(&[("*.dcm", "mc_dose", "of_rule", None)]);
    orders.pipeline = Some(PipelineName::new("fixed"));
    let order = asked(&orders, &["x.dcm"], CaseFile::default());
    assert_eq!(order.pipeline.as_str(), "fixed");
    assert_eq!(order.group, Some(GroupName::new("of_rule")));
}
