//! The program itself: cases to a headnode behind a real sshd and their results home.

use crate::cli_run::site::Site;
use crate::servers::sshd::Sshd;

fn site(headnode: &str, command: &str) -> Site {
    let site = Site::bare();
    let config = format!(
        "intakes: [{{name: new_cases, path: ./new_cases, settle: {{quiet: 100ms}}, existing: \
         process}}]\n\
         headnodes:\n  - {{name: hpc, {headnode}, queue: direct, path: [], groups: [{{name: \
         default, slots: 2}}]}}\n\
         pipelines: {{default: {{command: '{command}'}}}}\n\
         results: {{fetch: [out]}}\n\
         poll: {{min: 50ms, max: 200ms}}\n"
    );
    site.write("config.yaml", &config);
    site
}

#[test]
fn cases_go_to_a_headnode_behind_ssh_and_their_results_come_home() {
    let sshd = Sshd::start();
    let headnode = format!(
        "host: {}, ssh: {{config_file: {}}}, work_dir: {}/work, verify: checksum",
        sshd.host(),
        sshd.config_file().display(),
        sshd.remote_dir().display()
    );
    let site = site(&headnode, "cat file > out; id -un >> out");
    site.write("new_cases/a/file", "one\n");
    site.write("new_cases/it is b/file", "two\n");
    let odd = r"c\' ; touch PWNED ; \' $(touch PWNED) !\";
    site.write(&format!("new_cases/{odd}/file"), "three\n");
    let ran = site.run(&["--run-once"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    let user = sshd.user();
    assert_eq!(site.read("results/new_cases/a/out"), format!("one\n{user}\n"));
    assert_eq!(site.read("results/new_cases/it is b/out"), format!("two\n{user}\n"));
    assert_eq!(site.read(&format!("results/new_cases/{odd}/out")), format!("three\n{user}\n"));
    assert!(!sshd.home().join("PWNED").try_exists().unwrap());
    assert!(sshd.connections() <= 3, "{} connections", sshd.connections());
}

#[test]
fn a_case_on_a_shared_file_system_runs_where_it_lies() {
    let bare = Site::bare();
    let link = bare.at("seen-from-there");
    let site = {
        let headnode = format!(
            "host: local, work_dir: ./work, ship: {{shared: {{here: ./new_cases, there: {}}}}}",
            link.display()
        );
        site(&headnode, "pwd > out")
    };
    std::os::unix::fs::symlink(site.at("new_cases"), &link).unwrap();
    site.write("new_cases/a/file", "one");
    let ran = site.run(&["--run-once"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    let ran_in = site.read("results/new_cases/a/out");
    assert_eq!(ran_in.trim(), link.join("a").to_str().unwrap());
}
