use daylily_lifecycle::outcome::FaultClass;

use super::super::log::Names;
use super::ran_nothing;

fn check(code: Option<i32>, noise: [&str; 2], class: FaultClass, says: &str) {
    let names = Names {
        headnode: "hpc".to_owned(),
        ssh: "ssh".to_owned(),
        host: "headnode".to_owned(),
        us: "daylily".to_owned(),
    };
    let fault = ran_nothing(code, noise, &names);
    assert_eq!(fault.class, class, "{fault}");
    assert!(fault.text.contains(says), "{says} is not in: {fault}");
}

#[test]
fn a_shell_that_refuses_us_in_its_own_words_is_the_hosts_trouble() {
    let refused = "This account is currently not available.";
    check(Some(1), ["", refused], FaultClass::FatalHost, "runs no commands, it says: This account");
    let missing = "timeout is missing on the headnode";
    check(Some(1), [missing, "Welcome"], FaultClass::FatalHost, missing);
    let no_sh = "bash: line 1: exec: /bin/sh: not found";
    check(Some(127), [no_sh, ""], FaultClass::FatalHost, no_sh);
}

#[test]
fn a_headnode_without_room_for_a_process_may_pass_whatever_it_greets_with() {
    let dash = "/bin/sh: 1: Cannot fork";
    let bash = "bash: fork: retry: Resource temporarily unavailable\n\
                bash: fork: Resource temporarily unavailable";
    let memory = "-bash: fork: Cannot allocate memory";
    for (code, words) in [(2, dash), (254, bash), (254, memory)] {
        check(Some(code), [words, ""], FaultClass::TransientHost, words.lines().next().unwrap());
        check(Some(code), ["Welcome to hpc", words], FaultClass::TransientHost, "it has no");
    }
}

#[test]
fn a_shell_that_was_killed_may_pass_whatever_it_greeted_with() {
    for code in [None, Some(128), Some(137), Some(143), Some(255)] {
        check(code, ["", ""], FaultClass::TransientHost, "says nothing");
        check(code, ["", "Welcome to hpc"], FaultClass::TransientHost, "says: Welcome to hpc");
    }
    check(Some(127), ["", "Welcome to hpc"], FaultClass::FatalHost, "says: Welcome to hpc");
}

#[test]
fn a_shell_without_a_word_may_pass() {
    for code in [0, 1, 127] {
        check(Some(code), ["", " \n"], FaultClass::TransientHost, "and says nothing");
    }
}
