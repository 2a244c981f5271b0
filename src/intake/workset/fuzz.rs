//! Worksets of anything that a sender may put there.

use std::path::Path;

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::{document, location, words};
use crate::config::error::Problems;
use crate::hostile::{can_be_told, mangled, soon, text};

const SECTIONS: &[u8] = b"aws: {profile: lab, region: us-west-2}\nstage:\n  samples_tsv: s.tsv\n\
    cluster: {name: c, template: t}\npipeline:\n  day_clone: [-d, '{workdir_name}']\n  \
    dy_a_args: [slurm, hg38]\n  dy_r_command: \"x $(y)\"\n  environment: &e {A: 'b'}\nnotes: |\n  n\n";
const FLAT: &[u8] = b"day-clone: \" -d {workdir_name} -t main  \"\ndy-r: {args: [a, b]}\n\
    export_uri: \"s3://b/results/\"\ncluster_name: c\nworkdir_name: w\nbudget: b\nnotes: x\n";

proptest! {
    #[test]
    fn a_document_of_anything_is_understood_or_told(file in mangled(&[SECTIONS, FLAT])) {
        let text = String::from_utf8_lossy(&file);
        let mut problems = Problems::new(Path::new(document::NAME));
        let read = soon(|| document::read(&text, &mut problems));
        let lines = problems.into_errors().into_lines();
        prop_assert_eq!(read.workset.is_some(), lines.is_empty());
        prop_assert!(lines.len() <= 51);
        lines.iter().for_each(|line| can_be_told(line));
        let tables = [Some(&read.tables.samples), read.tables.units.as_ref()];
        for path in tables.into_iter().flatten().map(|named| &named.path) {
            prop_assert!(!path.starts_with('/') && path.split('/').all(|p| !matches!(p, "" | "." | "..")));
        }
        if let Some(set) = read.workset {
            let name = set.pipeline.workdir_name.unwrap_or_else(|| "x".to_owned());
            prop_assert!(!name.starts_with('-') && !name.contains('/') && name != "..");
            prop_assert!(!set.pipeline.command.contains('\0'));
        }
    }

    #[test]
    fn words_that_were_quoted_come_back_as_they_were(some in proptest::collection::vec("[^\\x00]{0,20}", 0..6)) {
        let quoted: Vec<String> =
            some.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
        prop_assert_eq!(words::split(&quoted.join(" ")), Ok(some));
    }

    #[test]
    fn any_text_is_words_or_told_and_a_name_of_a_directory_or_none(text in text()) {
        let _ = soon(|| words::split(&text));
        if let Some(name) = words::directory_name(&text) {
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
            prop_assert!(!name.starts_with('-') && name != "." && name != "..");
        }
        if let Ok(location::Location::Inside(path)) = location::of(&text) {
            prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?}");
        }
    }
}
