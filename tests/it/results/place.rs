//! Placing results, interrupted wherever it can be.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::{Arrival, AttemptId, CaseName, IntakeName};
use daylily_watch::results::{PROVENANCE, Placement, Provenance, ResultsError, Step, Summary};
use tempfile::TempDir;

use crate::copy::world::{listing, mode, write};

const STEPS: [Step; 9] = [
    Step::RemovedStrays,
    Step::WroteMarker,
    Step::WroteProvenance,
    Step::SetModes,
    Step::SyncedFiles,
    Step::KeptEarlier,
    Step::Placed,
    Step::SyncedFolder,
    Step::RemovedLeftOvers,
];

struct Results {
    dir: TempDir,
}

impl Results {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn placement(&self, attempt: &str) -> Placement {
        Placement {
            root: self.dir.path().join("results"),
            intake: IntakeName::new("new"),
            remote_name: "HG002".into(),
            attempt: AttemptId::new(attempt),
            number: 1,
            marker: Some("results.ready".into()),
            group: None,
            dir_mode: 0o2770,
            file_mode: 0o660,
        }
    }

    /// Results as a fetch leaves them.
    fn fetched(&self, attempt: &str, content: &[u8]) -> Placement {
        let placement = self.placement(attempt);
        write(&placement.staging().join("out/calls.vcf"), content);
        write(&placement.staging().join("report"), b"report");
        placement
    }

    fn placed(&self, attempt: &str, content: &[u8]) -> PathBuf {
        self.fetched(attempt, content).place(&summary()).unwrap()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("results/new").join(path)
    }
}

fn summary() -> Summary {
    Summary {
        case: CaseName::new("HG002"),
        arrival: Arrival::FIRST,
        exit_code: Some(0),
        ended: "2026-11-20T06:00:00Z".parse().unwrap(),
        files: vec!["out/calls.vcf".into(), "report".into()],
    }
}

fn provenance(folder: &Path) -> Provenance {
    serde_json::from_slice(&fs::read(folder.join(PROVENANCE)).unwrap()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn placed_results_say_whose_they_are_and_have_their_modes() {
    let results = Results::new();
    let placed = results.placed("dw-1", b"calls");
    assert_eq!(placed, results.at("HG002"));
    let provenance = provenance(&placed);
    assert_eq!(provenance.attempt, AttemptId::new("dw-1"));
    assert_eq!((provenance.number, provenance.exit_code), (1, Some(0)));
    let files: Vec<_> = provenance.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["out/calls.vcf", "report"]);
    assert_eq!(provenance.files[0].bytes.0, 5);
    assert_eq!(provenance.files[0].blake3, blake3::hash(b"calls").to_hex().as_str());
    assert_eq!(mode(&placed), 0o2770);
    assert_eq!(mode(&placed.join("out")), 0o2770);
    assert_eq!(mode(&results.at("")), 0o2770);
    for file in ["report", "out/calls.vcf", "results.ready", PROVENANCE] {
        assert_eq!(mode(&placed.join(file)), 0o660, "{file}");
    }
    assert_eq!(names(&results.at("")), ["HG002"]);
}

#[test]
fn placing_again_changes_nothing() {
    let results = Results::new();
    let placed = results.placed("dw-1", b"calls");
    let before = listing(&placed);
    let again = results.placement("dw-1").place(&summary()).unwrap();
    assert_eq!((again, listing(&placed)), (placed, before));
}

#[test]
fn a_rerun_keeps_every_earlier_result() {
    let results = Results::new();
    results.placed("dw-1", b"first");
    results.placed("dw-2", b"second");
    results.placed("dw-3", b"third");
    assert_eq!(names(&results.at("")), ["HG002", "HG002~1", "HG002~2"]);
    assert_eq!(fs::read(results.at("HG002/out/calls.vcf")).unwrap(), b"third");
    assert_eq!(fs::read(results.at("HG002~1/out/calls.vcf")).unwrap(), b"first");
    assert_eq!(fs::read(results.at("HG002~2/out/calls.vcf")).unwrap(), b"second");
}

#[test]
fn what_somebody_else_put_under_the_name_is_kept() {
    let puts: [fn(&Path); 4] = [
        |path| write(&path.join("theirs"), b"theirs"),
        |path| write(path, b"theirs"),
        |path| symlink("/nowhere", path).unwrap(),
        |path| write(&path.join(PROVENANCE), b"not ours"),
    ];
    for put in puts {
        let results = Results::new();
        fs::create_dir_all(results.at("")).unwrap();
        put(&results.at("HG002"));
        let before = fs::symlink_metadata(results.at("HG002")).unwrap().ino();
        results.placed("dw-1", b"calls");
        assert_eq!(fs::symlink_metadata(results.at("HG002~1")).unwrap().ino(), before);
    }
}

#[test]
fn a_crash_after_any_step_loses_nothing_and_ends_in_the_same_folders() {
    let undisturbed = Results::new();
    undisturbed.placed("dw-1", b"first");
    undisturbed.placed("dw-2", b"second");
    let expected = contents(&undisturbed);
    for stop in STEPS {
        for again in [None, Some(stop)] {
            let results = Results::new();
            results.placed("dw-1", b"first");
            let placement = results.fetched("dw-2", b"second");
            crash(&placement, stop);
            if let Some(stop) = again {
                crash(&placement, stop);
            }
            placement.place(&summary()).unwrap();
            assert_eq!(contents(&results), expected, "stopped after {stop:?}");
        }
    }
}

fn crash(placement: &Placement, stop: Step) {
    let ended = placement.place_stepwise(&summary(), &mut |step| {
        if step == stop { Err(ResultsError::Stopped(step)) } else { Ok(()) }
    });
    // The second time, the steps before placing are not taken any more.
    if let Err(error) = ended {
        assert!(matches!(error, ResultsError::Stopped(step) if step == stop), "{error}");
    }
}

/// Names and contents of everything, without times.
fn contents(results: &Results) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let root = results.at("");
    let entries = listing(&root).into_iter();
    entries.map(|(path, _)| (path.clone(), fs::read(root.join(path)).ok())).collect()
}

#[test]
fn the_steps_come_in_the_order_in_which_they_are_tested() {
    let results = Results::new();
    let mut seen = Vec::new();
    let placed = results.fetched("dw-1", b"calls").place_stepwise(&summary(), &mut |step| {
        seen.push(step);
        Ok(())
    });
    placed.unwrap();
    assert_eq!(seen, STEPS);
}

#[test]
fn files_left_by_an_interrupted_fetch_are_not_placed() {
    let results = Results::new();
    let placement = results.fetched("dw-1", b"calls");
    write(&placement.staging().join("out/.daylily-watch-part.0123456789abcdef"), b"half");
    write(&placement.staging().join("stale"), b"stale");
    let placed = placement.place(&summary()).unwrap();
    assert_eq!(names(&placed), [PROVENANCE, "out", "report", "results.ready"]);
    assert_eq!(names(&placed.join("out")), ["calls.vcf"]);
}

#[test]
fn a_result_that_was_not_fetched_stops_the_placing() {
    let results = Results::new();
    let placement = results.fetched("dw-1", b"calls");
    fs::remove_file(placement.staging().join("report")).unwrap();
    let error = placement.place(&summary()).unwrap_err();
    assert!(matches!(error, ResultsError::Missing { .. }), "{error}");
    assert!(!results.at("HG002").try_exists().unwrap());
}

#[test]
fn staging_folders_of_other_attempts_of_this_case_alone_are_removed() {
    let results = Results::new();
    for other in [".HG002.dw-0.part", ".HG002.b.dw-0.part", ".HG003.dw-0.part", ".HG002.x"] {
        write(&results.at(other).join("x"), b"x");
    }
    results.placed("dw-1", b"calls");
    let left = [".HG002.b.dw-0.part", ".HG002.x", ".HG003.dw-0.part", "HG002"];
    assert_eq!(names(&results.at("")), left);
}

#[test]
fn names_as_long_as_can_be_are_staged_and_kept() {
    let results = Results::new();
    let long = "é".repeat(127);
    for attempt in ["dw-01ARZ3NDEKTSV4RRFFQ69G5FAV", "dw-01ARZ3NDEKTSV4RRFFQ69G5FAW"] {
        let mut placement = results.placement(attempt);
        placement.remote_name.clone_from(&long);
        write(&placement.staging().join("out/calls.vcf"), b"calls");
        write(&placement.staging().join("report"), b"report");
        placement.place(&summary()).unwrap();
    }
    let kept = format!("{}~1", "é".repeat(126));
    assert_eq!(names(&results.at("")), [kept, long]);
}

#[test]
fn results_are_given_to_the_group() {
    let results = Results::new();
    let group = nix::unistd::Group::from_gid(nix::unistd::getgid()).unwrap().unwrap();
    let mut placement = results.fetched("dw-1", b"calls");
    placement.group = Some(group.name);
    let placed = placement.place(&summary()).unwrap();
    assert_eq!(fs::metadata(placed.join("report")).unwrap().gid(), group.gid.as_raw());
    assert_eq!(mode(&placed.join("out")), 0o2770);
}

#[test]
fn an_unknown_group_is_an_error_with_a_hint() {
    let results = Results::new();
    let mut placement = results.fetched("dw-1", b"calls");
    placement.group = Some("no-such-group".into());
    let error = placement.place(&summary()).unwrap_err().to_string();
    assert!(error.contains("no-such-group") && error.contains("hint: "), "{error}");
    assert!(placement.staging().try_exists().unwrap());
}

#[test]
fn names_that_are_paths_are_refused() {
    for name in ["", "..", "a/b"] {
        let results = Results::new();
        let mut placement = results.fetched("dw-1", b"calls");
        placement.remote_name = name.into();
        let error = placement.place(&summary()).unwrap_err();
        assert!(matches!(error, ResultsError::Name { .. }), "{error}");
    }
}
