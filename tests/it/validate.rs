//! `validate` as people run it: the example is valid, and what is told of broken worksets.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const HEADER: &str = "RUN_ID\tSAMPLE_ID\tEXPERIMENTID\tSAMPLE_TYPE\tLIB_PREP\tSEQ_VENDOR\t\
    SEQ_PLATFORM\tLANE\tSEQBC_ID\tPATH_TO_CONCORDANCE_DATA_DIR\tR1_FQ\tR2_FQ\tSTAGE_DIRECTIVE\t\
    STAGE_TARGET\tSUBSAMPLE_PCT\tIS_POS_CTRL\tIS_NEG_CTRL\tN_X\tN_Y\tEXTERNAL_SAMPLE_ID";
const ROW: &str = "R0\tHG002\tx4\tblood\tnoampwgs\tILMN\tNOVASEQX\t0\tS1\t\ts3://b/R1.fastq.gz\t\
    s3://b/R2.fastq.gz\tstage_data\t/fsx/staged_sample_data/\tna\tfalse\tfalse\t1\t1\tHG002";
const WORK: &str = "day-clone: \" -d {workdir_name} -t main  \"\n\
    dy-r: produce_snv_concordances -p -k -j 20 --config aligners=[\"sent\",\"bwa2a\"] \
    snv_callers=[\"deep19\"]\nexport_uri: \"s3://bucket/results/\"\n";

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn validate(dir: &Path, args: &[&str]) -> Said {
    #[allow(clippy::disallowed_methods, reason = "the program under test")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_daylily-watch"));
    let output =
        command.arg("validate").args(args).current_dir(dir).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn table(row: &str) -> String {
    format!("{HEADER}\n{row}\n")
}

/// A folder `set` with these two files.
fn workset(work: &str, samples: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("set")).unwrap();
    fs::write(dir.path().join("set/daylily_work.yaml"), work).unwrap();
    fs::write(dir.path().join("set/stage_samples.tsv"), samples).unwrap();
    dir
}

#[test]
fn the_example_manifest_is_valid() {
    let dir = workset(WORK, &table(ROW));
    let said = validate(dir.path(), &["set", "--no-head"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "set: valid, with 1 file of its own; 2 objects in S3 not looked at\n")
    );
    assert_eq!(
        said.err,
        "note: export_uri is understood, and this version does nothing about it\n"
    );
    let said = validate(dir.path(), &["set", "--no-head", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((told["valid"].as_bool(), told["objects"].as_u64()), (Some(true), Some(2)));
    assert_eq!((told["looked_at"].as_bool(), said.code), (Some(false), Some(0)));
}

#[test]
fn each_of_twelve_broken_ones_is_told() {
    let broken: [(&str, String, String); 12] = [
        ("an unknown key", WORK.replace("day-clone", "day-clnoe"), table(ROW)),
        ("broken YAML", "dy-r: [produce\n".to_owned(), table(ROW)),
        ("nothing to run", "aws: {profile: lab}\n".to_owned(), table(ROW)),
        (
            "a path that leaves",
            "dy-r: x\nstage: {samples_tsv: ../../etc/passwd}\n".to_owned(),
            table(ROW),
        ),
        ("wrong types", "dy-r: {x: y}\npipeline: [a]\nnotes: {a: b}\n".to_owned(), table(ROW)),
        ("said twice", "dy-r: x\ndy-r: y\npipeline: {dy_r_command: z}\n".to_owned(), table(ROW)),
        ("a missing column", WORK.to_owned(), table(ROW).replace("SEQBC_ID", "BARCODE")),
        ("a lane 0 of several", WORK.to_owned(), table(&format!("{ROW}\n{ROW}"))),
        ("another vendor", WORK.to_owned(), table(&ROW.replace("ILMN", "ILLUMINA"))),
        (
            "a file that is not there",
            WORK.to_owned(),
            table(&ROW.replace("s3://b/R1.fastq.gz", "sub/R1.gz")),
        ),
        (
            "files elsewhere",
            WORK.to_owned(),
            table(
                &ROW.replace("s3://b/R1.fastq.gz", "/etc/passwd")
                    .replace("s3://b/R2.fastq.gz", "../R2"),
            ),
        ),
        (
            "a short row, a conflict and a percentage",
            WORK.to_owned(),
            table(&format!(
                "{ROW}\nR0\tHG002\n{}",
                ROW.replace("x4", "x5")
                    .replace("\tna\t", "\t50%\t")
                    .replace("\t1\t1\t", "\t1\t2\t")
            )),
        ),
    ];
    let mut told = String::new();
    for (what, work, samples) in broken {
        let said = validate(workset(&work, &samples).path(), &["set", "--no-head"]);
        assert_eq!(said.code, Some(1), "{what}: {}{}", said.out, said.err);
        told.push_str(&format!("# {what}\n{}\n", said.out));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn json_has_every_problem_with_its_place() {
    let dir = workset("dy-r: x\nnots: y\n", &table(&ROW.replace("ILMN", "X")));
    let said = validate(dir.path(), &["set", "--no-head", "--json"]);
    assert_eq!(said.code, Some(1));
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let problem = |index: usize, key: &str| told["problems"][index][key].clone();
    assert_eq!(told["problems"].as_array().unwrap().len(), 2);
    assert_eq!((problem(0, "file"), problem(0, "line")), ("daylily_work.yaml".into(), 2.into()));
    assert_eq!(
        (problem(0, "key"), problem(0, "hint")),
        ("nots".into(), "did you mean notes?".into())
    );
    assert_eq!((problem(1, "file"), problem(1, "column")), ("stage_samples.tsv".into(), 28.into()));
}

#[test]
fn what_is_no_workset_or_cannot_be_asked_for_is_told() {
    let dir = workset(WORK, &table(ROW));
    fs::create_dir(dir.path().join("empty")).unwrap();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["gone"], 2, "there is no folder gone"),
        (&["set/daylily_work.yaml"], 2, "there is no folder"),
        (&["empty"], 1, "there is no daylily_work.yaml"),
        (&["s3://b/root/ready/set"], 2, "copy the workset into a folder"),
        (&["set"], 2, "cannot ask S3 for the 2 objects"),
        (&[], 2, "<DIR>"),
    ];
    for (args, code, words) in cases {
        let said = validate(dir.path(), args);
        assert_eq!(said.code, Some(code), "{args:?}: {}", said.err);
        assert!(said.err.contains(words), "{args:?}: {}", said.err);
        assert_eq!(said.out, "", "{args:?}");
    }
}
