//! The program itself with a headnode behind a real sshd: what `check` tells of the way
//! there, and what becomes of the connections of a daemon.

use std::time::Duration;

use serde_json::Value;

use crate::cli_run::site::Site;
use crate::servers::sshd::{FAILURE, Login, NOISE, Sshd};
use crate::wait::{LIMIT, until};

fn site(sshd: &Sshd) -> Site {
    let site = Site::bare();
    let config = format!(
        "intakes: [{{name: new_cases, path: ./new_cases, settle: {{quiet: 300ms}}, \
         existing: process}}]\n\
         headnodes:\n  - {{name: hpc, host: {}, ssh: {{config_file: {}, connect_timeout: 2s}}, \
         work_dir: {}/work, path: [], queue: direct, groups: [{{name: default, slots: 4}}]}}\n\
         pipelines: {{default: {{command: 'cat sample/* >out; id -un >who'}}}}\n\
         results: {{fetch: [out, who]}}\n\
         poll: {{min: 50ms, max: 200ms}}\n",
        sshd.host(),
        sshd.config_file().display(),
        sshd.remote_dir().display()
    );
    site.write("config.yaml", &config);
    std::fs::create_dir(site.at("new_cases")).expect("there is room");
    site
}

/// What `check` finds of the headnode that is not well: the check, the text and the hint.
fn not_well(site: &Site) -> Vec<[String; 3]> {
    let ran = site.run(&["check", "--json"]);
    let report: Value = serde_json::from_str(&ran.out).expect("it is JSON");
    let findings = report["findings"].as_array().expect("a list").iter();
    let not_well = findings.filter(|finding| {
        let check = finding["check"].as_str().unwrap_or_default();
        check.starts_with("headnode.") && finding["level"] != "ok" && !check.ends_with(".logout")
    });
    let field = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    not_well.map(|finding| ["check", "text", "hint"].map(|name| field(finding, name))).collect()
}

#[test]
fn check_tries_everything_over_one_connection_and_another_for_outliving_it() {
    let sshd = Sshd::start();
    let site = site(&sshd);
    assert_eq!(not_well(&site), Vec::<[String; 3]>::new());
    // The second is dropped to see that a job outlives it.
    assert_eq!(sshd.connections(), 2);
    until("sshd has nobody left", LIMIT, || sshd.open_connections() == 0);
    let left = std::fs::read_dir(sshd.remote_dir()).expect("it is there").count();
    assert_eq!(left, 0);
}

#[test]
fn check_tells_each_trouble_on_the_way_with_the_line_to_paste() {
    let told = |sshd: &Sshd, check: &str, text: &str, hint: &str| {
        let found = not_well(&site(sshd));
        let is_it = |[c, t, h]: &[String; 3]| c == check && t.contains(text) && h.contains(hint);
        assert!(found.iter().any(is_it), "{check}, {text}, {hint}: {found:?}");
    };
    let mut sshd = Sshd::start();
    sshd.refuse_our_key();
    told(&sshd, "headnode.hpc.ssh", "hpc refuses our key", "ssh-copy-id");
    sshd.accept_our_key();
    sshd.change_host_key();
    told(&sshd, "headnode.hpc.ssh", "host key of hpc has changed", "ssh-keygen -f ");
    sshd.stop();
    told(&sshd, "headnode.hpc.ssh", "connection refused", "");
    let noisy = Sshd::with(Login::Noisy, &[]);
    told(&noisy, "headnode.hpc.login", NOISE, "case $- in");
    let failing = Sshd::with(Login::Failing, &[]);
    told(&failing, "headnode.hpc.login", FAILURE, "");
}

#[test]
fn a_killed_daemons_connection_is_found_again_and_a_daemon_that_ends_leaves_none() {
    let sshd = Sshd::start();
    let site = site(&sshd);
    let owner = || std::fs::read_to_string(sshd.remote_dir().join("work/.daylily-watch/owner"));
    let generation = || owner().ok()?.split_whitespace().nth(1)?.parse::<u32>().ok();
    let mut first = site.daemon();
    until("the work_dir is its own", LIMIT, || generation() == Some(1));
    assert_eq!(sshd.connections(), 1);
    first.signal("KILL");
    first.until_it_ends(LIMIT);
    let mut second = site.daemon();
    until("the work_dir is its own", LIMIT, || generation() == Some(2));
    assert_eq!(sshd.connections(), 1);
    second.signal("TERM");
    assert!(second.until_it_ends(Duration::from_secs(10)).success());
    until("sshd has nobody left", LIMIT, || sshd.open_connections() == 0);
}

#[test]
fn the_connection_for_files_is_opened_while_the_first_case_arrives() {
    let sshd = Sshd::start();
    let site = site(&sshd);
    let waits = site.read("config.yaml").replace("quiet: 300ms", "quiet: 1h");
    site.write("config.yaml", &waits);
    let mut daemon = site.daemon();
    until("it has connected", LIMIT, || sshd.connections() == 1);
    site.write("new_cases/HG002/sample/part", "1\n");
    until("the next connection is there", LIMIT, || sshd.connections() == 2);
    daemon.signal("TERM");
    assert!(daemon.until_it_ends(Duration::from_secs(10)).success());
}

#[test]
fn cases_are_shipped_run_and_fetched_over_three_connections_at_most() {
    let sshd = Sshd::start();
    let site = site(&sshd);
    for case in 0..12 {
        for part in 0..5 {
            let path = format!("new_cases/it's case {case}/sample/part {part}");
            site.write(&path, &format!("{case}.{part}\n"));
        }
    }
    let ran = site.run(&["--run-once", "--config", "config.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for case in 0..12 {
        let result = |name: &str| site.read(&format!("results/new_cases/it's case {case}/{name}"));
        let whole: String = (0..5).map(|part| format!("{case}.{part}\n")).collect();
        assert_eq!(result("out"), whole);
        assert_eq!(result("who"), format!("{}\n", sshd.user()));
    }
    assert!(sshd.connections() <= 3, "{}", sshd.connections());
    until("sshd has nobody left", LIMIT, || sshd.open_connections() == 0);
}
