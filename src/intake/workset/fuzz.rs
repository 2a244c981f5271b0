//! Worksets of anything that a sender may put there.

use std::path::Path;

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::{document, location, tables, words};
use crate::config::error::Problems;
use crate::hostile::{can_be_told, mangled, soon, text};

const SECTIONS: &[u8] = b"aws: {profile: lab, region: us-west-2}\nstage:\n  samples_tsv: s.tsv\n\
    cluster: {name: c, template: t}\npipeline:\n  day_clone: [-d, '{workdir_name}']\n  \
    dy_a_args: [slurm, hg38]\n  dy_r_command: \"x $(y)\"\n  environment: &e {A: 'b'}\nnotes: |\n  n\n";
const FLAT: &[u8] = b"day-clone: \" -d {workdir_name} -t main  \"\ndy-r: {args: [a, b]}\n\
    export_uri: \"s3://b/results/\"\ncluster_name: c\nworkdir_name: w\nbudget: b\nnotes: x\n";

const SAMPLES: &[u8] = b"RUN_ID\tSAMPLE_ID\tEXPERIMENTID\tSAMPLE_TYPE\tLIB_PREP\tSEQ_VENDOR\t\
    SEQ_PLATFORM\tLANE\tSEQBC_ID\tPATH_TO_CONCORDANCE_DATA_DIR\tR1_FQ\tR2_FQ\tSUBSAMPLE_PCT\tN_X\r\n\
    R0\tHG002\tx4\tblood\tno\tILMN\tX\t1\tS1\tna\ts3://b/R1.gz\tsub/R2.gz\tna\t1\r\n\
    R0\tHG002\tx4\tblood\tno\tILMN\tX\t2\tS1\tgiab\t/fsx/R1.gz\thttps://h/R2.gz\t0.5\t1\r\n";

proptest! {
    #[test]
    fn a_table_of_anything_names_files_of_the_workset_or_is_told(file in mangled(&[SAMPLES])) {
        let text = String::from_utf8_lossy(&file);
        for rules in [&tables::SAMPLES, &tables::UNITS] {
            let mut problems = Problems::new(Path::new("s.tsv"));
            let files = soon(|| tables::read("s.tsv", &text, rules, &mut problems));
            for file in files {
                prop_assert!(file.at.line >= 2 && file.at.column >= 1);
                match file.place {
                    tables::Place::Inside(path) => {
                        prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")));
                        prop_assert!(!path.chars().any(char::is_control), "{path:?}");
                    }
                    tables::Place::Object(uri) => prop_assert!(uri.is_plain(), "{uri}"),
                }
            }
            let lines = problems.into_errors().into_lines();
            prop_assert!(lines.len() <= 51);
            lines.iter().for_each(|line| can_be_told(line));
        }
    }

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
