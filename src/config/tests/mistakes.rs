//! Owns the table of mistakes in one value: what stands in the file, and what is told
//! about it.

use std::path::Path;

use crate::config::tests::{LEAST, read_at};

pub(super) fn check(text: &str, expected: &str) {
    let told = match read_at(Path::new("/lab"), text) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(errors) => errors.to_string(),
    };
    assert_eq!(told.trim(), expected.trim(), "about:\n{text}");
}

/// As `check`, for what is added to a configuration without mistakes.
pub(super) fn check_added(text: &str, expected: &str) {
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
