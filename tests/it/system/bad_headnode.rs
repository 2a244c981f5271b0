//! What can be wrong with a headnode: each has its own sentence, and the case goes on
//! once it is mended, by itself or by `resume --headnode`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use daylily_lifecycle::case::StateName;

use super::setup::{Setup, UNTIL_LET_GO};
use super::site::{Site, on_sites};
use super::world::{World, write};
use crate::servers::sshd::Login;

/// What lets a case go on once all is well.
enum Then {
    Itself,
    Resume,
}

/// The daemon sees by itself what is wrong, before there is a case.
fn is_noticed(world: &mut World) {
    world.start();
    world.until("it is noticed", |world| !world.is_reached());
}

/// A case that comes while something is wrong says so; mended, it runs.
fn is_told_and_mended(
    world: &mut World,
    told: &str,
    mend: impl FnOnce(&mut World),
    then: Then,
) -> String {
    if !world.is_started() {
        world.start();
    }
    write(&world.intake().join("case/input"), "x");
    world.until_because("case", told);
    let sentence = world.sentence("case");
    assert!(world.runs().is_empty());
    mend(world);
    match then {
        Then::Itself => {}
        Then::Resume => world.resume_headnode(),
    }
    world.until_succeeded(&["case"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
    sentence
}

/// What is said to be wrong. Around it stands what that means for the case, which depends
/// on how far it came before it was seen.
fn reason(said: &str) -> &str {
    let (_, reason) = said.split_once(" (").unwrap();
    reason.rsplit_once("); ").unwrap().0
}

fn at_the_path(name: &str, world: &World, script: &str) {
    let at = world.path("bin").join(name);
    fs::write(&at, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
}

fn no_rsync_there(site: Site) {
    // What goes in one question needs none.
    let headnode = vec!["verify: checksum".to_owned()];
    let mut world = World::new(Setup { headnode, ..Setup::at(site) });
    // What a shell says that finds none.
    at_the_path("rsync", &world, "echo 'sh: 1: rsync: not found' >&2; exit 127");
    let mend = |world: &mut World| fs::remove_file(world.path("bin/rsync")).unwrap();
    let said = is_told_and_mended(&mut world, "rsync", mend, Then::Resume);
    insta::assert_snapshot!(said, @r#"Waiting for a person: hpc is set aside since TIME UTC (rsync is not found on the headnode; install it there (`sudo apt-get install rsync` or `sudo dnf install rsync`), or put the folder it is in into `path` of the headnode); nothing is concluded or started there until `resume --headnode hpc`."#);
}

fn no_pueue_there(site: Site) {
    let mut world = World::new(Setup { no_pueue: true, ..Setup::at(site) });
    let mend = |world: &mut World| world.before_pueue("exec \"$REAL\" \"$@\"");
    let said = is_told_and_mended(&mut world, "pueue", mend, Then::Resume);
    // Where else it looks is the machine's own.
    let (before, after) = said.split_once("DIR/bin").unwrap();
    let said = format!("{before}DIR/bin{}", &after[after.find(';').unwrap()..]);
    insta::assert_snapshot!(reason(&said), @r#"pueue is not found on hpc; looked for in DIR/bin; on hpc: cargo install pueue --locked --version 4.0.4, or add its folder to `path` of this headnode"#);
}

fn pueued_does_not_run(site: Site) {
    let mut world = World::new(Setup::at(site));
    world.ground.pueued_mut().kill_9();
    let mend = |world: &mut World| world.ground.pueued_mut().start_again();
    let said = is_told_and_mended(&mut world, "pueued", mend, Then::Itself);
    insta::assert_snapshot!(reason(&said), @r#"pueued does not run on hpc (I/O error at path "PUEUED/run/socket" while connecting to daemon: Connection refused (os error 111)); on hpc: pueued -c PUEUED/pueue.yml -d, as USER, or better from a service manager"#);
}

fn the_secret_of_pueue_is_another_one(site: Site) {
    let mut world = World::new(Setup::at(site));
    let secret = world.ground.pueued().path("data/shared_secret");
    let right = fs::read(&secret).unwrap();
    fs::write(&secret, vec![b'x'; right.len()]).unwrap();
    let mend = |_: &mut World| fs::write(&secret, &right).unwrap();
    let said = is_told_and_mended(&mut world, "secret", mend, Then::Resume);
    insta::assert_snapshot!(reason(&said), @r#"pueued on hpc hangs up on us each time, as it does on a wrong secret (I/O error while reading request size header: early eof); let `pueue` and `pueued` there use one configuration and one shared_secret file, and restart pueued if the file was changed"#);
}

fn another_major_version_of_pueue(site: Site) {
    let mut world = World::new(Setup::at(site));
    // What a client of version 3 says to a daemon of version 4.
    world.before_pueue(
        "[ \"$1\" = --version ] && echo 'pueue 3.4.1' && exit 0
echo \"Error: Couldn't deserialize message\" >&2; exit 1",
    );
    let mend = |world: &mut World| world.before_pueue("exec \"$REAL\" \"$@\"");
    let said = is_told_and_mended(&mut world, "version", mend, Then::Resume);
    insta::assert_snapshot!(reason(&said), @r#"pueue and pueued on hpc do not understand each other: one is of another major version (Error: Couldn't deserialize message); install one version of both and restart pueued when none of its jobs runs"#);
}

fn a_group_is_missing_in_pueue(site: Site) {
    let mut world = World::new(Setup {
        no_groups: true,
        groups: "[{name: gpu_a, gpus: [0]}]".to_owned(),
        ..Setup::at(site)
    });
    let mend = |world: &mut World| {
        world.ground.pueued().must(&["group", "add", "--parallel", "1", "gpu_a"]);
    };
    let said = is_told_and_mended(&mut world, "gpu_a", mend, Then::Itself);
    insta::assert_snapshot!(said, @r#"Copied to hpc; its job is being handed over, then it starts; the group gpu_a is missing there since TIME UTC: `pueue -c PUEUED/pueue.yml group add -p 1 gpu_a` there makes it."#);
}

fn groups_that_are_missing_are_made_where_that_is_asked_for(site: Site) {
    let world = World::started(Setup {
        no_groups: true,
        groups: "[{name: gpu_a, gpus: [0, 1]}]".to_owned(),
        headnode: vec!["pueue: {create_groups: true}".to_owned()],
        ..Setup::at(site)
    });
    write(&world.intake().join("case/input"), "x");
    world.until_succeeded(&["case"]);
    let list = world.ground.pueued().list();
    assert_eq!(list["groups"]["gpu_a"]["parallel_tasks"], 2);
    world.is_settled();
}

fn the_runtime_directory_of_pueue_is_not_known(site: Site) {
    let mut world = World::new(Setup::at(site));
    // Where the configuration does not say it, the environment must.
    let config = world.ground.pueued().config();
    let right = fs::read_to_string(&config).unwrap();
    let kept = right.lines().filter(|line| !line.contains("runtime_d") && !line.contains("_path"));
    let without: Vec<&str> = kept.collect();
    fs::write(&config, without.join("\n")).unwrap();
    let mend = |_: &mut World| fs::write(&config, &right).unwrap();
    let pid = world.ground.pueued().pid().to_string();
    let said = is_told_and_mended(&mut world, "XDG_RUNTIME_DIR", mend, Then::Itself);
    let said = said.replace(&pid, "PID");
    insta::assert_snapshot!(reason(&said), @r#"pueued runs on hpc (pid PID) and does not listen where we ask (I/O error at path "PUEUED/data/pueue_USER.socket" while connecting to daemon: No such file or directory (os error 2)); XDG_RUNTIME_DIR is not set for us; set XDG_RUNTIME_DIR in this headnode's env to what pueued was started with, as /proc/PID/environ there tells"#);
}

fn work_dir_cannot_be_written_to(site: Site) {
    let mut world = World::new(Setup::at(site));
    let work = world.path("work");
    let allow = |mode| fs::set_permissions(&work, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    is_noticed(&mut world);
    let mend = |_: &mut World| allow(0o755);
    let said = is_told_and_mended(&mut world, "work", mend, Then::Resume);
    insta::assert_snapshot!(said, @r#"Waiting for a person: hpc is set aside since TIME UTC (DIR/work: mkdir: cannot create directory 'DIR/work/.daylily-watch': Permission denied); nothing is concluded or started there until `resume --headnode hpc`."#);
}

/// Lets commands in from now on.
fn let_in(world: &mut World) {
    let folder = world.ground.sshd().config_file();
    let login = folder.parent().unwrap().join("login");
    fs::write(login, "#!/bin/sh\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n").unwrap();
}

fn the_login_shell_prints(site: Site) {
    let mut world = World::new(Setup { login: Login::Noisy, ..Setup::at(site) });
    let said = is_told_and_mended(&mut world, "maintenance", let_in, Then::Resume);
    insta::assert_snapshot!(said, @r#"Waiting for a person: hpc is set aside since TIME UTC (the login shell on the headnode prints something before the command it is given: "Welcome to the cluster: maintenance on Monday"; let ~/.bashrc and the like print only where the shell is interactive, as by `case $- in *i*) ;; *) return ;; esac` at their beginning); nothing is concluded or started there until `resume --headnode hpc`."#);
}

fn the_login_shell_fails(site: Site) {
    let mut world = World::new(Setup { login: Login::Failing, ..Setup::at(site) });
    is_noticed(&mut world);
    let said = is_told_and_mended(&mut world, "front desk", let_in, Then::Resume);
    insta::assert_snapshot!(said, @r#"Waiting for a person: hpc is set aside since TIME UTC (the login shell on hpc runs no commands, it says: your account has expired, ask the front desk; as user USER this must answer with ok: ssh -F SSHD/ssh_config headnode echo ok); nothing is concluded or started there until `resume --headnode hpc`."#);
}

fn the_host_key_has_changed(site: Site) {
    let mut world = World::new(Setup::at(site));
    world.ground.sshd_mut().change_host_key();
    is_noticed(&mut world);
    let mend = |world: &mut World| {
        let sshd = world.ground.sshd();
        let folder = sshd.config_file();
        let file = |name: &str| folder.parent().unwrap().join(name);
        let key = fs::read_to_string(file("host_key.pub")).unwrap();
        let port = sshd.port();
        fs::write(file("known_hosts"), format!("[127.0.0.1]:{port} {key}")).unwrap();
    };
    let said = is_told_and_mended(&mut world, "host key", mend, Then::Resume);
    insta::assert_snapshot!(said, @r#"Waiting for a person: hpc has not let us in since TIME UTC (the host key of hpc has changed: Host key for [127.0.0.1]:PORT has changed and you have requested strict checking; if it was installed anew, run as user USER: ssh-keygen -f SSHD/known_hosts -R '[127.0.0.1]:PORT', then compare the new key in: ssh -F SSHD/ssh_config -o BatchMode=no -o StrictHostKeyChecking=ask headnode); last known waiting, it keeps its turn; it goes on by itself once that is put right, and the next try is at TIME, or `resume --headnode hpc` tries at once."#);
}

fn our_key_is_refused(site: Site) {
    let mut world = World::new(Setup::at(site));
    world.ground.sshd().refuse_our_key();
    is_noticed(&mut world);
    let mend = |world: &mut World| world.ground.sshd().accept_our_key();
    let said = is_told_and_mended(&mut world, "key", mend, Then::Resume);
    insta::assert_snapshot!(said, @r#"Waiting for a person: hpc has not let us in since TIME UTC (hpc refuses our key: USER@127.0.0.1: Permission denied (publickey); see as user USER whether this works without a question: ssh -F SSHD/ssh_config -o BatchMode=yes headnode; a key with a passphrase needs an agent, a new one ssh-copy-id); last known waiting, it keeps its turn; it goes on by itself once that is put right, and the next try is at TIME, or `resume --headnode hpc` tries at once."#);
}

fn our_key_is_refused_for_a_while_and_it_goes_on_by_itself(site: Site) {
    let world = World::started(Setup::job(site, UNTIL_LET_GO));
    write(&world.intake().join("runs/input"), "x");
    world.until_running("runs");
    world.ground.sshd().refuse_our_key();
    world.ground.sshd().cut();
    world.until_because("runs", "Waiting for a person");
    assert_eq!(world.state("runs"), Some(StateName::Running));
    world.ground.sshd().accept_our_key();
    let (by_itself, told) = (Duration::from_secs(100), "Running on hpc since");
    world.until_within("it goes on", by_itself, |world| world.because("runs").contains(told));
    world.let_go();
    world.until_succeeded(&["runs"]);
    assert_eq!(world.runs().len(), 1);
    world.is_settled();
}

fn there_is_no_room_there(site: Site) {
    let world = World::started(Setup::at(site));
    // More than any disk has; it takes no room here.
    write(&world.intake().join("case/input"), "x");
    let big = fs::File::create(world.intake().join("case/big")).unwrap();
    big.set_len(8 << 40).unwrap();
    drop(big);
    world.until_because("case", "Waiting for space");
    assert!(world.because("case").contains("this case needs"), "{}", world.because("case"));
    write(&world.intake().join("small/input"), "x");
    world.until_succeeded(&["small"]);
    let big = fs::File::options().write(true).open(world.intake().join("case/big"));
    big.unwrap().set_len(9).unwrap();
    world.until_succeeded(&["case"]);
    assert_eq!(world.runs().len(), 2);
    world.is_settled();
}

on_sites! {
    no_rsync_there: ssh_direct;
    no_pueue_there: ssh_pueue;
    pueued_does_not_run: ssh_pueue;
    the_secret_of_pueue_is_another_one: ssh_pueue;
    another_major_version_of_pueue: ssh_pueue;
    a_group_is_missing_in_pueue: ssh_pueue;
    groups_that_are_missing_are_made_where_that_is_asked_for: ssh_pueue;
    the_runtime_directory_of_pueue_is_not_known: ssh_pueue;
    work_dir_cannot_be_written_to: ssh_direct;
    the_login_shell_prints: ssh_direct;
    the_login_shell_fails: ssh_direct;
    the_host_key_has_changed: ssh_direct;
    our_key_is_refused: ssh_direct;
    our_key_is_refused_for_a_while_and_it_goes_on_by_itself: ssh_direct;
    there_is_no_room_there: ssh_pueue;
}
