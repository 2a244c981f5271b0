//! `check` where pueue on the headnode, its daemon or its groups are not as they must be.

use std::fs;
use std::os::unix::fs::symlink;

use nix::unistd::Uid;

use super::far::FarSite;
use crate::servers::pueued::{PROGRAMS, Pueued};
use crate::servers::sshd::Sshd;
use crate::wait::{LIMIT, until};

#[test]
fn a_pueue_outside_of_path_is_told_with_where_it_is() {
    let mut far = FarSite::pueue();
    far.set("path", "[]");
    let said = far.check().fails_alone("headnode.hpc.pueue");
    assert!(said.contains("pueue is not found on hpc"), "{said}");
    assert!(said.contains("cargo install pueue --locked"), "{said}");

    let folder = far.sshd.home().join(".cargo/bin");
    fs::create_dir_all(&folder).expect("there is room");
    symlink(format!("{PROGRAMS}/pueue"), folder.join("pueue")).expect("there is room");
    let said = far.check().fails_alone("headnode.hpc.pueue");
    assert!(
        said.ends_with("it is in [home]/.cargo/bin: add that to `path` of this headnode"),
        "{said}"
    );
}

#[test]
fn a_pueued_that_does_not_run_is_told_with_how_it_is_started() {
    let mut far = FarSite::pueue();
    far.pueued.as_mut().expect("a site with pueue").kill_9();
    let checked = far.check();
    let said = checked.fails_alone("headnode.hpc.pueue");
    assert!(said.contains("pueued does not run on hpc"), "{said}");
    assert!(said.contains("on hpc: pueued "), "{said}");
    let probe = checked.said("headnode.hpc.probe");
    assert!(probe.starts_with("warn: no job was tried"), "{probe}");
}

#[test]
fn a_secret_that_is_not_the_daemons_is_told() {
    let far = FarSite::pueue();
    let secret = far.pueued().path("data/shared_secret");
    let was = fs::read(&secret).expect("pueued has made it");
    fs::write(&secret, "another").expect("it is there");
    let checked = far.check();
    fs::write(&secret, was).expect("it is there");
    let said = checked.fails_alone("headnode.hpc.pueue");
    assert!(said.contains("as it does on a wrong secret"), "{said}");
    assert!(said.contains("one shared_secret file"), "{said}");
}

#[test]
fn a_configuration_that_is_missing_is_told() {
    let mut far = FarSite::pueue();
    far.set("env", "{PUEUE_CONFIG_PATH: /no/such/pueue.yml}");
    let said = far.check().fails_alone("headnode.hpc.pueue");
    assert!(said.contains("pueue on hpc finds no configuration"), "{said}");
    assert!(said.contains("PUEUE_CONFIG_PATH"), "{said}");
}

#[test]
fn a_client_of_another_major_version_is_told_with_both() {
    let mut far = FarSite::pueue();
    // Only one version is installed for tests.
    far.stand_in(
        "pueue",
        "[ \"$1\" != --version ] || { echo 'pueue 3.4.1'; exit; }\n\
         echo \"Error: Couldn't deserialize message\" >&2; exit 1",
    );
    let said = far.check().fails_alone("headnode.hpc.pueue");
    assert!(said.contains("pueue on hpc is 3.4.1, and pueued, which runs, is 4.0.4"), "{said}");
    assert!(said.contains("on hpc: cargo install pueue --locked --version 4.0.4"), "{said}");
}

#[test]
fn a_runtime_directory_that_is_missing_is_told_with_where_to_read_it() {
    let sshd = Sshd::start();
    let pueued = match sshd.uid() == Uid::effective() {
        true => Pueued::start_in_runtime_dir(),
        false => Pueued::start_in_runtime_dir_as(sshd.user()),
    };
    let runtime = pueued.path("run");
    let mut far = FarSite::with(sshd, Some(pueued));
    let said = far.check().fails_alone("headnode.hpc.pueue");
    assert!(said.contains("XDG_RUNTIME_DIR is not set for us"), "{said}");
    assert!(said.contains("/environ there tells"), "{said}");

    let config = far.pueued().config();
    far.set(
        "env",
        format!(
            "{{PUEUE_CONFIG_PATH: {}, XDG_RUNTIME_DIR: {}}}",
            config.display(),
            runtime.display()
        ),
    );
    let checked = far.check();
    assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
}

#[test]
fn groups_that_are_not_as_configured_are_told_with_the_line_that_makes_them_so() {
    let mut far = FarSite::pueue();
    far.set("groups", "[{name: default, slots: 3}, {name: gpu_a, gpus: [0, 1]}]");
    let checked = far.check();
    let said = checked.fails_alone("headnode.hpc.group.gpu_a");
    assert!(said.contains("pueue on hpc has no group gpu_a"), "{said}");
    assert!(said.contains("hint: on hpc: pueue -c "), "{said}");
    assert!(said.ends_with(" group add gpu_a --parallel 2"), "{said}");
    let places = checked.said("headnode.hpc.group.default");
    assert!(places.contains("runs 2 at a time, and we have 3 slots"), "{places}");
    assert!(places.contains("hint: on hpc: pueue -c "), "{places}");
    assert!(places.ends_with(" parallel -g default 3"), "{places}");

    // Each of these lines does what it says.
    far.pueued().must(&["group", "add", "gpu_a", "--parallel", "2"]);
    far.pueued().must(&["parallel", "-g", "default", "3"]);
    far.pueued().must(&["pause", "-g", "gpu_a"]);
    let said = far.check().fails_alone("headnode.hpc.group.gpu_a");
    assert!(said.contains("is paused, so nothing starts"), "{said}");
    assert!(said.contains("hint: on hpc: pueue -c "), "{said}");
    assert!(said.ends_with(" start -g gpu_a"), "{said}");
    far.pueued().must(&["start", "-g", "gpu_a"]);
    let checked = far.check();
    assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
}

#[test]
fn the_probe_runs_in_the_group_of_its_intake_with_its_first_gpu() {
    let mut far = FarSite::pueue();
    far.pueued().must(&["group", "add", "gpu_a", "--parallel", "1"]);
    // Nothing would begin there.
    far.pueued().must(&["pause", "-g", "default"]);
    far.set("groups", "[{name: gpu_a, gpus: [7]}]");
    far.set_pipeline("command: dy-r, setup: MODULE=dose, probe: 'echo $DAYLILY_SLOT $CUDA_VISIBLE_DEVICES $MODULE'");
    let checked = far.check();
    assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
    let said = checked.said("headnode.hpc.probe");
    assert!(said.contains("(pipeline default, group gpu_a): gpu_a/0 7 dose"), "{said}");
}

#[test]
fn places_that_are_all_taken_are_told_and_are_no_failure() {
    let far = FarSite::pueue();
    for name in ["one", "two"] {
        far.pueued().add(name, "exec sleep 1000");
    }
    let running = || {
        let list = far.pueued().list();
        let tasks = list["tasks"].as_object().expect("it has tasks").clone();
        tasks.values().filter(|task| task["status"].get("Running").is_some()).count()
    };
    until("both run", LIMIT, || running() == 2);
    let checked = far.check();
    assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
    let said = checked.said("headnode.hpc.probe");
    assert!(said.starts_with("warn: no job was tried"), "{said}");
    assert!(said.contains("all its places (2) are taken"), "{said}");
    assert_eq!(running(), 2, "others' entries run on");
}
