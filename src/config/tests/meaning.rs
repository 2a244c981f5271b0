//! Owns the table of mistakes in what values mean: names, versions, values that do not
//! go together.

use std::path::Path;

use crate::config::load;
use crate::config::tests::mistakes::{check, check_added};

#[test]
fn what_is_not_in_this_version_is_refused_with_what_to_use() {
    check(
        "
intakes:
- {name: a, kind: s3, path: ./a}
- {name: b, kind: sequencer, path: ./b}
- {name: c, kind: ftp, path: ./c}
headnodes:
- {name: here, host: pipeline@hpc, work_dir: ~/data}
- {name: there, host: local, work_dir: w, queue: slurm}
- {name: x, host: -oProxyCommand, work_dir: /w}
- {name: y, host: hpc, work_dir: \"/data/it's\"}
- {name: z, host: hpc, work_dir: /data/my work}
",
        "
config.yaml:3:19: intakes[0].kind: `s3` is not in this version
  hint: use kind: directory
config.yaml:4:19: intakes[1].kind: `sequencer` is not in this version
  hint: use kind: directory
config.yaml:5:19: intakes[2].kind: found `ftp`, expected directory
config.yaml:7:46: headnodes[0].work_dir: found `~/data`, expected an absolute path on the headnode
  hint: as `pwd` prints it there
config.yaml:8:50: headnodes[1].queue: `slurm` is not in this version
  hint: use queue: direct or queue: pueue
config.yaml:9:19: headnodes[2].host: found `-oProxyCommand`, expected local, or user@host or an alias of ~/.ssh/config
config.yaml:10:34: headnodes[3].work_dir: found `/data/it's`, which has `'` in it: not every login shell takes that as it is
  hint: choose a path of letters a to z, digits, spaces and any of . _ / + @ % , = : ~ -
",
    );
}

#[test]
fn names_are_plain_and_unique_and_known() {
    check(
        "
intakes:
- {name: a, path: ./a, headnode: heer, group: none, pipeline: defualt}
- {name: a, path: ./b, group: gpu}
- {name: 2024, path: ./c}
- {name: .a, path: ./d}
- {name: a/b, path: ./e}
- {name: -a, path: ./f}
headnodes:
- {name: here, host: local, work_dir: w}
- {name: here, host: local, work_dir: v}
",
        r#"
config.yaml:3:34: intakes[0].headnode: there is no headnode `heer`
  hint: did you mean here?
config.yaml:3:63: intakes[0].pipeline: there is no pipeline `defualt`
  hint: did you mean default?
config.yaml:4:10: intakes[1].name: the name `a` is taken by intakes[0].name (line 3)
  hint: every one needs a name of its own
config.yaml:4:31: intakes[1].group: there is no group `gpu`
  hint: known: default
config.yaml:5:10: intakes[2].name: found the number `2024`, expected a plain name
  hint: write "2024", with the quotes
config.yaml:6:10: intakes[3].name: found `.a`, expected a plain name
  hint: at most 64 letters, digits, dots, dashes and underscores, not beginning with a dot or a dash
config.yaml:7:10: intakes[4].name: found `a/b`, expected a plain name
  hint: at most 64 letters, digits, dots, dashes and underscores, not beginning with a dot or a dash
config.yaml:8:10: intakes[5].name: found `-a`, expected a plain name
  hint: at most 64 letters, digits, dots, dashes and underscores, not beginning with a dot or a dash
config.yaml:11:10: headnodes[1].name: the name `here` is taken by headnodes[0].name (line 10)
  hint: every one needs a name of its own
"#,
    );
    check_added(
        "pipelines: {dose: {}}",
        "
config.yaml:1:11: intakes[0].pipeline: there is no pipeline `default`
  hint: known: dose
",
    );
    check_added(
        "pipelines: {}",
        "
config.yaml:1:11: intakes[0].pipeline: there is no pipeline `default`
  hint: add it under pipelines
",
    );
    check_added(
        "pipelines: {a b: {}, default: {}}",
        "
config.yaml:3:13: pipelines.a b: found `a b`, expected a plain name
  hint: at most 64 letters, digits, dots, dashes and underscores, not beginning with a dot or a dash
",
    );
    check_added(
        "timezone: Mars/Olympus",
        "
config.yaml:3:11: timezone: found `Mars/Olympus`, which is no time zone known here
  hint: system, UTC, or a name as in /usr/share/zoneinfo, such as Europe/Berlin
",
    );
    check_added(
        "rules: [{files: x, pipeline: y, group: z, priority: high}]",
        "
config.yaml:3:30: rules[0].pipeline: there is no pipeline `y`
  hint: known: default
config.yaml:3:40: rules[0].group: there is no group `z`
  hint: known: default
config.yaml:3:53: rules[0].priority: found `high`, expected one of urgent, normal, low
",
    );
    check_added(
        "pipelines: {default: {env: {1A: a, A-B: b, DAYLILY_CASE: c, DAYLILY_PARAM_X: d}}}",
        "
config.yaml:3:29: pipelines.default.env.1A: found `1A`, expected the name of an environment variable
  hint: letters, digits and underscores, not beginning with a digit
config.yaml:3:36: pipelines.default.env.A-B: found `A-B`, expected the name of an environment variable
  hint: letters, digits and underscores, not beginning with a digit
config.yaml:3:44: pipelines.default.env.DAYLILY_CASE: `DAYLILY_CASE` is set for each job by the program
  hint: choose another name
config.yaml:3:61: pipelines.default.env.DAYLILY_PARAM_X: `DAYLILY_PARAM_X` is set for each job by the program
  hint: choose another name
",
    );
}

#[test]
fn a_group_has_gpus_or_slots() {
    check(
        r#"
intakes: [{name: in, path: ./in}]
headnodes:
- {name: a, host: local, work_dir: w, groups: []}
- name: b
  host: local
  work_dir: v
  groups:
  - {name: g}
  - {name: g, gpus: [0], slots: 1}
  - {name: h, gpus: []}
  - {name: i, slots: 0}
  - {name: j, gpus: [1, "0", 1]}
  - {name: k, gpus: ["0,1"]}
"#,
        "
config.yaml:4:47: headnodes[0].groups: empty, so nothing could ever run here
  hint: leave `groups` out for one group with 2 slots
config.yaml:9:5: headnodes[1].groups[0]: found neither, expected exactly one of gpus and slots
  hint: gpus: [0, 1] makes a slot for each GPU, slots: 2 makes slots without
config.yaml:10:5: headnodes[1].groups[1]: found both, expected exactly one of gpus and slots
  hint: gpus: [0, 1] makes a slot for each GPU, slots: 2 makes slots without
config.yaml:10:12: headnodes[1].groups[1].name: the name `g` is taken by headnodes[1].groups[0].name (line 9)
  hint: every one needs a name of its own
config.yaml:11:21: headnodes[1].groups[2].gpus: empty, expected at least one GPU
config.yaml:12:22: headnodes[1].groups[3].slots: found the number `0`, expected a whole number from 1 to 10000
config.yaml:13:25: headnodes[1].groups[4].gpus[1]: the GPU `0` is listed twice, first as headnodes[1].groups[1].gpus[0] (line 10)
config.yaml:13:30: headnodes[1].groups[4].gpus[2]: the GPU `1` is listed twice, first as headnodes[1].groups[4].gpus[0] (line 13)
config.yaml:14:22: headnodes[1].groups[5].gpus[0]: found `0,1`, expected the number or the UUID of a GPU
",
    );
}

#[test]
fn patterns_and_relative_paths_stay_inside() {
    check_added(
        r#"results: {fetch: [/etc/passwd, ../x, "a/../b", "[", "{a", ~/x], marker: a/b}"#,
        r#"
config.yaml:3:19: results.fetch[0]: found `/etc/passwd`, expected a relative path without ..
config.yaml:3:32: results.fetch[1]: found `../x`, expected a relative path without ..
config.yaml:3:38: results.fetch[2]: found `a/../b`, expected a relative path without ..
config.yaml:3:48: results.fetch[3]: found the pattern `[`: unclosed character class; missing ']'
  hint: a literal bracket or brace is written \[ or \{
config.yaml:3:53: results.fetch[4]: found the pattern `{a`: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
  hint: a literal bracket or brace is written \[ or \{
config.yaml:3:59: results.fetch[5]: found `~/x`, expected a relative path without ..
config.yaml:3:73: results.marker: found `a/b`, expected a file name without a folder
"#,
    );
    check(
        r#"
intakes: [{name: in, path: ./in, mount_check: /x, settle: {marker: .., unfinished: ["["]}}]
headnodes: [{name: here, host: local, work_dir: w, path: [bin, "/a:/b"]}]
"#,
        r#"
config.yaml:2:47: intakes[0].mount_check: found `/x`, expected a relative path without ..
config.yaml:2:68: intakes[0].settle.marker: found `..`, expected a file name without a folder
config.yaml:2:85: intakes[0].settle.unfinished[0]: found the pattern `[`: unclosed character class; missing ']'
  hint: a literal bracket or brace is written \[ or \{
config.yaml:3:59: headnodes[0].path[0]: found `bin`, expected an absolute path, or one beginning with ~/, without a colon
config.yaml:3:64: headnodes[0].path[1]: found `/a:/b`, expected an absolute path, or one beginning with ~/, without a colon
"#,
    );
    check_added(
        "pipelines: {default: {shell: []}}",
        "
config.yaml:3:30: pipelines.default.shell: empty, expected at least the shell, as in [sh, -c]
",
    );
}

#[test]
fn a_marker_and_its_timeout_belong_together() {
    check(
        "
intakes:
- {name: a, path: ./a, settle: {marker_timeout: 6h}}
- {name: b, path: ./b, settle: {marker: x, marker_missing: reject}}
headnodes: [{name: here, host: local, work_dir: w}]
",
        "
config.yaml:3:49: intakes[0].settle.marker_timeout: set without a marker to wait for
  hint: set marker, such as daylily.ready
config.yaml:4:60: intakes[1].settle.marker_missing: found `reject`, which would never happen
  hint: set marker_timeout, such as 6h
",
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    check_added(
        "http: {token: hunter2}",
        "
config.yaml:3:15: http.token: expected {env: NAME} or {file: PATH}
  hint: a secret never stands in the configuration itself
",
    );
    check_added(
        "http: {token: {env: A-B}}",
        "
config.yaml:3:15: http.token: found `A-B`, expected the name of an environment variable
  hint: letters, digits and underscores, not beginning with a digit
",
    );
    check_added(
        "http: {token: {vault: hunter2}}",
        "
config.yaml:3:15: http.token: expected {env: NAME} or {file: PATH}
  hint: a secret never stands in the configuration itself
",
    );
    check_added(
        "http: {listen: 8787}",
        "
config.yaml:3:16: http.listen: found the number `8787`, expected an address such as 127.0.0.1:8787
",
    );
    check_added(
        "http: {listen: everywhere}",
        "
config.yaml:3:16: http.listen: found `everywhere`, expected an address such as 127.0.0.1:8787
",
    );
}

#[test]
fn all_mistakes_are_told_in_the_order_of_the_file() {
    check(
        "
log: {level: loud}
intakes:
  - name: new cases
    path: ./in
    quiet: 5s
    settle: {quiet: 10}
headnodes:
  - {name: here, host: local}
retry: {first: 1}
",
        "
config.yaml:2:14: log.level: found `loud`, expected one of error, warn, info, debug, trace
config.yaml:4:11: intakes[0].name: found `new cases`, expected a plain name
  hint: at most 64 letters, digits, dots, dashes and underscores, not beginning with a dot or a dash
config.yaml:6:5: intakes[0].quiet: unknown key
  hint: there is intakes[].settle.quiet
config.yaml:7:21: intakes[0].settle.quiet: found the number `10`, expected auto or a duration such as 500ms, 90s, 10m, 24h or 7d
  hint: add the unit, such as 10s
config.yaml:9:5: headnodes[0].work_dir: missing, expected a path
config.yaml:10:16: retry.first: found the number `1`, expected a duration such as 500ms, 90s, 10m, 24h or 7d
  hint: add the unit, such as 1s
",
    );
}

#[test]
fn what_the_daemon_owns_does_not_lie_in_one_another() {
    check_added(
        "results: {to: ./work/results}\nstate_dir: ./work",
        "
config.yaml:2:49: headnodes[0].work_dir: /lab/work is the same folder as state_dir (line 4): cases would run beside the database
  hint: choose another folder
config.yaml:3:15: results.to: /lab/work/results is inside state_dir (line 4): results need a folder of their own
  hint: choose another folder
",
    );
    check_added(
        "results: {to: ./out}\nstate_dir: ./out/state",
        "
config.yaml:3:15: results.to: /lab/out is around state_dir (line 4): results need a folder of their own
  hint: choose another folder
",
    );
    check(
        "
intakes: [{name: in, path: ./in, on_success: {move_to: ./work/new}, on_failure: {move_to: ./state}}]
headnodes: [{name: here, host: local, work_dir: ./work}]
",
        "
config.yaml:2:56: intakes[0].on_success.move_to: /lab/work/new is inside headnodes[0].work_dir (line 3): moved cases need a folder of their own
  hint: choose another folder
config.yaml:2:91: intakes[0].on_failure.move_to: /lab/state is the same folder as state_dir (line 2): moved cases need a folder of their own
  hint: choose another folder
",
    );
}

#[test]
fn the_home_of_another_user_is_not_taken_for_a_folder_of_that_name() {
    check_added(
        "results: {to: ~anna/results}",
        "
config.yaml:3:15: results.to: found `~anna`, and only ~/ of the user that runs daylily-watch is known
  hint: write the path out, or ./~anna/results for a folder of this name
",
    );
}

#[test]
fn a_configuration_that_is_no_file_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    for place in [pipe.as_path(), dir.path(), Path::new("/dev/null")] {
        let told = load(place).expect_err("it is no file").to_string();
        assert!(told.contains("it is no regular file"), "{told}");
    }
}

#[test]
fn a_manifest_is_neither_the_marker_nor_ignored() {
    let with = |settle: &str| {
        format!(
            "intakes: [{{name: in, path: ./in, settle: {settle}}}]\n\
             headnodes: [{{name: here, host: local, work_dir: ./work}}]\n"
        )
    };
    check(
        &with("{marker: SHA256SUMS, manifest: SHA256SUMS}"),
        "
config.yaml:1:73: intakes[0].settle.manifest: found `SHA256SUMS`, which is the marker
  hint: a marker is never part of a case's data: use one file for each
",
    );
    check(
        &with("{ignore: [\"*.txt\"], manifest: sums.txt}"),
        "
config.yaml:1:72: intakes[0].settle.manifest: found `sums.txt`, which `*.txt` ignores
  hint: take the pattern out of `ignore`
",
    );
    check(&with("{marker: SHA256SUMS, manifest: auto}"), "nothing is wrong");
}

#[test]
fn an_intake_without_a_pipeline_needs_the_default_one() {
    check_added(
        "pipelines: {dose: {}}\nrules: [{files: \"*\", pipeline: dose}]\n",
        "
config.yaml:1:11: intakes[0].pipeline: there is no pipeline `default`
  hint: known: dose
",
    );
}
