//! Names of cases and files, and what a case.yaml says, the whole way: shipped, run,
//! listed, fetched, printed, removed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use daylily_lifecycle::ids::{AttemptId, HeadnodeName};
use daylily_lifecycle::outcome::ExitRecord;
use daylily_watch::adapters::host::output::{Begin, Output, output};
use daylily_watch::adapters::host::rsync::{RsyncSettings, RsyncTransfer};
use daylily_watch::adapters::host::ssh::{SshHostSettings, ssh_host};
use daylily_watch::adapters::host::{
    CleanOrder, Cleaned, FetchOrder, Host as _, HostLook, Job, Progress, ShipOrder, Verify,
};
use daylily_watch::adapters::queue::Queue as _;
use daylily_watch::adapters::queue::direct::Direct;
use daylily_watch::tree::Names;
use daylily_watch::tree_fingerprint::fingerprint;
use proptest::collection::{btree_set, vec};
use proptest::prelude::Strategy;
use tokio_util::sync::CancellationToken;

use super::{nothing_was_run, runner, shells};
use crate::copy::world::{listing, write};
use crate::hostile::text;
use crate::servers::sshd::Login;
use crate::ssh::far::Far;
use crate::stage::{entry, job_in, new_attempt, owner};
use crate::wait::{LIMIT, until_seen};

/// A name that a case or a file can have: the others are refused before.
fn name() -> impl Strategy<Value = String> {
    text().prop_map(|text| {
        let name: String = text.chars().filter(|c| !c.is_control() && *c != '/').collect();
        // rsync takes no result with both (`fault.rs`).
        let name = if name.contains(['*', '?', '[']) { name.replace('\\', "") } else { name };
        let name = &name[..name.floor_char_boundary(120)];
        // rsync and the transfers keep these.
        if matches!(name, "" | "." | "..") { "it's".to_owned() } else { name.to_owned() }
    })
}

#[derive(Debug, Clone)]
struct Given {
    case: String,
    /// Paths of two names.
    files: Vec<[String; 2]>,
    param: String,
    print: String,
}

fn given() -> impl Strategy<Value = Given> {
    let files = btree_set([name(), name()], 1..12);
    (name(), files, text(), vec(text(), 0..3)).prop_map(|(case, files, param, print)| Given {
        case,
        files: files.into_iter().collect(),
        param: param.replace('\0', ""),
        print: print.concat().replace('\0', ""),
    })
}

/// Each folder is made of what is in it, so that results can be told from what was sent.
const COMMAND: &str = "mkdir -- results && cp -R -- in/. results/ && \
    printf %s \"$DAYLILY_PARAM_x\" >param && printf '%s\\n' \"$PRINT\"";

#[test]
fn any_names_go_the_whole_way_and_are_never_run() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for shell in shells() {
        let far = Far::with(Login::Shell(shell), &[]);
        let tried = runner(3).run(&given(), |given| {
            runtime.block_on(the_whole_way(&far, &given));
            Ok(())
        });
        tried.unwrap_or_else(|error| panic!("{shell}: {error}"));
        nothing_was_run(&far.sshd, &[]);
    }
}

async fn the_whole_way(far: &Far, given: &Given) {
    let (here, attempt) = (tempfile::tempdir().unwrap(), new_attempt());
    let source = here.path().join("intake").join(&given.case);
    for [folder, file] in &given.files {
        write(&source.join("in").join(folder).join(file), format!("{folder}{file}").as_bytes());
    }
    let work = far.path().display().to_string();
    let settings = SshHostSettings {
        name: HeadnodeName::new("hpc"),
        work_dir: work.clone(),
        owner: owner("ours", 1),
        path: vec!["/opt/$(touch pwned)/'bin".to_owned()],
        env: BTreeMap::new(),
        umask: 0o022,
    };
    let line = far.masters.clone();
    let host = ssh_host(settings, far.masters.clone(), far.clock.clone(), |work_dir| {
        let settings = RsyncSettings {
            program: "rsync".into(),
            path: vec!["/opt/`touch pwned`".to_owned()],
            umask: 0o022,
            verify: Verify::Checksum,
            bandwidth: None,
            stall_after: RsyncSettings::STALL_AFTER,
            at_once: None,
        };
        RsyncTransfer::new(line, work_dir.clone(), owner("ours", 1), settings)
    });
    let (progress, stop) = (Progress::default(), CancellationToken::new());
    host.own(false).await.unwrap();
    let dest = format!("{work}/new/{}", given.case);
    let root = format!("{work}/.daylily-watch");
    let list = daylily_watch::adapters::host::names::bounded_name(&given.case, ".list");
    let order = ShipOrder {
        attempt: attempt.clone(),
        fingerprint: fingerprint(&source, &Names::default(), None).unwrap(),
        source: source.clone(),
        dest: dest.clone(),
        ignore: Vec::new(),
        marker: None,
        verify: Verify::Checksum,
        manifest: format!("{root}/cases/new/{list}"),
        lock: format!("{root}/{attempt}/ship.lock"),
    };
    host.ship(&order, &progress, &stop).await.unwrap();
    assert_eq!(listing(&source), listing(Path::new(&dest)));

    let job = job(far, given, &attempt, &dest);
    host.prepare(&job).await.unwrap();
    Direct::new(host.work_dir().clone()).add(&[entry(&attempt)]).await.pop().unwrap().unwrap();
    let ids = [attempt.clone()];
    until_seen("the job ends", LIMIT, || async {
        let look = host.read(&ids).await.unwrap().pop().unwrap();
        match look {
            HostLook::Saw { exit: ExitRecord::Present { code, .. }, .. } => {
                assert_eq!(code, Some(0));
                true
            }
            HostLook::Saw { .. } | HostLook::CouldNot { .. } => false,
        }
    })
    .await;

    let found = host.outputs(&dest, &["results/**".to_owned(), "param".to_owned()]).await.unwrap();
    assert_eq!(found.len(), given.files.len() + 1, "{found:?}");
    let to = here.path().join("results");
    let order = FetchOrder {
        attempt: attempt.clone(),
        from: dest.clone(),
        files: found.into_iter().map(|file| file.path).collect(),
        to: to.clone(),
    };
    host.fetch(&order, &progress, &stop).await.unwrap();
    for [folder, file] in &given.files {
        let brought = fs::read_to_string(to.join("results").join(folder).join(file)).unwrap();
        assert_eq!(brought, format!("{folder}{file}"));
    }
    assert_eq!(fs::read_to_string(to.join("param")).unwrap(), given.param);
    let folder = format!("{root}/{attempt}");
    let printed = output(host.work_dir().shell(), &folder, Begin::At(0), 1 << 20);
    let Output::Part { bytes, .. } = printed.await.unwrap() else { panic!("nothing is printed") };
    assert_eq!(String::from_utf8_lossy(&bytes), format!("{}\n", given.print));
    assert!(!host.tail(&attempt, 1 << 20).await.unwrap().contains('\u{1b}'));
    clean(&host, given, &attempt, Path::new(&dest)).await;
}

fn job(far: &Far, given: &Given, attempt: &AttemptId, dest: &str) -> Job {
    let job = job_in(&far.path(), attempt, COMMAND);
    let env = [("DAYLILY_PARAM_x", &given.param), ("PRINT", &given.print)];
    Job {
        name: daylily_lifecycle::ids::CaseName::new(&given.case),
        remote_name: given.case.clone(),
        dir: dest.to_owned(),
        env: env.map(|(name, value)| (name.to_owned(), value.clone())).into(),
        ..job
    }
}

async fn clean<H: daylily_watch::adapters::host::Host>(
    host: &H,
    given: &Given,
    attempt: &AttemptId,
    dest: &Path,
) {
    let beside = dest.with_file_name("stays");
    until_seen("it can be removed", LIMIT, || async {
        let found = host.list().await.unwrap();
        let record = found.into_iter().find(|found| found.id == *attempt).unwrap().record;
        let order = CleanOrder {
            attempts: vec![*record.unwrap()],
            intake: daylily_lifecycle::ids::IntakeName::new("new"),
            remote_name: given.case.clone(),
            with_folder: true,
            manifest: String::new(),
            apart: Vec::new(),
            outside: vec![beside.clone()],
        };
        matches!(host.clean(&order).await.unwrap(), Cleaned::Done { .. })
    })
    .await;
    assert!(fs::symlink_metadata(dest).is_err(), "{} is still there", dest.display());
}
