//! Connections that are cut, a headnode that is away, and a daemon that finds its
//! connections again: nothing fails, nothing is sent twice that need not be, and nobody
//! is hammered with attempts.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use daylily_lifecycle::case::StateName;
use daylily_lifecycle::policy::SlotState;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cancelling::lock;
use super::instruments::COUNT;
use super::same::assert_same;
use super::setup::Setup;
use super::site::{Site, on_sites};
use super::world::{World, write};
use crate::servers::sshd::Sshd;
use crate::wait::{self, LIMIT};

const SOME_WAIT: &str =
    "[ ! -e wait ] || until [ -e \"$GO\" ]; do sleep 0.05; done; cp input out.txt";

/// Content that no tool can shorten.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = (0..bytes.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(bytes).collect()
}

/// Writes a case beside the intake and lets it appear whole.
fn arrives(world: &World, name: &str, files: &[(&str, &[u8])]) {
    for (file, content) in files {
        write(&world.path("elsewhere/new").join(file), content);
    }
    fs::rename(world.path("elsewhere/new"), world.intake().join(name)).unwrap();
}

/// One case runs, one is being handed over and one copied when the headnode goes away for
/// so long, in one way or another.
fn an_outage(site: Site, lasts: Duration, begin: fn(&mut Sshd), end: fn(&mut Sshd)) {
    let mut world = World::new(Setup {
        headnode: vec!["bandwidth: 16MiB/s".to_owned()],
        ..Setup::job(site, SOME_WAIT).slots(3)
    });
    world.count_ssh();
    if site.has_pueue() {
        world.before_pueue(&format!(
            "{COUNT}[ \"$1\" = add ] && while [ -e \"$NOTES/hold\" ]; do sleep 0.1; done
exec \"$REAL\" \"$@\""
        ));
    }
    world.start();
    arrives(&world, "runs", &[("input", b"x"), ("wait", b"")]);
    world.until_running("runs");
    // Without a queue something of an earlier attempt refuses the start.
    world.give_sign("hold");
    let locks = world.path("work/.daylily-watch/cases/new_cases");
    world.ground.make_there(&locks);
    let held = (!site.has_pueue()).then(|| lock(&locks.join("submits.lock")).unwrap());
    if held.is_some() {
        world.ground.give(&locks.join("submits.lock"));
    }
    arrives(&world, "submits", &[("input", b"y")]);
    world.until_state("submits", StateName::Submitting);
    arrives(&world, "ships", &[("input", b"z"), ("big", &noise(100 << 20))]);
    world.until_state("ships", StateName::Shipping);

    let (connects, warnings) = (world.connects(), world.warnings().len());
    begin(world.ground.sshd_mut());
    let broke_a_law = wait::holds(lasts, || {
        wait::holds(Duration::from_millis(200), || false);
        let slots = world.reader().slots().unwrap();
        let all_taken = slots.iter().all(|slot| slot.view.state == SlotState::Reserved);
        let states = ["runs", "submits", "ships"].map(|name| world.state(name).unwrap());
        !all_taken || states != [StateName::Running, StateName::Submitting, StateName::Shipping]
    });
    assert!(!broke_a_law, "{:?}", world.reader().board(20));
    assert!(!world.is_reached());
    let tries = world.connects() - connects;
    let known = world.ground.sshd().connections();
    end(world.ground.sshd_mut());
    #[allow(clippy::disallowed_methods, reason = "what is measured is time")]
    let back = Instant::now();
    world.until_within("it is observed again", Duration::from_secs(5), |world| {
        world.is_reached() && world.because("runs").contains("Running on hpc since")
    });
    let seen = back.elapsed();
    fs::remove_file(world.sign("hold")).unwrap();
    drop(held);
    world.let_go();
    world.until_succeeded(&["runs", "submits", "ships"]);
    assert_eq!(world.runs().len(), 3);
    assert_same(&world.intake().join("ships"), &world.copy_of("ships"), &["out.txt"]);
    let told = world.warnings().split_off(warnings);
    let connections = world.ground.sshd().connections() - known;
    #[allow(clippy::print_stderr, reason = "what was measured")]
    {
        eprintln!(
            "{lasts:?} away: {tries} attempts, {connections} connections since, observed again \
             after {seen:?}, told {told:#?}"
        );
    }
    let about_it = told.iter().filter(|line| line.contains("headnode=hpc")).count();
    assert!(about_it <= 1, "it was told {about_it} times: {told:#?}");
    let most = usize::try_from(lasts.as_secs()).unwrap() / 2 + 5;
    assert!(tries <= most, "{tries} attempts in {lasts:?}");
    // Those that were under way when it came back are answered with the new ones.
    assert!(connections <= 6, "{connections} connections");
    world.is_settled();
}

fn a_minute_without_a_headnode_fails_nothing_and_hammers_nobody(site: Site) {
    an_outage(site, Duration::from_secs(60), Sshd::stop, Sshd::start_again);
}

fn a_headnode_that_stands_still_fails_nothing(site: Site) {
    an_outage(site, Duration::from_secs(30), |sshd| sshd.freeze(), |sshd| sshd.thaw());
}

fn a_transfer_cut_half_way_goes_on_where_it_was_and_ends_identical(site: Site) {
    const SIZE: u64 = 200 << 20;
    let world = World::started(Setup {
        metered: true,
        headnode: vec!["bandwidth: 50MiB/s".to_owned(), "max_transfers: 1".to_owned()],
        ..Setup::at(site)
    });
    let big = noise(usize::try_from(SIZE).unwrap());
    arrives(&world, "large", &[("input", b"x"), ("big", &big)]);
    let meter = world.ground.meter();
    world.until("half of it was sent", |_| meter.sent() >= SIZE / 2);
    meter.cut();
    let before = meter.sent();
    assert!(before < SIZE, "it was sent already");
    world.until_succeeded(&["large"]);
    let after = meter.sent() - before;
    #[allow(clippy::print_stderr, reason = "what was measured")]
    {
        eprintln!("{} MiB before the cut, {} MiB after it", before >> 20, after >> 20);
    }
    assert!(after < SIZE * 3 / 4, "{after} bytes were sent again");
    assert_same(&world.intake().join("large"), &world.copy_of("large"), &["out.txt"]);
    assert_eq!(world.runs().len(), 1);
    assert_eq!(world.case("large").unwrap().attempts().count(), 1);
    world.is_settled();
}

fn a_killed_daemon_finds_its_connections_again_and_goes_on_copying(site: Site) {
    let mut world = World::started(Setup {
        headnode: vec!["bandwidth: 16MiB/s".to_owned()],
        ..Setup::job(site, SOME_WAIT)
    });
    arrives(&world, "runs", &[("input", b"x"), ("wait", b"")]);
    world.until_running("runs");
    arrives(&world, "large", &[("input", b"x"), ("big", &noise(60 << 20))]);
    world.until_state("large", StateName::Shipping);
    let big = world.copy_of("large");
    world.until("something of it is there", |_| fs::metadata(&big).is_ok());
    for _ in 0..2 {
        let connections = world.ground.sshd().connections();
        let before = world.headnode().owned_at;
        world.kill();
        world.start();
        world.until("the headnode is known to be ours again", |world| {
            world.headnode().owned_at > before && world.is_reached()
        });
        assert_eq!(world.ground.sshd().connections(), connections, "one was opened anew");
    }
    world.let_go();
    world.until_succeeded(&["runs", "large"]);
    let connections = world.ground.sshd().connections();
    assert!(connections <= 3, "{connections} connections");
    assert_same(&world.intake().join("large"), &world.copy_of("large"), &["out.txt"]);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
    // One that is asked to end leaves none behind.
    world.terminate(Duration::from_secs(5));
    world.until("nobody is connected", |world| world.ground.sshd().session_processes() == 0);
}

/// A connection as a person opens it, with a password that no program has.
#[allow(clippy::disallowed_methods, reason = "the test is the person here")]
fn opened_by_a_person(world: &World) -> Child {
    assert!(fs::metadata(world.path("run/mine")).is_err(), "one is open");
    let child = Command::new("/usr/bin/ssh")
        .args(["-M", "-N", "-o", "ControlPersist=no", "-F"])
        .arg(world.ground.sshd().config_file())
        .arg("-S")
        .arg(world.path("run/mine"))
        .arg(world.ground.sshd().host())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait::until("it listens", LIMIT, || fs::metadata(world.path("run/mine")).is_ok());
    child
}

fn closed_by_the_person(mut master: Child) {
    kill(Pid::from_raw(i32::try_from(master.id()).unwrap()), Signal::SIGTERM).unwrap();
    master.wait().unwrap();
}

fn a_site_with_one_time_passwords_works_over_the_connection_that_a_person_opens(site: Site) {
    let mut setup = Setup::job(site, SOME_WAIT);
    setup.ssh = ", control_path: ./run/mine".to_owned();
    let mut world = World::new(setup);
    world.start();
    arrives(&world, "first", &[("input", b"x"), ("wait", b"")]);
    world.until_because("first", "Waiting for a person");
    assert!(world.because("first").contains(" -M -N -S "), "{}", world.because("first"));
    assert_eq!(world.ground.sshd().connections(), 0);

    // Longer than it waits before it looks again.
    let by_itself = Duration::from_secs(100);
    let master = opened_by_a_person(&world);
    world.until_within("it goes on by itself", by_itself, |world| {
        world.state("first") == Some(StateName::Running)
    });
    closed_by_the_person(master);
    world.until_because("first", "Waiting for a person");
    assert_eq!(world.state("first"), Some(StateName::Running));
    world.let_go();

    let mut master = opened_by_a_person(&world);
    // A person who does not want to wait says so.
    world.resume_headnode();
    world.until_succeeded(&["first"]);
    assert_eq!(world.ground.sshd().connections(), 2, "only the person opens connections");
    world.terminate(Duration::from_secs(5));
    assert!(master.try_wait().unwrap().is_none(), "it was closed by us");
    world.start();
    arrives(&world, "second", &[("input", b"x")]);
    world.until_succeeded(&["second"]);
    world.kill();
    assert!(master.try_wait().unwrap().is_none(), "it was closed by us");
    world.start();
    world.is_settled();
    assert_eq!(world.runs().len(), 2);
    assert_eq!(world.ground.sshd().connections(), 2, "only the person opens connections");
    closed_by_the_person(master);
}

on_sites! {
    a_minute_without_a_headnode_fails_nothing_and_hammers_nobody: ssh_pueue, ssh_direct;
    a_headnode_that_stands_still_fails_nothing: ssh_pueue;
    // What is between copying and running makes no difference to these.
    a_transfer_cut_half_way_goes_on_where_it_was_and_ends_identical: ssh_direct;
    a_killed_daemon_finds_its_connections_again_and_goes_on_copying: ssh_pueue, ssh_direct;
    a_site_with_one_time_passwords_works_over_the_connection_that_a_person_opens: ssh_pueue;
}
