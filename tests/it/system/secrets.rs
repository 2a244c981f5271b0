//! A secret that the configuration names, repeated by everybody who can: by a job, by
//! pueue, by rsync. It is in nothing that is kept and in nothing that is shown.

use std::fs;
use std::path::Path;

use daylily_lifecycle::case::StateName;

use super::setup::Setup;
use super::site::{Site, on_sites};
use super::world::{World, write};

on_sites! {
    a_secret_is_in_nothing_that_is_kept_or_shown_whoever_repeats_it: ssh_pueue;
}

const SECRET: &str = "s3cr3t-\"of\\the'laboratory";

/// Every file below with the secret in it, as it is or as JSON has it.
fn with_the_secret(folder: &Path, found: &mut Vec<String>) {
    let json = serde_json::to_string(SECRET).unwrap();
    let forms = [SECRET.as_bytes(), json.trim_matches('"').as_bytes(), b"s3cr3t-"];
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            with_the_secret(&path, found);
        } else if let Ok(bytes) = fs::read(&path)
            && forms.iter().any(|form| bytes.windows(form.len()).any(|part| part == *form))
        {
            found.push(path.display().to_string());
        }
    }
}

fn a_secret_is_in_nothing_that_is_kept_or_shown_whoever_repeats_it(site: Site) {
    let job = "cat \"$ELSEWHERE/secret\"; echo; cat \"$ELSEWHERE/secret\" >&2; echo; exit 4";
    let mut world = World::new(Setup {
        more: vec!["http: {token: {file: elsewhere/secret}}".to_owned()],
        retry: "{first: 200ms, most: 500ms, for: 12h}",
        ..Setup::job(site, job)
    });
    write(&world.path("elsewhere/secret"), format!("{SECRET}\n"));
    world.start();
    write(&world.intake().join("tells/input"), "x");
    world.until_state("tells", StateName::Failed);
    let kept = world.path("state/logs").join(format!("{}.log", world.attempt("tells")));
    assert!(fs::read_to_string(kept).unwrap().contains("***"));

    world.before_pueue("cat \"$NOTES/secret\" >&2; exit 1");
    world.until("pueue's trouble is told", |world| world.log().contains("***"));
    write(&world.intake().join("waits/input"), "x");
    world.until("it is known", |world| world.case("waits").is_some());
    for verb in [
        &["status"][..],
        &["status", "--json"],
        &["why", "tells"],
        &["show", "tells", "--json"],
        &["history"],
        &["history", "--json"],
        &["log", "tells"],
        &["check"],
    ] {
        let said = world.verb(verb);
        assert!(!format!("{}{}", said.out, said.err).contains("s3cr3t-"), "{verb:?}: {said:?}");
    }
    let mut found = Vec::new();
    with_the_secret(&world.path("state"), &mut found);
    assert_eq!(found, [""; 0]);
    assert!(!world.log().contains("s3cr3t-"), "{}", world.log());
    world.is_lawful();
}
