//! What the daemon needs of memory where somebody else decides how much there is: of
//! output, of the queue's list, of files. It stays below what is promised.

use std::fs;
use std::io::Read as _;
use std::time::Duration;

use daylily_lifecycle::case::StateName;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::same::assert_same;
use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, write};

on_sites! {
    a_job_that_prints_a_gibibyte_needs_no_memory: ssh_direct;
    a_list_of_200_mib_and_one_of_many_small_values_need_no_memory: ssh_pueue;
    // The copy on this machine keeps its lists on the disk.
    a_folder_of_200_000_files_needs_little_memory: ssh_direct;
    a_manifest_as_large_as_it_may_be_needs_little_memory: here;
}

const MOST_KIB: u64 = 128 << 10;

fn peak_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[track_caller]
fn stays_small(who: &str, pid: i32) {
    let peak = peak_kib(pid);
    #[allow(clippy::print_stderr, reason = "what was measured")]
    {
        eprintln!("{who}: at most {peak} KiB");
    }
    assert!(peak < MOST_KIB, "{who} needed {peak} KiB");
}

fn a_job_that_prints_a_gibibyte_needs_no_memory(site: Site) {
    let prints = "yes 'a line as pipelines print them, with nothing in it' | head -c 1073741824";
    let job = format!("echo begun; {UNTIL_LET_GO}; {prints}; exit 3");
    let world = World::started(Setup::job(site, &job));
    write(&world.intake().join("loud/input"), "x");
    world.until_running("loud");
    world.until("it prints", |world| world.verb(&["log", "loud"]).out.starts_with("begun"));
    let (mut follow, mut out) = world.verb_begun(&["log", "loud", "--follow"]);
    let follower = i32::try_from(follow.id()).unwrap();
    world.let_go();
    // What is followed comes in pieces, however fast it is printed.
    let mut piece = vec![0; 1 << 20];
    for _ in 0..24 {
        out.read_exact(&mut piece).unwrap();
    }
    world.until_because("loud", "exit code 3");
    stays_small("log --follow", follower);
    kill(Pid::from_raw(follower), Signal::SIGINT).unwrap();
    // It may be writing to us.
    drop(out);
    follow.wait().unwrap();
    let said = world.verb(&["log", "loud", "--lines", "3"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.ends_with("nothing in it\n") || said.out.contains("a line"), "{said:?}");
    let (log, id) = (world.attempt("loud"), world.path("work/.daylily-watch"));
    let printed = fs::metadata(id.join(log.as_str()).join("output.log")).unwrap().len();
    assert!(printed >= 1 << 30, "{printed}");
    stays_small("the daemon", world.pid());
    world.is_settled();
}

/// In place of the list: `large` has too much of one thing, `dense` much of what is small.
const LISTS: &str = r#"
if [ "$1" = status ] && [ -e "$NOTES/large" ]; then
    printf '{"tasks":{"1":{"label":"theirs","command":"'
    head -c 209715200 /dev/zero | tr '\0' x
    printf '"}},"groups":{"default":{"status":"Running","parallel_tasks":2}}}'
    exit 0
elif [ "$1" = status ] && [ -e "$NOTES/dense" ]; then
    printf '{"tasks":{"1":{"label":"theirs","status":"Queued","envs":[0'
    yes ,0 | tr -d '\n' | head -c 15728640
    printf ']}},"groups":{"default":{"status":"Running","parallel_tasks":2}}}'
    # All but what a pipe holds has been read.
    echo told >>"$NOTES/told"
    exit 0
fi
exec "$REAL" "$@""#;

fn a_list_of_200_mib_and_one_of_many_small_values_need_no_memory(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("one/input"), "x");
    world.until_running("one");
    world.before_pueue(LISTS);
    world.give_sign("large");
    world.until("the headnode is broken", World::is_broken);
    stays_small("the daemon, of a long list", world.pid());
    let kept = fs::metadata(world.path("state/hpc-status.json")).unwrap().len();
    assert!(kept <= 4 << 20, "{kept}");
    world.give_sign("dense");
    fs::remove_file(world.sign("large")).unwrap();
    world.resume_headnode();
    // A list is asked for once the one before was understood and what it said recorded.
    let read = |world: &World| {
        let told = fs::read_to_string(world.sign("told")).unwrap_or_default().lines().count();
        (told, world.headnode().polled_at)
    };
    world.until("a dense list is read", |world| read(world).0 >= 1);
    let (told, polled_at) = read(&world);
    world.until("it is recorded, and one more is read", |world| {
        let now = read(world);
        now.0 > told && now.1 > polled_at
    });
    assert!(world.is_reached(), "{:?}", world.headnode().state);
    stays_small("the daemon, of small values", world.pid());
    fs::remove_file(world.sign("dense")).unwrap();
    world.let_go();
    world.until_succeeded(&["one"]);
    world.is_settled();
}

fn a_folder_of_200_000_files_needs_little_memory(site: Site) {
    let job = "find . -name '*.filter' | wc -l >out.txt";
    let settle = ", marker: daylily.ready".to_owned();
    let world = World::started(Setup { settle, ..Setup::job(site, job) });
    let case = world.intake().join("many");
    for folder in 0..200 {
        let folder = case.join(format!("lane_{folder:03}"));
        fs::create_dir_all(&folder).unwrap();
        for file in 0..1000 {
            fs::write(folder.join(format!("tile_{file:04}.filter")), "").unwrap();
        }
    }
    stays_small("the daemon, while they arrive", world.pid());
    fs::write(case.join("daylily.ready"), "").unwrap();
    world.until_within("it has succeeded", Duration::from_secs(600), |world| {
        world.state("many") == Some(StateName::Succeeded)
    });
    stays_small("the daemon", world.pid());
    let counted = fs::read_to_string(world.results_of("many").join("out.txt")).unwrap();
    assert_eq!(counted.trim(), "200000");
    let copied = world.copy_of("many");
    assert_same(&case.join("lane_123"), &copied.join("lane_123"), &[]);
    world.is_settled();
}

fn a_manifest_as_large_as_it_may_be_needs_little_memory(site: Site) {
    let world = World::started(Setup::at(site));
    // Three of its lines in a hundred thousand are files that are there.
    let sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let mut manifest = String::with_capacity(32 << 20);
    for n in 0..399_000 {
        manifest.push_str(&format!("{sum}  {n:014}\n"));
    }
    assert!(manifest.len() < 32 << 20);
    write(&world.intake().join("listed/SHA256SUMS"), &manifest);
    write(&world.intake().join("odd/SHA256SUMS"), "x\n".repeat(15 << 20));
    world.until_because("odd", "line 1 is no checksum");
    world.until_within("its files are looked for", Duration::from_secs(300), |world| {
        world.because("listed").contains("and 398999 more")
    });
    stays_small("the daemon", world.pid());
    world.is_lawful();
}
