use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::{LINE, input};
use crate::adapters::host::shell::Ask;

fn ask<'a>(script: &'static str, args: &[&str], stdin: &'a [u8]) -> Ask<'a> {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    Ask { script, args, stdin, more: None, limit: Duration::from_secs(10), keep: 1 << 20 }
}

/// Says it to a shell, as sshd does.
#[allow(clippy::disallowed_methods, reason = "the test is sshd here")]
fn said_to(shell: &str, ask: &Ask<'_>, path: &[String], env: &[(&str, &str)]) -> Output {
    let env: BTreeMap<String, String> =
        env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (mut input, is_more) = input(ask, path, &env, "TOKEN", false).unwrap();
    if is_more {
        input.extend_from_slice(ask.stdin);
    }
    let mut child = Command::new(shell)
        .args(["-c", LINE])
        .env_clear()
        .envs([("HOME", "/home of/anna"), ("USER", "anna"), ("PATH", "/usr/bin:/bin")])
        .envs([("LEFT_BEHIND", "1")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // Both at a time: what a script prints may be more than a pipe holds.
    let printed = std::thread::spawn(move || {
        let mut printed = Vec::new();
        stdout.read_to_end(&mut printed).map(|_| printed)
    });
    stdin.write_all(&input).unwrap();
    let stdout = printed.join().unwrap().unwrap();
    // Whoever asks holds it open until there is an answer.
    drop(stdin);
    let mut output = child.wait_with_output().unwrap();
    output.stdout = stdout;
    output
}

fn answer(ask: &Ask<'_>, path: &[String], env: &[(&str, &str)]) -> String {
    let mut answers = ["/bin/sh", "/bin/bash"].map(|shell| {
        let output = said_to(shell, ask, path, env);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "TOKEN\n");
        assert!(output.status.success(), "{shell}: {}", output.status);
        String::from_utf8(output.stdout).unwrap()
    });
    assert_eq!(answers[0], answers[1]);
    let answer = std::mem::take(&mut answers[0]);
    answer.strip_prefix("TOKEN \n").unwrap().to_owned()
}

#[test]
fn arguments_arrive_as_they_are() {
    let odd =
        ["it's", "", " a  b ", "$HOME `id` $(id)", "\\n\\", "new\nline\n", "é\u{1}", "-n", "*"];
    let ask = ask("printf '<%s>' \"$@\"", &odd, b"");
    assert_eq!(answer(&ask, &[], &[]), odd.map(|arg| format!("<{arg}>")).concat());
}

#[test]
fn what_a_script_reads_arrives_as_it_is() {
    let large = vec![b'x'; 200_000];
    let bytes: Vec<u8> = (0..=255).collect();
    for stdin in [&b""[..], b"one\ntwo\n\n\n", b"it's $HOME", b"no newline", &large, &bytes] {
        let mut told = answer(&ask("od -v -An -tx1", &[], stdin), &[], &[]);
        told.retain(|c| !c.is_whitespace());
        let expected: String = stdin.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(told == expected, "{} bytes differ", stdin.len());
    }
}

#[test]
fn the_environment_is_clean_and_the_headnodes_own_goes_before_it() {
    let path = ["~/.cargo/bin".to_owned(), "/opt/it's".to_owned()];
    let told = answer(
        &ask("/usr/bin/env | grep -v -e '^PWD=' -e '^SHLVL=' -e '^_=' -e ^XDG | sort", &[], b""),
        &path,
        &[("ODD", "a b\t'$HOME'"), ("USER", "pipeline")],
    );
    let expected = "HOME=/home of/anna\nODD=a b\t'$HOME'\n\
                    PATH=/home of/anna/.cargo/bin:/opt/it's:/usr/bin:/bin\nUSER=pipeline\n";
    assert_eq!(told, expected);
}

#[test]
fn the_exit_code_is_that_of_the_script() {
    for code in ["0", "1", "90", "124", "127", "255"] {
        let output = said_to("/bin/sh", &ask("exit \"$1\"", &[code], b""), &[], &[]);
        assert_eq!(output.status.code().unwrap().to_string(), code);
    }
}

#[test]
fn a_script_that_does_not_end_in_time_is_ended_with_what_it_started() {
    let mut ask = ask("sleep 1000 & sleep 1000", &[], b"");
    ask.limit = Duration::from_millis(100);
    let output = said_to("/bin/sh", &ask, &[], &[]);
    assert_eq!(output.status.code(), Some(124));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test is sshd here")]
fn a_script_is_ended_when_nobody_waits_for_it_any_more() {
    let ask = Ask { limit: Duration::from_secs(20), ..ask("sleep 1000", &[], b"") };
    let (input, _) = input(&ask, &[], &BTreeMap::new(), "TOKEN", false).unwrap();
    for shell in ["/bin/sh", "/bin/bash"] {
        let mut child = Command::new(shell)
            .args(["-c", LINE])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        // By SIGTERM, and not because its time was up.
        assert_eq!(child.wait().unwrap().code(), Some(143), "{shell}");
    }
}

#[test]
fn what_cannot_be_said_is_told() {
    let env = BTreeMap::from([("A B".to_owned(), String::new())]);
    let error = input(&ask(":", &[], b""), &[], &env, "TOKEN", false).unwrap_err();
    assert!(error.to_string().contains("A B"), "{error}");
    let error = input(&ask(":", &["a\0b"], b""), &[], &BTreeMap::new(), "TOKEN", false);
    assert!(error.unwrap_err().to_string().contains("NUL"));
}
