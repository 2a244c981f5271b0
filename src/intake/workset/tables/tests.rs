//! What the tables of a workset may say, and how their mistakes are told.

use std::path::Path;

use super::{NamedFile, Place, SAMPLES, UNITS, Wanted, read};
use crate::config::error::Problems;

const HEADER: &str = "RUN_ID\tSAMPLE_ID\tEXPERIMENTID\tSAMPLE_TYPE\tLIB_PREP\tSEQ_VENDOR\t\
    SEQ_PLATFORM\tLANE\tSEQBC_ID\tPATH_TO_CONCORDANCE_DATA_DIR\tR1_FQ\tR2_FQ\tSTAGE_DIRECTIVE\t\
    STAGE_TARGET\tSUBSAMPLE_PCT\tIS_POS_CTRL\tIS_NEG_CTRL\tN_X\tN_Y\tEXTERNAL_SAMPLE_ID";
const ROW: &str = "R0\tHG002\tx4\tblood\tnoampwgs\tILMN\tNOVASEQX\t0\tS1\t\ts3://b/R1.fastq.gz\t\
    s3://b/R2.fastq.gz\tstage_data\t/fsx/staged_sample_data/\tna\tfalse\tfalse\t1\t1\tHG002";

fn files(text: &str) -> Vec<NamedFile> {
    let mut problems = Problems::new(Path::new("s.tsv"));
    let files = read("s.tsv", text, &SAMPLES, &mut problems);
    assert_eq!(problems.into_errors().into_lines(), Vec::<String>::new(), "{text}");
    files
}

fn told(text: &str) -> String {
    let mut problems = Problems::new(Path::new("s.tsv"));
    read("s.tsv", text, &SAMPLES, &mut problems);
    problems.into_errors().into_lines().join("\n")
}

/// The example with some cells changed.
fn row(changes: &[(&str, &str)]) -> String {
    let cells: Vec<&str> = HEADER
        .split('\t')
        .zip(ROW.split('\t'))
        .map(|(column, cell)| {
            changes.iter().find(|(changed, _)| *changed == column).map_or(cell, |(_, cell)| *cell)
        })
        .collect();
    cells.join("\t")
}

fn table(rows: &[String]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

#[test]
fn the_example_names_two_objects_and_nothing_else() {
    for text in [
        format!("{HEADER}\n{ROW}"),
        format!("\u{feff}{HEADER}\r\n{ROW}\r\n\r\n"),
        // The same files twice are the same files.
        format!("{HEADER}\n\n{}\n{}\n", row(&[("LANE", "1")]), row(&[("LANE", "2")])),
    ] {
        let files = files(&text);
        let named: Vec<(&str, String)> = files
            .iter()
            .map(|file| match &file.place {
                Place::Object(uri) => (file.column.as_str(), uri.to_string()),
                Place::Inside(path) => (file.column.as_str(), path.clone()),
            })
            .collect();
        let expected = [("R1_FQ", "s3://b/R1.fastq.gz"), ("R2_FQ", "s3://b/R2.fastq.gz")];
        assert_eq!(named, expected.map(|(column, place)| (column, place.to_owned())));
    }
}

#[test]
fn files_are_where_the_columns_say_so_and_nowhere_else() {
    let text = format!(
        "{HEADER}\tX_URI\tS3_THING\tMY_PATH\tULTIMA_CRAM\tPB_BAM\tULTIMA_CRAM_ALIGNER\tNOTE\n{}\t\
         https://h/x\tna\t/data/x\tsub//./c.cram\t\t/etc/passwd\t../secret\n",
        row(&[
            ("R1_FQ", "./a b.gz"),
            ("R2_FQ", "/fsx/x.gz"),
            ("PATH_TO_CONCORDANCE_DATA_DIR", "giab"),
            ("STAGE_TARGET", "/etc/../x"),
        ])
    );
    let inside: Vec<(String, Wanted)> = files(&text)
        .into_iter()
        .map(|file| match file.place {
            Place::Inside(path) => (path, file.wanted),
            Place::Object(uri) => (uri.to_string(), file.wanted),
        })
        .collect();
    let expected =
        [("giab", Wanted::Folder), ("a b.gz", Wanted::File), ("sub/c.cram", Wanted::File)];
    assert_eq!(inside, expected.map(|(path, wanted)| (path.to_owned(), wanted)));
}

#[test]
fn every_mistake_is_told_at_once_with_line_column_and_value() {
    insta::assert_snapshot!(told(&table(&[
        row(&[("RUN_ID", ""), ("SEQ_VENDOR", "ILLUMINA"), ("SUBSAMPLE_PCT", "0,5")]),
        row(&[("SAMPLE_ID", "Ünï"), ("R1_FQ", "../../etc/passwd"), ("R2_FQ", "/etc/shadow")]),
        row(&[("SAMPLE_ID", "HG003"), ("R1_FQ", "gs://b/x"), ("R2_FQ", "s3://b/")]),
        row(&[("SAMPLE_ID", "HG004"), ("R1_FQ", "s3://B AD/x"), ("R2_FQ", "~/x")]),
        row(&[("SAMPLE_ID", "HG005"), ("R1_FQ", " a"), ("R2_FQ", "C:\\data\\x")]),
        row(&[("SAMPLE_ID", "HG006"), ("LANE", "a\u{1b}[2J"), ("SUBSAMPLE_PCT", "inf")]),
        "R0\tHG007".to_owned(),
        format!("{}\tone\tmore", row(&[("SAMPLE_ID", "HG008")])),
        row(&[("SEQ_VENDOR", "ilmn"), ("PATH_TO_CONCORDANCE_DATA_DIR", "na")]),
    ])));
}

#[test]
fn lanes_and_samples_must_agree() {
    insta::assert_snapshot!(told(&table(&[
        row(&[("LANE", "1")]),
        row(&[("LANE", "0")]),
        row(&[("LANE", "2"), ("N_X", "2"), ("EXTERNAL_SAMPLE_ID", "other")]),
        row(&[("SAMPLE_ID", "HG003"), ("LANE", "0")]),
    ])));
}

#[test]
fn a_header_that_is_none_is_told() {
    let told = |text: &str| format!("{}\n{}\n", text.escape_debug(), told(text));
    let lower = HEADER.to_lowercase();
    let texts = [
        "",
        "\u{feff}\r\n\r\n",
        "RUN_ID,SAMPLE_ID\nR0,HG002\n",
        &format!("{HEADER}\n"),
        &format!("{HEADER}\tLANE\t\n{ROW}\t1\t\n"),
        &format!("{}\n{ROW}\n", HEADER.replace("SAMPLE_ID\tEXP", "SAMPEL_ID\tEXP")),
        &format!("{}\n{ROW}\n", lower.replace("\tr2_fq", "\t r2_fq")),
    ];
    insta::assert_snapshot!(texts.map(told).join("\n"));
}

#[test]
fn a_table_of_units_is_read_by_its_own_rules() {
    let header = "RUNID\tSAMPLEID\tEXPERIMENTID\tLANEID\tBARCODEID\tLIBPREP\tSEQ_VENDOR\t\
        SEQ_PLATFORM\tILMN_R1_PATH\tILMN_R2_PATH\tULTIMA_CRAM\tULTIMA_CRAM_ALIGNER\tSUBSAMPLE_PCT";
    let text = format!("{header}\nR\tS\tX\t0\tB\tL\tUG\tU\t\t\tx.cram\tug\tna\n");
    let mut problems = Problems::new(Path::new("u.tsv"));
    let files = read("u.tsv", &text, &UNITS, &mut problems);
    assert!(problems.is_empty(), "{:?}", problems.into_errors());
    assert_eq!(files.iter().map(|f| f.column.as_str()).collect::<Vec<_>>(), ["ULTIMA_CRAM"]);
    let text = format!("{header}\nR\tS\tX\t0\t\tL\tXX\tU\ta\tb\t/x.cram\tug\tlots\n");
    read("u.tsv", &text, &UNITS, &mut problems);
    insta::assert_snapshot!(problems.into_errors().into_lines().join("\n"));
}

#[test]
fn a_hostile_table_is_told_in_few_words() {
    let wide = format!("{}\n", "c\t".repeat(1_000));
    let long = format!("{HEADER}\n{}", "x\n".repeat(60_000));
    let bad = table(&vec![
        row(&[("SEQ_VENDOR", &"v".repeat(100)), ("R1_FQ", &"../".repeat(900))]);
        2_000
    ]);
    let many: Vec<String> = (0..51_000).map(|n| row(&[("RUN_ID", &n.to_string())])).collect();
    for text in [wide, long, bad, table(&many)] {
        let mut problems = Problems::new(Path::new("s.tsv"));
        read("s.tsv", &text, &SAMPLES, &mut problems);
        assert!((1..2_100).contains(&problems.len()), "{}", problems.len());
        let lines = problems.into_errors().into_lines();
        assert!(lines.len() <= 51 && lines.iter().map(String::len).sum::<usize>() < 20_000);
    }
}
