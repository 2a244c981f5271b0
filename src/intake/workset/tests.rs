//! Whole worksets: what is read of a folder, and what is told of broken ones.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Read, read};

const HEADER: &str = "RUN_ID\tSAMPLE_ID\tEXPERIMENTID\tSAMPLE_TYPE\tLIB_PREP\tSEQ_VENDOR\t\
    SEQ_PLATFORM\tLANE\tSEQBC_ID\tPATH_TO_CONCORDANCE_DATA_DIR\tR1_FQ\tR2_FQ\tSUBSAMPLE_PCT";

fn row(r1: &str, r2: &str) -> String {
    format!("R0\tHG002\tx4\tblood\tnoampwgs\tILMN\tNOVASEQX\t0\tS1\t\t{r1}\t{r2}\tna")
}

fn samples(r1: &str, r2: &str) -> String {
    format!("{HEADER}\n{}\n", row(r1, r2))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn read_of(dir: &Path) -> Read {
    read(dir).unwrap().expect("it is a workset")
}

fn told(dir: &Path) -> String {
    read_of(dir).with_missing().into_lines().join("\n")
}

#[test]
fn a_folder_without_the_file_is_none() {
    let dir = folder(&[("stage_samples.tsv", "x")]);
    assert!(read(dir.path()).unwrap().is_none() && !super::is_one(dir.path()));
}

#[test]
fn files_are_found_as_written_and_under_sample_data() {
    let dir = folder(&[
        ("daylily_work.yaml", "dy-r: x\n"),
        ("stage_samples.tsv", &samples("a/R1.gz", "R2.gz")),
        ("stage_units.tsv", "RUNID\tSAMPLEID\nx\ty\n"),
        ("a/R1.gz", "1"),
        ("sample_data/R2.gz", "2"),
    ]);
    let found = read_of(dir.path());
    // One with the usual name is read though nobody names it.
    assert_eq!(found.units.as_deref(), Some("stage_units.tsv"));
    assert!(found.problems.0.iter().all(|error| error.file == Path::new("stage_units.tsv")));
    assert_eq!((found.problems.0.len(), found.files, found.missing.len()), (6, 4, 0));
    fs::remove_file(dir.path().join("stage_units.tsv")).unwrap();
    let found = read_of(dir.path());
    assert_eq!((found.problems.0.len(), found.files, found.missing.len()), (0, 3, 0));
    // What is not there is no mistake yet.
    fs::remove_file(dir.path().join("sample_data/R2.gz")).unwrap();
    let found = read_of(dir.path());
    assert_eq!((found.problems.0.len(), found.missing.len()), (0, 1));
    assert_eq!(
        (found.missing[0].path.as_str(), found.missing[0].by.as_str()),
        ("R2.gz", "stage_samples.tsv")
    );
}

#[test]
fn what_is_named_and_not_there_or_leads_out_is_told() {
    let elsewhere = folder(&[("secret", "root:x:0:0"), ("t.tsv", "root:x:0:0\n")]);
    let dir = folder(&[
        ("daylily_work.yaml", "dy-r: x\nstage: {samples_tsv: t/s.tsv, units_tsv: out/t.tsv}\n"),
        (
            "t/s.tsv",
            &format!(
                "{HEADER}\n{}\n{}\n",
                row("gone.gz", "leads"),
                row("t", "out/secret").replace("HG002", "HG003")
            ),
        ),
    ]);
    symlink(elsewhere.path(), dir.path().join("out")).unwrap();
    symlink(elsewhere.path().join("secret"), dir.path().join("leads")).unwrap();
    insta::assert_snapshot!(told(dir.path()));
    let dir = folder(&[("daylily_work.yaml", "dy-r: x\nstage: {units_tsv: u.tsv}\n")]);
    insta::assert_snapshot!(told(dir.path()));
}

#[test]
fn odd_files_are_told_and_never_waited_for() {
    let dir = folder(&[("x", "")]);
    nix::unistd::mkfifo(&dir.path().join("daylily_work.yaml"), nix::sys::stat::Mode::S_IRWXU)
        .unwrap();
    fs::write(dir.path().join("stage_samples.tsv"), b"RUN_ID\t\xff\n").unwrap();
    insta::assert_snapshot!(told(dir.path()));
    let dir = folder(&[("daylily_work.yaml", &"#".repeat(300 << 10))]);
    symlink("daylily_work.yaml", dir.path().join("stage_samples.tsv")).unwrap();
    insta::assert_snapshot!(told(dir.path()));
}
