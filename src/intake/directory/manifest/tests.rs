//! Every format that people have, what is refused, what is there, and what disagrees.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use daylily_lifecycle::settle;
use tokio_util::sync::CancellationToken;

use super::compare::{CompareError, compare};
use super::parse::parse;
use super::{Found, Listed, ManifestSettings, Presence, Wanted, read};
use crate::tree::Names;

/// Of `foo` and of nothing.
const FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
const FOO_MD5: &str = "acbd18db4cc2f85cedef654fccc4a4d8";

fn settings(wanted: Wanted) -> ManifestSettings {
    let ignore = Names::new(&["Thumbs.db".to_owned()]).unwrap();
    ManifestSettings { wanted, ignore, marker: Some("ready".to_owned()) }
}

fn named(text: &str) -> Vec<String> {
    let named = parse("SUMS", text).unwrap_or_else(|problems| panic!("{problems:?}"));
    named.into_iter().map(|file| file.path).collect()
}

fn wrong(text: &str) -> Vec<String> {
    parse("SUMS", text).expect_err(text)
}

fn put(folder: &Path, path: &str, content: &str) {
    fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
    fs::write(folder.join(path), content).unwrap();
}

fn listed(folder: &Path, wanted: Wanted) -> Listed {
    match read(folder, &settings(wanted)).unwrap() {
        Found::There(listed) => listed,
        other => panic!("{other:?}"),
    }
}

fn disagreements(folder: &Path) -> Vec<String> {
    read_all(folder, &CancellationToken::new()).unwrap().0
}

/// What disagrees, and how many bytes were read.
fn read_all(folder: &Path, stop: &CancellationToken) -> Result<(Vec<String>, u64), CompareError> {
    let (files, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let listed = listed(folder, Wanted::Usual);
    let problems = compare(folder, &listed, (&files, &bytes), stop)?;
    Ok((problems, bytes.into_inner()))
}

#[test]
fn all_formats_of_coreutils_and_bsd_are_read() {
    for (line, path) in [
        (format!("{FOO}  run2/R1.fastq.gz"), "run2/R1.fastq.gz"),
        (format!("{FOO} *run2/R1.fastq.gz"), "run2/R1.fastq.gz"),
        (format!("{FOO_MD5}  ./a//b/./c"), "a/b/c"),
        (format!("{FOO_MD5} one blank"), "one blank"),
        (format!("{}  x", FOO.to_uppercase()), "x"),
        (format!("\\{FOO}  a\\\\b\\nc"), "a\\b\nc"),
        (format!("{FOO}  a\\b"), "a\\b"),
        (format!("SHA256 (a (1).txt) = {FOO}"), "a (1).txt"),
        (format!("MD5 (x) = y) = {FOO_MD5}"), "x) = y"),
        (format!("\\MD5 (a\\nb) = {FOO_MD5}"), "a\nb"),
        (format!("{FOO}  * $HOME `id` é"), "* $HOME `id` é"),
    ] {
        assert_eq!(named(&line), [path], "{line}");
        assert_eq!(named(&format!("{line}\r\n")), [path], "{line} of Windows");
    }
    let text = format!("\u{feff}# made by hand\n\n{FOO}  a\n   \n{FOO_MD5}  b\n");
    assert_eq!(named(&text), ["a", "b"]);
}

#[test]
fn what_is_no_line_of_a_manifest_is_told_with_its_number() {
    let text = format!(
        "{FOO}  good\nhello world\nbad  name\n{}  sha1\nSHA512 (x) = {FOO}\nMD5 (x) = 12\n\
         {FOO}  /etc/passwd\n{FOO}  a/../../b\n{FOO}  ./\n{FOO}\n\\{FOO}  a\\tb\n",
        "a".repeat(40)
    );
    insta::assert_snapshot!(wrong(&text).join("\n"), @r#"
    SUMS line 2 is no checksum with the name of a file
    SUMS line 3 is no checksum with the name of a file
    SUMS line 4 has a checksum of 40 digits; those of SHA-256 (64) and MD5 (32) are known
    SUMS line 5 has a checksum of the kind "SHA512"; SHA256 and MD5 are known
    SUMS line 6 has no MD5 checksum, which has 32 hexadecimal digits
    SUMS line 7 names /etc/passwd, and only files of the case itself can be named
    SUMS line 8 names a/../../b, and only files of the case itself can be named
    SUMS line 9 names no file
    SUMS line 10 is no checksum with the name of a file
    SUMS line 11 has a backslash that means nothing
    "#);
    assert_eq!(wrong(""), ["SUMS names no file"]);
    assert_eq!(wrong("# nothing\n\n"), ["SUMS names no file"]);
}

#[test]
fn the_first_with_a_usual_name_is_taken_or_the_one_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let name = |wanted| match read(dir.path(), &settings(wanted)).unwrap() {
        Found::None => "none".to_owned(),
        Found::Missing { name } => format!("missing {name}"),
        Found::Odd { name, problems } => format!("odd {name}: {problems:?}"),
        Found::There(listed) => listed.name,
    };
    assert_eq!(name(Wanted::Usual), "none");
    assert_eq!(name(Wanted::Named("sums".to_owned())), "missing sums");
    for usual in ["md5sum.txt", "MD5SUMS", "sha256sum.txt", "SHA256SUMS"] {
        put(dir.path(), usual, &format!("{FOO}  x\n"));
        assert_eq!(name(Wanted::Usual), usual, "before those that are weaker");
    }
    assert_eq!(name(Wanted::Named("MD5SUMS".to_owned())), "MD5SUMS");
    assert_eq!(name(Wanted::None), "none");
    // A marker is no data, so nobody would see it change.
    put(dir.path(), "ready", &format!("{FOO}  x\n"));
    assert_eq!(name(Wanted::Named("ready".to_owned())), "missing ready");
    put(dir.path(), "SHA256SUMS", "no\n");
    assert!(name(Wanted::Usual).starts_with("odd SHA256SUMS: "));
}

#[test]
fn what_is_named_and_not_there_is_told_in_the_order_of_the_manifest() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "real/b", "foo");
    std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
    let lines =
        ["z/gone", "link/b", "a/gone", "real/b", "real", "SHA256SUMS", "ready", "x/Thumbs.db"];
    let text: String = lines.iter().map(|name| format!("{FOO}  {name}\n")).collect();
    put(dir.path(), "SHA256SUMS", &text);
    let listed = listed(dir.path(), Wanted::Usual);
    let mut presence = Presence::of(&listed);
    presence.saw("real/b");
    let expected = settle::Manifest::There {
        name: "SHA256SUMS".to_owned(),
        files: 5,
        missing: 3,
        first: Some("z/gone".to_owned()),
    };
    assert_eq!(presence.finish(dir.path()), expected);
}

#[test]
fn what_disagrees_is_named_with_both_checksums() {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in [("good", "foo"), ("bad", "bar"), ("deep/bad", ""), ("md5", "foo")] {
        put(dir.path(), path, content);
    }
    let text =
        format!("{FOO}  good\n{FOO}  bad\n{FOO_MD5}  md5\n{FOO_MD5}  deep/bad\n{FOO}  not there\n");
    put(dir.path(), "SHA256SUMS", &text);
    insta::assert_snapshot!(disagreements(dir.path()).join("\n"), @r"
    bad is not what SHA256SUMS says: its SHA-256 begins with fcde2b2edba5, not with 2c26b46b68ff
    deep/bad is not what SHA256SUMS says: its MD5 begins with d41d8cd98f00, not with acbd18db4cc2
    ");
    put(dir.path(), "bad", "foo");
    put(dir.path(), "deep/bad", "foo");
    assert_eq!(disagreements(dir.path()), [""; 0]);
}

#[test]
fn many_disagreements_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for number in 0..60 {
        put(dir.path(), &number.to_string(), "bar");
        text.push_str(&format!("{FOO}  {number}\n"));
    }
    put(dir.path(), "SHA256SUMS", &text);
    let problems = disagreements(dir.path());
    assert_eq!((problems.len(), problems[50].as_str()), (51, "there are 10 problems more"));
}

#[test]
fn what_is_said_of_a_manifest_is_bounded_whatever_is_in_it() {
    let nothing_but_mistakes = "x\n".repeat(1_000_000);
    let problems = wrong(&nothing_but_mistakes);
    assert_eq!((problems.len(), problems[50].as_str()), (51, "there are 950 problems more"));
    let long = "a".repeat(1 << 20);
    for line in [
        format!("{FOO}  {long}"),
        format!("{FOO}  /{long}"),
        format!("{FOO}  ../{long}"),
        format!("{long} (x) = {FOO}"),
        format!("SHA256 ({long}) = {long}"),
        format!("SHA256 ({long}) = {FOO}"),
        long.clone(),
        "a".repeat(64) + &long,
    ] {
        let problems = wrong(&line);
        assert!(problems.iter().map(String::len).sum::<usize>() < 1000, "{}", &line[..80]);
    }
    let many: String = (0..400_001).map(|n| format!("{FOO}  {n}\n")).collect();
    assert_eq!(wrong(&many), ["SUMS names more than 400000 files"]);
}

#[test]
fn nothing_outside_of_the_case_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let case = dir.path().join("case");
    put(dir.path(), "secret", "foo");
    fs::create_dir(&case).unwrap();
    std::os::unix::fs::symlink("..", case.join("out")).unwrap();
    put(&case, "SHA256SUMS", &format!("{FOO}  out/secret\n"));
    assert_eq!(read_all(&case, &CancellationToken::new()).unwrap(), (Vec::new(), 0));
    let listed = listed(&case, Wanted::Usual);
    let missing = settle::Manifest::There {
        name: "SHA256SUMS".to_owned(),
        files: 1,
        missing: 1,
        first: Some("out/secret".to_owned()),
    };
    assert_eq!(Presence::of(&listed).finish(&case), missing);
}

#[test]
fn a_comparison_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "x", "foo");
    put(dir.path(), "SHA256SUMS", &format!("{FOO}  x\n"));
    let stop = CancellationToken::new();
    stop.cancel();
    let answer = read_all(dir.path(), &stop);
    assert!(matches!(answer, Err(CompareError::Stopped { .. })), "{answer:?}");
}
