//! Worksets dropped into a directory intake: validated, run in a clone of their pipeline,
//! and fetched from there. What they call is stubs that write down how they were called.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use daylily_lifecycle::case::{ConditionName, State, StateName};

use super::hostile::nothing_was_run;
use super::setup::Setup;
use super::site::{Site, on_sites};
use super::world::{World, write};
use crate::wait;

const HEADER: &str = "RUN_ID\tSAMPLE_ID\tEXPERIMENTID\tSAMPLE_TYPE\tLIB_PREP\tSEQ_VENDOR\t\
    SEQ_PLATFORM\tLANE\tSEQBC_ID\tPATH_TO_CONCORDANCE_DATA_DIR\tR1_FQ\tR2_FQ\tSUBSAMPLE_PCT";

const WORK: &str = "day-clone: \" -d {workdir_name} -t main  \"\n\
    dy-r: produce_snv_concordances -p -k -j 20 --config aligners=[\"sent\",\"bwa2a\"] 'a  b'\n";

fn samples(r1: &str) -> String {
    format!("{HEADER}\nR0\tHG002\tx4\tblood\tno\tILMN\tX\t0\tS1\t\t{r1}\t/fsx/R2.gz\tna\n")
}

fn setup(site: Site) -> Setup {
    Setup {
        fetch: "[\"results/**\"]",
        pipeline: vec!["expect: [\"results/out.txt\"]".to_owned()],
        rescan: "1s",
        ..Setup::at(site)
    }
}

/// A world with stubs, in which the daemon runs. `does` is what `dy-r` does between its two
/// records.
fn world(setup: Setup, does: &str) -> World {
    let mut world = World::new(setup);
    let told = |name: &str| format!("printf '%s\\0' {name} \"$@\" >>\"$ELSEWHERE/calls\"\n");
    let record = |what: &str| {
        format!(
            "printf '{what}\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' \"$DAYLILY_ATTEMPT\" \"$$\" \
             \"$(date +%s%N)\" \"$DAYLILY_CASE\" \"$DAYLILY_SLOT\" none >>\"$RUNS\"\n"
        )
    };
    let place = "place=$ELSEWHERE/clones/$2/pipeline\n";
    program(
        &world,
        "day-clone",
        &format!(
            "{}{place}[ ! -e \"$ELSEWHERE/clones/$2\" ] || exit 1\nmkdir -p \"$place\" || exit 1\n\
             echo Great success\necho \"Location  : $place\"\n",
            told("day-clone")
        ),
    );
    // It is looked for where programs are, as a clone has none of its own here.
    program(&world, "dyoainit", "INIT=done\nexport INIT\n");
    program(&world, "dy-a", &told("dy-a"));
    program(
        &world,
        "dy-r",
        &format!(
            "{}{}[ \"$INIT\" = done ] || exit 66\n\
             mkdir results && cp config/samples.tsv results/ && echo done >results/out.txt\n\
             ({does})\nstatus=$?\n{}exit $status\n",
            record("start"),
            told("dy-r"),
            record("end")
        ),
    );
    world.start();
    world
}

fn program(world: &World, name: &str, text: &str) {
    let path = world.path("bin").join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// How the stubs were called, in order, each with its arguments.
fn calls(world: &World) -> Vec<Vec<String>> {
    let bytes = fs::read(world.path("elsewhere/calls")).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap();
    let mut calls: Vec<Vec<String>> = Vec::new();
    for word in text.split_terminator('\0') {
        match word {
            "day-clone" | "dy-a" | "dy-r" => calls.push(vec![word.to_owned()]),
            word => calls.last_mut().unwrap().push(word.to_owned()),
        }
    }
    calls
}

fn drop_in(world: &World, name: &str, work: &str, samples: &str) {
    let made = world.path("made").join(name);
    write(&made.join("stage_samples.tsv"), samples);
    write(&made.join("sample_data/R1.gz"), "reads");
    write(&made.join("daylily_work.yaml"), work);
    fs::rename(made, world.intake().join(name)).unwrap();
}

fn problems(world: &World, name: &str) -> Vec<String> {
    world.until_state(name, StateName::Rejected);
    match world.case(name).unwrap().state {
        State::Rejected { problems, .. } => problems,
        other => panic!("{other:?}"),
    }
}

fn a_workset_runs_in_its_clone_and_its_results_come_home(site: Site) {
    let world = world(setup(site), "touch daylily.successful_run");
    drop_in(&world, "ws 1", WORK, &samples("R1.gz"));
    world.until_succeeded(&["ws 1"]);
    let run = ["dy-r", "produce_snv_concordances", "-p", "-k", "-j", "20", "--config"];
    let run: Vec<&str> = run.into_iter().chain(["aligners=[sent,bwa2a]", "a  b"]).collect();
    let expected: [&[&str]; 3] =
        [&["day-clone", "-d", "ws_1", "-t", "main"], &["dy-a", "slurm", "hg38"], &run];
    assert_eq!(calls(&world), expected);
    let home = world.results_of("ws 1").join("results");
    assert_eq!(fs::read_to_string(home.join("out.txt")).unwrap(), "done\n");
    assert_eq!(fs::read_to_string(home.join("samples.tsv")).unwrap(), samples("R1.gz"));
    assert_eq!(world.runs_of("ws 1").len(), 1);
    world.is_settled();
}

fn one_without_a_clone_runs_in_its_own_folder_with_all_that_the_sections_say(site: Site) {
    let world = world(setup(site), "printf %s \"$A\" >results/a.txt");
    let work = "pipeline:\n  dy_r_command: |\n    one \\\n      two\n  dy_a_args: [local, 'a b']\n  \
        environment: {A: \"it's $(x)\"}\n  samples_config_path: deep/config/samples.tsv\n  \
        units_config_path: config/samples.tsv\nstage: {units_tsv: u.tsv}\n";
    let units = "RUNID\tSAMPLEID\tEXPERIMENTID\tLANEID\tBARCODEID\tLIBPREP\tSEQ_VENDOR\t\
        SEQ_PLATFORM\nR\tS\tX\t0\tB\tL\tUG\tU\n";
    write(&world.path("made/ws/u.tsv"), units);
    drop_in(&world, "ws", work, &samples("sample_data/R1.gz"));
    world.until_succeeded(&["ws"]);
    let expected: [&[&str]; 2] = [&["dy-a", "local", "a b"], &["dy-r", "one", "two"]];
    assert_eq!(calls(&world), expected);
    let text = |name| fs::read_to_string(world.results_of("ws").join("results").join(name));
    assert_eq!(text("a.txt").unwrap(), "it's $(x)");
    assert_eq!(text("samples.tsv").unwrap(), units);
    let copied = fs::read_to_string(world.copy_of("ws").join("deep/config/samples.tsv"));
    assert_eq!(copied.unwrap(), samples("sample_data/R1.gz"));
    world.is_settled();
}

fn what_is_wrong_is_told_all_at_once_and_it_goes_on_when_it_is_corrected(site: Site) {
    let world = world(setup(site), "true");
    let bad = samples("/etc/passwd").replace("ILMN", "ILLUMINA");
    drop_in(&world, "ws", &WORK.replace("dy-r:", "dyr:"), &bad);
    let problems = problems(&world, "ws");
    let expected = [
        "daylily_work.yaml:1:1: pipeline.dy_r_command: missing, expected what follows `dy-r`; \
         such as `dy-r: produce_snv_concordances -p -k -j 20`",
        "daylily_work.yaml:2:1: dyr: unknown key; did you mean dy_r?",
        "stage_samples.tsv:2:22: SEQ_VENDOR: found `ILLUMINA`, expected one of ILMN, ONT, PACBIO, UG",
        "stage_samples.tsv:2:39: R1_FQ: found `/etc/passwd`, expected a path within the workset, \
         or one below /fsx or /data on the headnode",
    ];
    assert_eq!(problems, expected);
    world.until_because("ws", "goes on by itself");
    // Nothing of it has left this machine.
    assert!(fs::read_dir(world.path("work/new_cases")).map_or(0, Iterator::count) == 0);
    write(&world.intake().join("ws/daylily_work.yaml"), WORK);
    world.until("the rest is told", |world| {
        matches!(&world.case("ws").unwrap().state,
            State::Rejected { problems, .. } if problems.len() == 2)
    });
    write(&world.intake().join("ws/stage_samples.tsv"), samples("R1.gz"));
    world.until_succeeded(&["ws"]);
    assert_eq!(world.runs_of("ws").len(), 1);
    world.is_settled();
}

fn what_its_tables_name_is_waited_for(site: Site) {
    let world = world(setup(site), "true");
    drop_in(&world, "ws", WORK, &samples("late/R1.gz"));
    world.until_because("ws", "stage_samples.tsv names late/R1.gz, which is not there yet");
    drop_in(&world, "table", WORK, "");
    fs::remove_file(world.intake().join("table/stage_samples.tsv")).unwrap();
    world.until_because("table", "daylily_work.yaml names stage_samples.tsv, which is not there");
    assert!(!wait::holds(Duration::from_secs(2), || !world.runs().is_empty()), "it started");
    write(&world.intake().join("ws/sample_data/late/R1.gz"), "x");
    world.until_succeeded(&["ws"]);
    // What a pipeline cannot do without is no condition that a person can leave out.
    assert_eq!(world.ask("accept", "table"), "done");
    assert!(problems(&world, "table")[0].contains("`stage_samples.tsv` is not in the workset"));
    write(&world.intake().join("table/stage_samples.tsv"), samples("R1.gz"));
    world.until_succeeded(&["table"]);
    world.is_settled();
}

fn where_no_manifest_is_waited_for_what_is_missing_is_a_mistake(site: Site) {
    let settle = ", manifest: none".to_owned();
    let world = world(Setup { settle, ..setup(site) }, "true");
    drop_in(&world, "ws", WORK, &samples("late/R1.gz"));
    let problems = problems(&world, "ws");
    assert!(problems[0].contains("`late/R1.gz` is not in the workset"), "{problems:?}");
    write(&world.intake().join("ws/late/R1.gz"), "x");
    world.until_succeeded(&["ws"]);
    world.is_settled();
}

fn one_that_says_that_it_failed_has_failed_and_a_rerun_gets_a_fresh_clone(site: Site) {
    let does =
        "if [ -e \"$GO\" ]; then touch daylily.successful_run; else touch daylily.failed_run; fi";
    let world = world(setup(site), does);
    drop_in(&world, "ws", &format!("{WORK}budget: lab\n"), &samples("R1.gz"));
    world.until_state("ws", StateName::Failed);
    world.until_because("ws", "exit code 94");
    world.let_go();
    assert_eq!(world.ask("rerun", "ws"), "done");
    world.until_succeeded(&["ws"]);
    let clones: Vec<Vec<String>> =
        calls(&world).into_iter().filter(|call| call[0] == "day-clone").collect();
    let clone =
        |name| ["day-clone", "-d", name, "-t", "main", "--budget", "lab"].map(str::to_owned);
    assert_eq!(clones, [clone("ws").to_vec(), clone("ws-2").to_vec()]);
    assert_eq!(world.runs_of("ws").len(), 2);
    world.is_settled();
}

fn a_rerun_into_the_same_clone_is_refused_with_the_reason(site: Site) {
    let world = world(setup(site), "exit 5");
    let work = WORK.replace("{workdir_name}", "always");
    drop_in(&world, "ws", &work, &samples("R1.gz"));
    world.until_state("ws", StateName::Failed);
    world.until_because("ws", "exit code 5");
    assert_eq!(world.ask("rerun", "ws"), "done");
    world.until_because("ws", "exit code 93");
    let log = world.verb(&["log", "ws"]);
    assert!(log.out.contains("day-clone ended with exit code 1"), "{}", log.out);
    assert_eq!(world.runs_of("ws").len(), 1);
    world.is_settled();
}

fn a_kill_of_the_daemon_runs_nothing_twice(site: Site) {
    let mut world = world(setup(site), "until [ -e \"$GO\" ]; do sleep 0.05; done");
    drop_in(&world, "ws", WORK, &samples("R1.gz"));
    world.until("it runs", |world| world.runs_of("ws").len() == 1);
    world.kill();
    world.start();
    world.let_go();
    world.until_succeeded(&["ws"]);
    let clones = calls(&world).into_iter().filter(|call| call[0] == "day-clone").count();
    assert_eq!((world.runs_of("ws").len(), clones), (1, 1));
    world.is_settled();
}

/// Each would leave a file `pwned` where it is run.
const HOSTILE: [&str; 6] = [
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "\"; touch pwned; \"",
    "-rf",
    "a\nb; touch pwned",
];

fn hostile_values_in_every_field_reach_no_shell(site: Site) {
    let world = world(
        Setup { headnode: vec!["max_transfers: 4".to_owned()], ..setup(site).slots(4) },
        "printf %s \"$A\" >results/a.txt",
    );
    for (number, value) in HOSTILE.into_iter().enumerate() {
        let line = value.replace('\n', " ");
        let quoted = serde_json::to_string(value).unwrap();
        let line_quoted = serde_json::to_string(&line).unwrap();
        let work = format!(
            "aws: {{profile: p}}\nworkdir_name: {line_quoted}\nnotes: {quoted}\npipeline:\n  \
             day_clone: [-d, 'c{number}', {quoted}, '{{workset}} {{workdir_name}}']\n  \
             dy_a_args: [{quoted}]\n  dy_r_command: 'run {number}'\n  environment: {{A: {quoted}}}\n  \
             run_directory: {line_quoted}\n  samples_config_path: config/samples.tsv\n  \
             units_config_path: {line_quoted}\nstage: {{units_tsv: {line_quoted}}}\n"
        );
        let (made, name) =
            (world.path("made").join(format!("{line}{number}")), format!("{line}{number}"));
        let units = "RUNID\tSAMPLEID\tEXPERIMENTID\tLANEID\tBARCODEID\tLIBPREP\tSEQ_VENDOR\t\
            SEQ_PLATFORM\nR\tS\tX\t0\tB\tL\tUG\tU\n";
        write(&made.join("sample_data").join(&line), "x");
        // One path is the table and the other a folder of the same kind of name.
        let work = work.replace(
            &format!("run_directory: {line_quoted}"),
            &format!("run_directory: {}", serde_json::to_string(&format!("in {line}")).unwrap()),
        );
        write(&made.join(format!("in {line}")).join("x"), "x");
        write(&made.join(&line), units);
        drop_in(&world, &name, &work, &samples(&line));
        world.until_succeeded(&[&name]);
        let a = fs::read_dir(world.path("results/new_cases")).unwrap().flatten();
        let a = a.map(|entry| entry.path().join("results/a.txt"));
        assert!(a.into_iter().any(|a| fs::read_to_string(a).is_ok_and(|a| a == value)), "{value}");
        let all = calls(&world);
        let call = |program: &str| {
            all.iter().rev().find(|call| call[0] == program).unwrap_or_else(|| panic!("{program}"))
        };
        assert_eq!(call("dy-a"), &["dy-a", value]);
        assert_eq!(call("day-clone")[..4], ["day-clone", "-d", &format!("c{number}"), value]);
        assert!(call("day-clone")[4].starts_with(&format!("{name} ")), "{:?}", call("day-clone"));
        assert_eq!(call("dy-r"), &["dy-r", "run", &number.to_string()]);
    }
    nothing_was_run(&world);
    world.is_settled();
}

#[test]
fn objects_that_nobody_can_ask_for_are_said_not_to_be_looked_at() {
    let world = world(setup(Site::Here), "true");
    drop_in(&world, "ws", WORK, &samples("s3://bucket/R1.gz"));
    world.until_succeeded(&["ws"]);
    let case = world.case("ws").unwrap();
    let detail = &case.condition(ConditionName::Manifest).unwrap().detail;
    assert!(detail.ends_with("is there; 1 place in S3 is not looked at"), "{detail}");
    world.is_settled();
}

#[test]
fn an_intake_that_refuses_worksets_runs_none_and_all_else() {
    let intake = vec!["existing: process".to_owned(), "worksets: refuse".to_owned()];
    let world = world(Setup { intake, pipeline: Vec::new(), ..setup(Site::Here) }, "true");
    drop_in(&world, "ws", WORK, &samples("R1.gz"));
    assert!(problems(&world, "ws")[0].contains("this intake is configured to refuse worksets"));
    write(&world.intake().join("plain/input"), "x");
    world.until_succeeded(&["plain"]);
    assert!(world.runs_of("ws").is_empty() && calls(&world).is_empty());
    world.is_settled();
}

on_sites! {
    a_workset_runs_in_its_clone_and_its_results_come_home: here, here_pueue, ssh_pueue, ssh_direct;
    one_without_a_clone_runs_in_its_own_folder_with_all_that_the_sections_say: here, ssh_pueue;
    // What is judged on this machine is the same wherever it then runs.
    what_is_wrong_is_told_all_at_once_and_it_goes_on_when_it_is_corrected: here;
    what_its_tables_name_is_waited_for: here;
    where_no_manifest_is_waited_for_what_is_missing_is_a_mistake: here;
    one_that_says_that_it_failed_has_failed_and_a_rerun_gets_a_fresh_clone: here, ssh_pueue;
    a_rerun_into_the_same_clone_is_refused_with_the_reason: here, ssh_direct;
    a_kill_of_the_daemon_runs_nothing_twice: here_pueue, ssh_pueue;
    hostile_values_in_every_field_reach_no_shell: here, ssh_pueue;
}
