//! `init`: what it writes works, and what is there stays.

use super::site::Site;

#[test]
fn what_it_writes_loads_and_runs() {
    let site = Site::bare();
    let args = ["init", "--command", "wc -l * > 'a b'", "--fetch", "a b", "--intake", "./in: #1"];
    let ran = site.run(&args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let next: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        next,
        [
            "daylily-watch check --config config.yaml",
            "daylily-watch run --config config.yaml",
            "cp -r A_CASE '[dir]/in: #1'/"
        ]
    );
    assert!(site.has("in: #1"));
    assert_eq!(site.run(&["check"]).code, Some(0));
    assert_eq!(site.run(&["--run-once"]).code, Some(0));
}

#[test]
fn what_is_there_is_never_overwritten() {
    let site = Site::bare();
    site.write("config.yaml", "mine");
    let ran = site.run(&["init"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("config.yaml is there already"), "{}", ran.err);
    assert!(ran.err.contains("\nhint: "), "{}", ran.err);
    assert_eq!(site.tree().into_keys().collect::<Vec<_>>(), ["config.yaml"]);
    assert_eq!(site.read("config.yaml"), "mine");
}

#[test]
fn what_would_not_load_is_not_written() {
    let site = Site::bare();
    let ran = site.run(&["init", "--work-dir", "./new_cases/work"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("config.yaml:"), "{}", ran.err);
    assert!(!ran.err.contains(".part"), "{}", ran.err);
    assert_eq!(site.run(&["init", "no/such/folder/config.yaml"]).code, Some(1));
    assert_eq!(site.run(&["init", "--gpus", "0", "--slots", "2"]).code, Some(2));
    assert_eq!(site.tree().len(), 0);
}
