//! Owns the table of mistakes: what stands in the file, and what is told about it.

use std::path::Path;

use crate::config::tests::{LEAST, read_at};

fn check(text: &str, expected: &str) {
    let told = match read_at(Path::new("/lab"), text) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(errors) => errors.to_string(),
    };
    assert_eq!(told.trim(), expected.trim(), "about:\n{text}");
}

/// As `check`, for what is added to a configuration without mistakes.
fn check_added(text: &str, expected: &str) {
    check(&format!("{LEAST}{text}"), expected);
}

#[test]
fn a_file_that_is_no_configuration_is_told_as_such() {
    check(
        "",
        "
config.yaml:1:1: the file says nothing, expected at least an intake and a headnode
  hint: `daylily-watch init` writes one to begin with
",
    );
    check(
        "# only a remark",
        "
config.yaml:1:1: the file says nothing, expected at least an intake and a headnode
  hint: `daylily-watch init` writes one to begin with
",
    );
    check(
        "null",
        "
config.yaml:1:1: the file says nothing, expected at least an intake and a headnode
  hint: `daylily-watch init` writes one to begin with
",
    );
    check(
        "- a",
        "
config.yaml:1:1: found a list, expected a map with the keys state_dir, timezone, intakes, headnodes, pipelines, rules, results, retry, poll, lost_after, aging, retention, notify, privacy, http, log
",
    );
    check(
        "just text",
        "
config.yaml:1:1: found `just text`, expected a map with the keys state_dir, timezone, intakes, headnodes, pipelines, rules, results, retry, poll, lost_after, aging, retention, notify, privacy, http, log
",
    );
    check(
        "intakes: [",
        "
config.yaml:1:10: not YAML: unclosed bracket '['
",
    );
    check(
        "a: b: c",
        "
config.yaml:1:5: not YAML: mapping values are not allowed in this context
",
    );
    check(
        "log:\n\tlevel: info\n",
        "
config.yaml:2:2: not YAML: tabs disallowed within this context (block indentation)
",
    );
    check(
        r#"log: "open"#,
        "
config.yaml:1:6: not YAML: unclosed quote
",
    );
    check(
        "
a: &a [x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c]
e: [*d, *d, *d, *d, *d, *d, *d, *d]
",
        "
config.yaml:6:17: the file is too large for a configuration
",
    );
    check(
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "
config.yaml:1:34: more than 32 levels deep
",
    );
    check(
        "log: *nothing",
        "
config.yaml:1:6: not YAML: while parsing node, found unknown anchor
",
    );
    check(
        "
log: {}
---
log: {}
",
        "
config.yaml:3:1: found a second document, expected one
  hint: put everything into one document, without a `---` in between
",
    );
    check(
        "log: !new {}",
        "
config.yaml:1:11: found the tag `!new`, and tags mean nothing here
  hint: leave it out; quotes around a value make it text
",
    );
    check(
        "
? [a]
: b
",
        "
config.yaml:2:3: found a key that is not text
",
    );
    check(
        "log: &a {file: *a}",
        "
config.yaml:1:16: an alias stands inside what it stands for
",
    );
    check(
        "<<: text",
        "
config.yaml:1:5: found something else than a map after `<<:`
",
    );
}

#[test]
fn missing_and_empty_parts_are_told() {
    check(
        "log: {}",
        "
config.yaml:1:1: intakes: missing, expected a list of maps
config.yaml:1:1: headnodes: missing, expected a list of maps
",
    );
    check(
        "
intakes: []
headnodes: []
",
        "
config.yaml:2:10: intakes: empty, expected at least one intake
config.yaml:3:12: headnodes: empty, expected at least one headnode
",
    );
    check(
        "
intakes: [{}]
headnodes: [{}]
",
        "
config.yaml:2:11: intakes[0].name: missing, expected a plain name
config.yaml:2:11: intakes[0].path: missing, expected a path
config.yaml:3:13: headnodes[0].name: missing, expected a plain name
config.yaml:3:13: headnodes[0].host: missing, expected local, or a host for ssh
config.yaml:3:13: headnodes[0].work_dir: missing, expected a path
",
    );
    check(
        "
intakes: {}
headnodes: x
",
        "
config.yaml:2:10: intakes: found a map, expected a list
config.yaml:3:12: headnodes: found `x`, expected a list
",
    );
    check_added(
        "notify: [null]",
        "
config.yaml:3:10: notify[0]: found nothing, expected a map with the keys kind, to, server, user, password
",
    );
    check_added(
        "rules: [{}]",
        "
config.yaml:3:9: rules[0].files: missing, expected a relative pattern such as results/*.vcf
",
    );
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_known_one() {
    check_added(
        "pol: {min: 1s}",
        "
config.yaml:3:1: pol: unknown key
  hint: did you mean poll?
",
    );
    check_added(
        "poll: {mni: 1s}",
        "
config.yaml:3:8: poll.mni: unknown key
  hint: did you mean min?
",
    );
    check_added(
        "quiet: 5s",
        "
config.yaml:3:1: quiet: unknown key
  hint: there is intakes[].settle.quiet
",
    );
    check_added(
        "on_limit: tell",
        "
config.yaml:3:1: on_limit: unknown key
  hint: there is pipelines.<name>.limits.on_limit
",
    );
    check_added(
        "colour: red",
        "
config.yaml:3:1: colour: unknown key
  hint: known here: state_dir, timezone, intakes, headnodes, pipelines, rules, results, retry, poll, lost_after, aging, retention, notify, privacy, http, log
",
    );
    check_added(
        "log: {x: 1, y: 2}",
        "
config.yaml:3:7: log.x: unknown key
  hint: known here: level, format, file
config.yaml:3:13: log.y: unknown key
  hint: known here: level, format, file
",
    );
    check_added(
        r#""a\nb": 1"#,
        r#"
config.yaml:3:1: a\nb: unknown key
  hint: known here: state_dir, timezone, intakes, headnodes, pipelines, rules, results, retry, poll, lost_after, aging, retention, notify, privacy, http, log
"#,
    );
}

#[test]
fn a_key_set_twice_is_told_with_both_places() {
    check_added(
        "
lost_after: 1m
log: {level: info}
lost_after: 2m
",
        "
config.yaml:6:1: lost_after: set twice, first at line 4, column 1
  hint: keep one of the two
",
    );
    check_added(
        "log: {level: info, level: warn}",
        "
config.yaml:3:20: log.level: set twice, first at line 3, column 7
  hint: keep one of the two
",
    );
    check_added(
        "pipelines: {default: {}, default: {}}",
        "
config.yaml:3:26: pipelines.default: set twice, first at line 3, column 13
  hint: keep one of the two
",
    );
    check_added(
        "pipelines: {default: {env: {A: a, A: b}}}",
        "
config.yaml:3:35: pipelines.default.env.A: set twice, first at line 3, column 29
  hint: keep one of the two
",
    );
}

#[test]
fn a_number_or_a_truth_value_is_no_text() {
    check_added(
        "results: {dir_mode: 2770}",
        r#"
config.yaml:3:21: results.dir_mode: found the number `2770`, expected an octal mode as text, such as "0660"
  hint: write "2770", with the quotes
"#,
    );
    check_added(
        "results: {file_mode: 0660}",
        r#"
config.yaml:3:22: results.file_mode: found the number `0660`, expected an octal mode as text, such as "0660"
  hint: write "0660", with the quotes
"#,
    );
    check_added(
        "results: {group: 1000}",
        r#"
config.yaml:3:18: results.group: found the number `1000`, expected text
  hint: write "1000", with the quotes
"#,
    );
    check_added(
        "pipelines: {default: {command: true, env: {N: 4, X: 1e3, Y: 0x1f, OK: 1.2.3}}}",
        r#"
config.yaml:3:32: pipelines.default.command: found the truth value `true`, expected a shell command
  hint: write "true", with the quotes
config.yaml:3:47: pipelines.default.env.N: found the number `4`, expected text
  hint: write "4", with the quotes
config.yaml:3:53: pipelines.default.env.X: found the number `1e3`, expected text
  hint: write "1e3", with the quotes
config.yaml:3:61: pipelines.default.env.Y: found the number `0x1f`, expected text
  hint: write "0x1f", with the quotes
"#,
    );
    check_added(
        "log: {file: 12}",
        r#"
config.yaml:3:13: log.file: found the number `12`, expected a path
  hint: write "12", with the quotes
"#,
    );
    check_added(
        "results: {marker: .inf}",
        r#"
config.yaml:3:19: results.marker: found the number `.inf`, expected a file name
  hint: write ".inf", with the quotes
"#,
    );
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_what_is_expected() {
    check_added(
        "log: text",
        "
config.yaml:3:6: log: found `text`, expected a map with the keys level, format, file
",
    );
    check_added(
        "log: [a]",
        "
config.yaml:3:6: log: found a list, expected a map with the keys level, format, file
",
    );
    check_added(
        "lost_after: {a: b}",
        "
config.yaml:3:13: lost_after: found a map, expected a duration such as 500ms, 90s, 10m, 24h or 7d
",
    );
    check_added(
        "results: {fetch: out}",
        "
config.yaml:3:18: results.fetch: found `out`, expected a list
",
    );
    check_added(
        "results: {fetch: [null, [a], 7]}",
        r#"
config.yaml:3:19: results.fetch[0]: found nothing, expected a relative pattern such as results/*.vcf
config.yaml:3:25: results.fetch[1]: found a list, expected a relative pattern such as results/*.vcf
config.yaml:3:30: results.fetch[2]: found the number `7`, expected a relative pattern such as results/*.vcf
  hint: write "7", with the quotes
"#,
    );
    check_added(
        "pipelines: [a]",
        "
config.yaml:3:12: pipelines: found a list, expected a map from names to sections
",
    );
    check_added(
        "pipelines: {default: {env: [A]}}",
        "
config.yaml:3:28: pipelines.default.env: found a list, expected a map from names of environment variables to text
",
    );
    check_added(
        "log: {level: loud}",
        "
config.yaml:3:14: log.level: found `loud`, expected one of error, warn, info, debug, trace
",
    );
    check_added(
        "log: {level: inof}",
        "
config.yaml:3:14: log.level: found `inof`, expected one of error, warn, info, debug, trace
  hint: did you mean info?
",
    );
    check_added(
        r#"log: {file: "a\u0007b"}"#,
        r#"
config.yaml:3:13: log.file: found the control character \u{7} in `a\u{7}b`
"#,
    );
    check_added(
        r#"results: {to: ""}"#,
        "
config.yaml:3:15: results.to: found blank text, expected something or null
",
    );
    check_added(
        "pipelines: {default: {env: {A: null, B: ~, C: }}}",
        "
config.yaml:3:32: pipelines.default.env.A: found nothing, expected text
config.yaml:3:41: pipelines.default.env.B: found nothing, expected text
config.yaml:3:45: pipelines.default.env.C: found nothing, expected text
",
    );
}

#[test]
fn durations_rates_and_modes_need_their_form() {
    check_added(
        "lost_after: 120",
        "
config.yaml:3:13: lost_after: found the number `120`, expected a duration such as 500ms, 90s, 10m, 24h or 7d
  hint: add the unit, such as 120s
",
    );
    check_added(
        "lost_after: 2 m",
        "
config.yaml:3:13: lost_after: found `2 m`, expected a duration such as 500ms, 90s, 10m, 24h or 7d
",
    );
    check_added(
        "lost_after: 0s",
        "
config.yaml:3:13: lost_after: found `0s`, expected a duration such as 500ms, 90s, 10m, 24h or 7d
  hint: at least 1ms
",
    );
    check_added(
        "lost_after: 99999d",
        "
config.yaml:3:13: lost_after: found `99999d`, expected a duration such as 500ms, 90s, 10m, 24h or 7d
  hint: at most 3650d
",
    );
    check_added(
        "lost_after: 1.5h",
        "
config.yaml:3:13: lost_after: found `1.5h`, expected a duration such as 500ms, 90s, 10m, 24h or 7d
",
    );
    check_added(
        "lost_after: -5s",
        "
config.yaml:3:13: lost_after: found `-5s`, expected a duration such as 500ms, 90s, 10m, 24h or 7d
",
    );
    check_added(
        "poll: {min: 1ms}",
        "
config.yaml:3:13: poll.min: found `1ms`, expected a duration such as 500ms, 90s, 10m, 24h or 7d of at least 10ms
",
    );
    check_added(
        r#"results: {dir_mode: "rwx", file_mode: "888"}"#,
        r#"
config.yaml:3:21: results.dir_mode: found `rwx`, expected an octal mode as text, such as "0660"
config.yaml:3:39: results.file_mode: found `888`, expected an octal mode as text, such as "0660"
"#,
    );
    check_added(
        r#"results: {dir_mode: "0070", file_mode: "0400"}"#,
        "
config.yaml:3:21: results.dir_mode: found `0070`, expected a mode by which the owner can read, write and enter
config.yaml:3:40: results.file_mode: found `0400`, expected a mode by which the owner can read and write
",
    );
    check_added(
        "
poll: {min: 1m, max: 2s}
retry: {first: 1h, most: 10m}
",
        "
config.yaml:4:13: poll.min: found 1m, which is more than max (2s)
config.yaml:5:16: retry.first: found 1h, which is more than most (10m)
",
    );
    check(
        r#"
intakes: [{name: in, path: ./in, settle: {quiet: soon, no_writers: yes}}]
headnodes:
- {name: here, host: local, work_dir: w, umask: 0027, bandwidth: 50, transfer_hours: always, ship_ahead: -1, max_transfers: many}
- {name: there, host: local, work_dir: v, umask: "0700", bandwidth: 5MB/s, transfer_hours: 20:00-24:00, ship: scp}
"#,
        r#"
config.yaml:2:50: intakes[0].settle.quiet: found `soon`, expected auto or a duration such as 500ms, 90s, 10m, 24h or 7d
config.yaml:2:68: intakes[0].settle.no_writers: found `yes`, expected true or false
  hint: write true or false, without quotes
config.yaml:4:49: headnodes[0].umask: found the number `0027`, expected an octal mode as text, such as "0660"
  hint: write "0027", with the quotes
config.yaml:4:66: headnodes[0].bandwidth: found the number `50`, expected a rate such as 800KiB/s, 50MiB/s or 1GiB/s
  hint: add the unit, such as 50MiB/s
config.yaml:4:86: headnodes[0].transfer_hours: found `always`, expected two times of a day such as 20:00-06:00
config.yaml:4:106: headnodes[0].ship_ahead: found the number `-1`, expected a whole number from 0 to 1000
config.yaml:4:125: headnodes[0].max_transfers: found `many`, expected a whole number from 1 to 64
config.yaml:5:50: headnodes[1].umask: found `0700`, expected a umask that takes nothing from the owner, such as 0027
config.yaml:5:69: headnodes[1].bandwidth: found `5MB/s`, expected a rate such as 800KiB/s, 50MiB/s or 1GiB/s
config.yaml:5:92: headnodes[1].transfer_hours: found `20:00-24:00`, expected two times of a day such as 20:00-06:00
config.yaml:5:111: headnodes[1].ship: found `scp`, expected rsync or a map with shared
"#,
    );
}

#[test]
fn what_is_not_in_this_version_is_refused_with_what_to_use() {
    check(
        "
intakes:
- {name: a, kind: s3, path: ./a}
- {name: b, kind: sequencer, path: ./b}
- {name: c, kind: ftp, path: ./c}
headnodes:
- {name: here, host: pipeline@hpc, work_dir: /data, queue: pueue}
- {name: there, host: local, work_dir: w, queue: slurm}
- {name: x, host: -oProxyCommand, work_dir: w}
",
        "
config.yaml:3:19: intakes[0].kind: `s3` is not in this version
  hint: use kind: directory
config.yaml:4:19: intakes[1].kind: `sequencer` is not in this version
  hint: use kind: directory
config.yaml:5:19: intakes[2].kind: found `ftp`, expected one of directory, s3, sequencer
config.yaml:7:22: headnodes[0].host: `pipeline@hpc` is reached by ssh, which is not in this version
  hint: use host: local
config.yaml:7:60: headnodes[0].queue: `pueue` is not in this version
  hint: use queue: direct
config.yaml:8:50: headnodes[1].queue: `slurm` is not in this version
  hint: use queue: direct
config.yaml:9:19: headnodes[2].host: found `-oProxyCommand`, expected local, or user@host or an alias of ~/.ssh/config
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
