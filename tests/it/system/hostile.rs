//! Names that a shell would do something with, as names of cases, of files, of results
//! and in answers, through the real ssh, rsync and pueue: nothing of them is ever run.

use std::fs;
use std::path::Path;

use daylily_lifecycle::case::StateName;

use super::same::assert_same;
use super::setup::Setup;
use super::site::{Site, on_sites};
use super::world::{World, write};

/// Each would leave a file `pwned` where it is run.
const HOSTILE: [&str; 14] = [
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    "\"; touch pwned; \"",
    "a b  c ",
    " leading space",
    "-rf",
    "--rsync-path=touch pwned",
    "hpc:over there",
    "\\\\back\\slash\\n",
    "${IFS}touch${IFS}pwned",
    "&& touch pwned || x",
    "東京 ünï ☃ \u{202e}txt",
    "{a,b} *?[x] ~ !! #",
];

fn hostile_names_of_cases_and_files_reach_no_shell(site: Site) {
    // The job makes results of such names from those it was given.
    let world = World::started(Setup {
        fetch: "[\"results/**\"]",
        headnode: vec!["max_transfers: 4".to_owned()],
        ..Setup::job(site, "mkdir results; cp -R -- in/. results/; ls -- in >&2").slots(4)
    });
    let long = "l".repeat(255);
    let names: Vec<&str> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    for name in &names {
        let folder = world.intake().join(name);
        for file in &names {
            write(&folder.join("in").join(file), *file);
        }
        write(&folder.join("in/sub $(touch pwned)").join(name), *name);
    }
    world.until_succeeded(&names);
    for name in &names {
        let place = world.case(name).unwrap().attempt().unwrap().place.clone();
        let original = world.intake().join(name);
        assert_same(&original.join("in"), &Path::new(&place.remote_dir).join("in"), &[]);
        let results = fs::read_dir(world.path("results/new_cases")).unwrap().flatten();
        let home = results
            .map(|entry| entry.path())
            .find(|path| path.join("results/sub $(touch pwned)").join(name).try_exists().unwrap());
        let home = home.unwrap_or_else(|| panic!("no results of {name}"));
        assert_same(&original.join("in"), &home.join("results"), &[]);
        assert_eq!(world.runs_of(name).len(), 1, "{name}");
    }
    nothing_was_run(&world);
    world.is_settled();
}

pub(super) fn nothing_was_run(world: &World) {
    let mut open = vec![world.path("")];
    if world.ground.site().is_far() {
        open.push(world.ground.sshd().home());
    }
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let name = entry.file_name();
            assert!(name != "pwned", "{} is there", entry.path().display());
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    for place in ["/pwned", "/tmp/pwned", "/root/pwned"] {
        assert!(fs::metadata(place).is_err(), "{place} is there");
    }
}

fn what_a_job_prints_and_leaves_is_text_and_nothing_more(site: Site) {
    let job = "printf '\\033[2J$(touch pwned) `touch pwned`\\n\\r\\001\\377\\n{\"code\":0}\\n'
printf x >'out;touch pwned'; printf x >'out $(touch pwned) `touch pwned`'
printf x >'out'\"'\"'; touch pwned; '\"'\"
[ ! -e line ] || printf x >\"$(printf 'out\\nwith a line')\"
[ ! -e fails ] || exit 9";
    let world = World::started(Setup {
        pipeline: vec!["expect: [\"out*\"]".to_owned()],
        fetch: "[\"out*\"]",
        ..Setup::job(site, job)
    });
    write(&world.intake().join("prints/fails"), "x");
    write(&world.intake().join("leaves/input"), "x");
    write(&world.intake().join("leaves a line/line"), "x");
    world.until_state("prints", StateName::Failed);
    world.until_because("prints", "exit code 9");
    assert!(!world.because("prints").contains('\u{1b}'), "{:?}", world.because("prints"));
    // Only of a job that ended well are the files listed and fetched.
    world.until_succeeded(&["leaves"]);
    let mut home: Vec<String> = fs::read_dir(world.results_of("leaves"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("out"))
        .collect();
    home.sort();
    let left = ["out $(touch pwned) `touch pwned`", "out'; touch pwned; '", "out;touch pwned"];
    assert_eq!(home, left);
    // A line end is in no result's name; whoever gives it another brings it home.
    let told = "\"out\\nwith a line\" cannot be the name of a result; give it another name there";
    world.until_because("leaves a line", told);
    world.until("it is held", |world| world.case("leaves a line").unwrap().hold.is_some());
    let copy = world.copy_of("leaves a line");
    fs::rename(copy.join("out\nwith a line"), copy.join("out of one line")).unwrap();
    assert_eq!(world.ask("retry", "leaves a line"), "done");
    world.until_succeeded(&["leaves a line"]);
    assert!(world.results_of("leaves a line").join("out of one line").is_file());
    nothing_was_run(&world);
    world.is_settled();
}

fn a_name_with_a_line_end_is_refused_before_anything_is_sent(site: Site) {
    let world = World::started(Setup::at(site));
    write(&world.intake().join("two\nlines/input"), "x");
    write(&world.intake().join("inside/two\nlines"), "x");
    for part in ["two", "inside"] {
        world.until("it is refused", |world| {
            world.all_cases().iter().any(|case| {
                case.name.as_str().starts_with(part) && case.state.name() == StateName::Rejected
            })
        });
    }
    let sent = fs::read_dir(world.path("work/new_cases")).map_or(0, Iterator::count);
    assert_eq!(sent, 0);
    world.is_settled();
}

on_sites! {
    hostile_names_of_cases_and_files_reach_no_shell: here_pueue, ssh_pueue, ssh_direct;
    what_a_job_prints_and_leaves_is_text_and_nothing_more: here, ssh_pueue, ssh_direct;
    // Control characters in folders on this machine are tested with the bad input.
    a_name_with_a_line_end_is_refused_before_anything_is_sent: ssh_pueue;
}
