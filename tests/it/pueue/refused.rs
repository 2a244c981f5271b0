//! A headnode on which pueue cannot be asked: each reason has a class and a sentence.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use daylily_lifecycle::outcome::{AfterClaim, Conclusion, Fault, FaultClass, QueueWord};
use daylily_watch::adapters::queue::Queue;
use daylily_watch::adapters::queue::pueue::PueueSettings;

use super::ground::{Ground, SEEN, Way};
use crate::servers::pueued::{PROGRAMS, Pueued};
use crate::stage::entry;

/// What a look, an add, a removal and a change of groups come to, which is the same.
async fn refused(ground: &Ground, way: Way) -> Fault {
    let queue = ground.queue_by(way);
    let attempt = ground.stage.prepared("true").await;
    let fault = queue.look().await.expect_err("there is no list");
    let added = queue.add(&[entry(&attempt)]).await.remove(0).expect_err("it cannot be added");
    let removed = queue.remove(std::slice::from_ref(&attempt)).await.expect_err("nor removed");
    let group = daylily_lifecycle::ids::GroupName::new("a");
    let made = queue.create_groups(&[(group.clone(), 1)]).await.expect_err("nor made");
    let begun = queue.start_groups(&[group]).await.expect_err("nor started");
    if fault.class == FaultClass::FatalHost && !fault.text.contains("wrong secret") {
        for other in [added, removed, made, begun] {
            assert_eq!(other, fault);
        }
    } else {
        for other in [removed, made, begun] {
            assert_eq!(other.class, FaultClass::TransientHost, "{other}");
        }
    }
    fault
}

async fn check(ground: &Ground, way: Way, class: FaultClass, says: &[&str]) {
    let fault = refused(ground, way).await;
    assert_eq!(fault.class, class, "{fault}");
    for words in says {
        assert!(fault.text.contains(words), "{words}: {fault}");
    }
    assert!(!fault.text.contains('\u{1b}'), "{fault:?}");
    assert!(fault.text.contains("\nhint: "), "{fault}");
}

#[tokio::test]
async fn a_daemon_that_does_not_run() {
    let mut ground = Ground::new().await;
    let socket = ground.pueued.path("run/socket").display().to_string();
    ground.pueued.kill_9();
    let says = ["pueued does not run on hpc", &*socket, "Connection refused", "on hpc: pueued"];
    check(&ground, ground.way(), FaultClass::TransientHost, &says).await;
    fs::remove_file(&socket).unwrap();
    let says = ["pueued does not run on hpc", "No such file"];
    check(&ground, ground.way(), FaultClass::TransientHost, &says).await;
    ground.pueued.start_again();
    assert!(ground.queue.look().await.is_ok());
}

#[tokio::test]
async fn a_daemon_that_is_frozen() {
    let ground = Ground::new().await;
    let mut way = ground.way();
    way.settings = PueueSettings { patience: Duration::from_millis(300), ..way.settings };
    ground.pueued.freeze();
    let says = ["pueued on hpc does not answer", "run `pueue", " status` there"];
    check(&ground, way, FaultClass::TransientHost, &says).await;
    ground.pueued.thaw();
    assert!(ground.queue.look().await.is_ok());
}

#[tokio::test]
async fn a_script_that_outlives_its_limit() {
    let ground = Ground::new().await;
    // Even a client that nothing ends.
    let mut way = ground.way();
    way.path.insert(0, ground.stand_in("trap '' TERM; while :; do sleep 1; done"));
    way.settings = PueueSettings { patience: Duration::from_millis(100), ..way.settings };
    let fault = ground.queue_by(way).look().await.expect_err("it never answers");
    assert_eq!(fault.class, FaultClass::TransientHost, "{fault}");
}

#[tokio::test]
async fn a_wrong_secret() {
    let ground = Ground::new().await;
    let secret = ground.pueued.path("data/shared_secret");
    let right = fs::read(&secret).unwrap();
    fs::write(&secret, "x".repeat(512)).unwrap();
    let says = ["hangs up on us each time", "shared_secret"];
    check(&ground, ground.way(), FaultClass::FatalHost, &says).await;
    fs::remove_file(&secret).unwrap();
    let says = ["pueue on hpc has no secret yet", "on hpc: pueued"];
    check(&ground, ground.way(), FaultClass::FatalHost, &says).await;
    fs::write(&secret, right).unwrap();
    assert!(ground.queue.look().await.is_ok());
}

#[tokio::test]
async fn a_connection_lost_once_is_asked_for_again() {
    let ground = Ground::new().await;
    let attempt = ground.waiting("true").await;
    let lost = "mark=$(dirname \"$0\")/asked; [ -e \"$mark\" ] && exec \"$real\" \"$@\"; : >\"$mark\"\n\
                echo 'Failed to receive version during handshake with daemon. early eof' >&2; exit 1";
    let look = ground.queue_by_script(lost).look().await.expect("the second is answered");
    assert!(look.words.contains_key(&attempt));
}

#[tokio::test]
async fn no_configuration_or_one_that_is_none() {
    let ground = Ground::new().await;
    let mut way = ground.way();
    way.env.insert("PUEUE_CONFIG_PATH".to_owned(), "/no/such/pueue.yml".to_owned());
    let says = ["finds no configuration", "/no/such/pueue.yml", "PUEUE_CONFIG_PATH"];
    check(&ground, way, FaultClass::FatalHost, &says).await;
    let mut way = ground.way();
    way.env.remove("PUEUE_CONFIG_PATH");
    way.env.insert("HOME".to_owned(), ground.pueued.path("nobody").display().to_string());
    check(&ground, way, FaultClass::FatalHost, &["finds no configuration"]).await;
    fs::write(ground.pueued.config(), "shared: [").unwrap();
    let says = ["the configuration of pueue on hpc cannot be used", "shared"];
    check(&ground, ground.way(), FaultClass::FatalHost, &says).await;
}

#[tokio::test]
async fn no_pueue_in_the_path() {
    let ground = Ground::new().await;
    let mut way = ground.way();
    let path = std::mem::take(&mut way.path);
    way.settings.command = "pueue-of-nobody".to_owned();
    let says =
        ["pueue-of-nobody is not found on hpc; looked for in ", "/bin", "cargo install pueue"];
    check(&ground, way, FaultClass::FatalHost, &says).await;
    // It is in a usual place that is not in the path.
    let home = ground.pueued.path("home");
    fs::create_dir_all(home.join(".cargo/bin")).unwrap();
    fs::copy(format!("{}/pueue", path[0]), home.join(".cargo/bin/pueue-of-nobody")).unwrap();
    let mut way = ground.way();
    way.path = Vec::new();
    way.settings.command = "pueue-of-nobody".to_owned();
    way.env.insert("HOME".to_owned(), home.display().to_string());
    let folder = home.join(".cargo/bin").display().to_string();
    let says = [&*format!("it is in {folder}: add that to `path`")];
    check(&ground, way, FaultClass::FatalHost, &says).await;
    // Named in full, also below the home, it is found.
    for command in ["~/.cargo/bin/pueue-of-nobody".to_owned(), format!("{folder}/pueue-of-nobody")]
    {
        let mut way = ground.way();
        way.path = Vec::new();
        way.settings.command = command;
        way.env.insert("HOME".to_owned(), home.display().to_string());
        assert!(ground.queue_by(way).look().await.is_ok());
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_executed() {
    let ground = Ground::new().await;
    let mut way = ground.way();
    way.path.insert(0, ground.stand_in(""));
    let file = ground.pueued.path("stand-in/pueue");
    fs::write(&file, b"\x7fELF\x02\x01\x01 and no program").unwrap();
    let says = ["pueue on hpc cannot be executed", "noexec"];
    check(&ground, way, FaultClass::FatalHost, &says).await;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    // The next one in the path is meant then.
    let mut way = ground.way();
    way.path.insert(0, ground.pueued.path("stand-in").display().to_string());
    assert!(ground.queue_by(way).look().await.is_ok());
}

#[tokio::test]
async fn another_major_version() {
    let ground = Ground::new().await;
    let mut sentences = BTreeSet::new();
    for said in [
        "Error: Couldn\\'t deserialize message:",
        "Failed to deserialize message",
        "Got unexpected but valid message. Are you up-to-date?:",
    ] {
        let mut way = ground.way();
        // As version 3 does, on standard output and after a warning.
        let script = format!(
            "echo \"Different daemon version\"; echo \"{}\"; exit 1",
            said.replace('\\', "")
        );
        way.path.insert(0, ground.stand_in(&script));
        let says = ["one is of another major version", "install one version of both"];
        sentences.insert(refused(&ground, way).await.text);
        let mut way = ground.way();
        way.path.insert(0, ground.stand_in(&script));
        check(&ground, way, FaultClass::FatalHost, &says).await;
    }
    assert_eq!(sentences.len(), 3);
}

#[tokio::test]
async fn a_runtime_directory_that_we_do_not_know_of() {
    let ground = Ground::with(Pueued::start_in_runtime_dir()).await;
    assert!(ground.queue.look().await.is_ok());
    let mut way = ground.way();
    way.env.insert("XDG_RUNTIME_DIR".to_owned(), String::new());
    let pid = format!("pueued runs on hpc (pid {})", ground.pueued.pid());
    let says = [&*pid, "XDG_RUNTIME_DIR is not set for us", "in this headnode's env"];
    check(&ground, way, FaultClass::TransientHost, &says).await;
}

/// A client that runs as somebody else, where we may be anybody; else what one said.
fn as_another(ground: &Ground, otherwise: &str) -> String {
    if !nix::unistd::geteuid().is_root() {
        return ground.stand_in(&format!("printf '%s\\n' '{otherwise}' >&2; exit 1"));
    }
    // Ours may be in a folder that is closed to others.
    let copy = ground.pueued.path("real");
    fs::copy(format!("{PROGRAMS}/pueue"), &copy).unwrap();
    let user = "--reuid=daylily-test --regid=daylily-test --clear-groups";
    ground.stand_in(&format!("exec setpriv {user} {} \"$@\"", copy.display()))
}

#[tokio::test]
async fn a_daemon_of_another_user() {
    let ground = Ground::new().await;
    let open = |below: &str, mode: u32| {
        fs::set_permissions(ground.pueued.path(below), fs::Permissions::from_mode(mode)).unwrap();
    };
    let denied = "Permission denied (os error 13)";
    open("", 0o755);
    for (below, closed, opened, otherwise, says) in [
        ("pueue.yml", 0o600, 0o644, "while opening config file: ", "cannot be used"),
        (
            "data/shared_secret",
            0o640,
            0o644,
            "while opening secret file: ",
            "may not read the secret",
        ),
        ("run/socket", 0o755, 0o777, "while connecting to daemon: ", "is another user's"),
    ] {
        open(below, closed);
        let mut way = ground.way();
        way.path.insert(0, as_another(&ground, &format!("{otherwise}{denied}")));
        check(&ground, way, FaultClass::FatalHost, &[says, denied]).await;
        open(below, opened);
    }
}

#[tokio::test]
async fn a_daemon_that_may_not_read_what_it_starts_never_claims() {
    // Only root may talk to the daemon of another; for others it is refused, as above.
    let user = if nix::unistd::geteuid().is_root() { Some("daylily-test") } else { None };
    let ground = Ground::with(user.map_or_else(Pueued::start, Pueued::start_as)).await;
    let attempt = ground.stage.prepared("true").await;
    if user.is_none() {
        let file = ground.stage.file(&attempt, "job.sh");
        fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
    }
    ground.add(&attempt).await.expect("it is added");
    ground.until_says(&attempt, QueueWord::Done).await;
    let concluded = ground.concluded(&attempt, SEEN).await;
    assert_eq!(concluded, Conclusion::TakeClaim { then: AfterClaim::Retry });
}
