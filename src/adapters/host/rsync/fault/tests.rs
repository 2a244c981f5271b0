//! Every row, with what rsync 3.2 to 3.5 and ssh really said.

use daylily_lifecycle::outcome::FaultClass;

use super::fault;

#[track_caller]
fn check(code: i32, stderr: &str, class: FaultClass, text: &str) {
    let fault = fault(Some(code), stderr);
    assert_eq!((fault.class, fault.text.as_str()), (class, text), "{code}: {stderr}");
}

#[track_caller]
fn begins(code: i32, stderr: &str, class: FaultClass, text: &str) {
    let fault = fault(Some(code), stderr);
    assert_eq!(fault.class, class, "{fault}");
    assert!(fault.text.starts_with(text), "{fault}");
}

const CLOSED: &str = "rsync: connection unexpectedly closed (0 bytes received so far) [sender]\n\
    rsync error: unexplained error (code 75) at io.c(285) [sender=3.5.0]\n";

#[test]
fn a_lock_that_is_held_is_waited_for() {
    let said = format!("daylily-watch: the lock is held\n{CLOSED}");
    check(75, &said, FaultClass::TransientStep, "an earlier transfer is still ending");
}

#[test]
fn an_owner_that_changed_under_way_is_looked_at_again() {
    let said = format!("daylily-watch: not the owner\n{CLOSED}");
    check(90, &said, FaultClass::TransientStep, "the owner of the work_dir has changed");
}

#[test]
fn a_directory_that_went_away_is_tried_again() {
    let said = format!(
        "/bin/sh: 1: cd: can't cd to /data/new/HG002\n\
         daylily-watch: the directory cannot be entered\n{CLOSED}"
    );
    check(94, &said, FaultClass::TransientStep, "the directory cannot be entered");
}

#[test]
fn no_rsync_on_the_headnode_is_told_with_the_line_to_paste() {
    for (code, said) in [
        (127, "daylily-watch: there is no rsync\n"),
        (127, "bash: line 1: rsync: command not found\n"),
        (12, "bash: rsync: command not found\n"),
        (12, "sh: 1: rsync: not found\n"),
        (127, "/bin/sh: 1: exec: rsync: not found\n"),
        (127, "fish: Unknown command: rsync\n"),
        (127, "env: rsync: No such file or directory\n"),
    ] {
        let said = format!("{said}{CLOSED}");
        begins(code, &said, FaultClass::FatalHost, "rsync is not found on the headnode\nhint: ");
        assert!(fault(Some(code), &said).text.contains("sudo apt-get install rsync"));
    }
}

#[test]
fn no_flock_on_the_headnode_is_told() {
    let said = format!("/bin/sh: 1: flock: not found\n{CLOSED}");
    begins(12, &said, FaultClass::FatalHost, "flock is not found on the headnode\nhint: ");
}

#[test]
fn a_full_disk_there_waits_for_room() {
    for errno in ["No space left on device (28)", "Disk quota exceeded (122)"] {
        let said = format!(
            "rsync: [receiver] write failed on \"/data/new/HG002/a\": {errno}\n\
             rsync error: error in file IO (code 11) at receiver.c(657) [receiver=3.5.0]\n\
             rsync: [sender] write error: Broken pipe (32)\n"
        );
        let told = format!(
            "no room left to write: [receiver] write failed on \"/data/new/HG002/a\": {errno}"
        );
        check(11, &said, FaultClass::NoSpace, &told);
    }
}

#[test]
fn an_end_of_ssh_that_its_own_table_does_not_know_is_the_hosts_trouble() {
    let told = "the connection to the headnode failed: odd";
    check(255, &format!("odd\n{CLOSED}"), FaultClass::TransientHost, told);
    check(255, "", FaultClass::TransientHost, "the connection to the headnode failed");
}

#[test]
fn what_ssh_says_is_told_from_what_rsync_says() {
    let said = "ssh: connect to host hpc port 22: Connection refused\n\
                rsync: [sender] write error: Broken pipe (32)\n\
                rsync error: error in socket IO (code 10) at io.c(849) [sender=3.5.0]\n";
    assert_eq!(
        super::of_remote_shell(said),
        "ssh: connect to host hpc port 22: Connection refused"
    );
}

#[test]
fn an_rsync_that_does_not_know_our_options_is_too_old() {
    let said = "rsync: --outbuf=L: unknown option\n\
                rsync error: syntax or usage error (code 1) at main.c(1886) [client=3.0.6]\n";
    begins(1, said, FaultClass::FatalHost, "rsync there or here is too old: --outbuf=L");
    let said = "rsync: on remote machine: -se.LsfxCIvu: unknown option\n\
                rsync error: requested action not supported (code 4) at clientserver.c\n";
    begins(4, said, FaultClass::FatalHost, "rsync there or here is too old: on remote machine");
    let said = "This rsync lacks old-style --partial-dir.\nrsync error: syntax error (code 1)\n";
    begins(1, said, FaultClass::FatalHost, "rsync does not take its options: This rsync lacks");
}

#[test]
fn a_login_shell_that_prints_is_told_with_the_remedy() {
    let said = "protocol version mismatch -- is your shell clean?\n\
                (see the rsync manpage for an explanation)\n\
                rsync error: protocol incompatibility (code 2) at compat.c(625) [sender=3.5.0]\n";
    begins(2, said, FaultClass::FatalHost, "the login shell on the headnode prints something");
    let told = super::with_noise(&fault(Some(2), said), "Welcome");
    assert!(told.text.contains("the command it is given: \"Welcome\"\nhint: "), "{told}");
}

#[test]
fn our_own_end_is_tried_again() {
    let said = "rsync error: received SIGINT, SIGTERM, or SIGHUP (code 20) at rsync.c(703)\n";
    check(20, said, FaultClass::TransientStep, "rsync was ended by a signal");
    assert_eq!(fault(None, "").class, FaultClass::TransientStep);
}

#[test]
fn files_that_vanished_take_the_case_back() {
    let said = "file has vanished: \"/intake/HG002/b\"\n\
                rsync warning: some files vanished before they could be transferred (code 24)\n";
    let told = "files vanished while they were copied: file has vanished: \"/intake/HG002/b\"";
    check(24, said, FaultClass::TransientStep, told);
}

#[test]
fn a_line_that_falls_silent_is_tried_again() {
    let said = "[sender] io timeout after 60 seconds -- exiting\n\
                rsync error: timeout in data send/receive (code 30) at io.c(204) [sender=3.5.0]\n";
    begins(30, said, FaultClass::TransientStep, "nothing came from the other side: [sender] io");
    begins(35, "", FaultClass::TransientStep, "nothing came from the other side");
}

#[test]
fn a_source_that_may_not_be_read_is_the_cases_with_the_file() {
    for who in ["[sender] ", ""] {
        let said = format!(
            "rsync: {who}send_files failed to open \"/intake/HG002/a\": Permission denied (13)\n\
             rsync error: some files/attrs were not transferred (code 23)\n"
        );
        let told = "send_files failed to open \"/intake/HG002/a\": Permission denied (13)";
        check(23, &said, FaultClass::FatalCase, told);
    }
}

#[test]
fn a_source_that_is_gone_or_fails_is_tried_again() {
    for (code, said) in [
        (
            23,
            "rsync: [sender] link_stat \"/intake/HG002/b\" failed: No such file or directory (2)\n",
        ),
        (23, "rsync: [sender] read errors mapping \"/intake/HG002/b\": No data available (61)\n"),
        (23, "rsync: [sender] read errors mapping \"/intake/HG002/b\": Input/output error (5)\n"),
        (
            3,
            "rsync: [sender] change_dir \"/intake/HG002/\" failed: No such file or directory (2)\n",
        ),
    ] {
        begins(code, said, FaultClass::TransientStep, &said["rsync: [sender] ".len()..20]);
    }
}

#[test]
fn a_destination_that_is_closed_or_read_only_comes_back() {
    for (code, said) in [
        (23, "rsync: [receiver] mkstemp \"/data/new/.a.QCH4yz\" failed: Permission denied (13)\n"),
        (3, "rsync: [Receiver] change_dir#1 \"/data/new\" failed: Permission denied (13)\n"),
        (11, "rsync: [Receiver] mkdir \"/data/new\" failed: No such file or directory (2)\n"),
        (
            23,
            "rsync: [generator] recv_generator: mkdir \"/w/x\" failed: Read-only file system (30)\n",
        ),
        (11, "rsync: [receiver] write failed on \"/w/x\": Input/output error (5)\n"),
    ] {
        let whole =
            format!("{said}rsync error: some (code {code}) at main.c(1394) [sender=3.5.0]\n");
        assert_eq!(fault(Some(code), &whole).class, FaultClass::TransientStep, "{said}");
    }
}

#[test]
fn what_the_destination_cannot_hold_or_has_in_the_way_is_the_cases() {
    for (code, said) in [
        (23, "rsync: [receiver] mkstemp \"/w/x\" failed: File name too long (36)\n"),
        (11, "rsync: [receiver] write failed on \"/w/x\": File too large (27)\n"),
        (3, "rsync: [Receiver] ERROR: cannot stat destination \"/w/\": Not a directory (20)\n"),
        (23, "could not make way for new regular file: a\ncannot delete non-empty directory: a\n"),
    ] {
        assert_eq!(fault(Some(code), said).class, FaultClass::FatalCase, "{said}");
    }
}

#[test]
fn a_file_that_failed_its_own_sum_is_sent_again() {
    let said = "ERROR: a failed verification -- update discarded.\nrsync error: (code 23)\n";
    begins(23, said, FaultClass::TransientStep, "what arrived is not what was sent: ERROR: a");
}

#[test]
fn a_dropped_stream_is_tried_again() {
    let said = "rsync: connection unexpectedly closed (812 bytes received so far) [sender]\n\
                rsync error: error in rsync protocol data stream (code 12) at io.c(285)\n";
    begins(12, said, FaultClass::TransientStep, "the transfer broke off");
    let said = format!("Killed\n{CLOSED}");
    check(137, &said, FaultClass::TransientStep, "the transfer broke off: Killed");
    let said = "rsync: [sender] write error: Broken pipe (32)\n\
                rsync error: error in socket IO (code 10) at io.c(849) [sender=3.5.0]\n";
    begins(10, said, FaultClass::TransientStep, "the transfer broke off");
}

#[test]
fn means_that_run_out_here_are_tried_again() {
    for code in [13, 14, 21, 22] {
        begins(code, "out of memory\n", FaultClass::TransientStep, "rsync has no means to go on");
    }
}

#[test]
fn no_ssh_here_is_told_with_the_line_to_paste() {
    let said = "rsync: [sender] Failed to exec ssh: No such file or directory (2)\n\
                rsync error: error in IPC code (code 14) at pipe.c(85) [sender=3.5.0]\n";
    begins(14, said, FaultClass::FatalHost, "ssh cannot be started here: [sender] Failed to exec");
}

#[test]
fn a_program_that_the_login_shell_cannot_run_is_the_hosts() {
    for code in [126, 127] {
        let said = format!("csh: /bin/sh: Permission denied.\n{CLOSED}");
        begins(code, &said, FaultClass::FatalHost, "a program cannot be run on the headnode: csh");
    }
}

#[test]
fn any_other_end_is_tried_again_with_what_was_said() {
    check(99, "odd\n", FaultClass::TransientStep, "rsync ended with an error: odd");
    check(99, "", FaultClass::TransientStep, "rsync ended with an error");
}

/// Names that read like what a headnode in trouble says.
const MISLEADING: [&str; 10] = [
    "unknown option.pdf",
    "x: unknown option",
    "rsync: not found",
    "bash: rsync: command not found",
    "flock: not found",
    "daylily-watch: there is no rsync",
    "daylily-watch: not the owner",
    "requested action not supported",
    "x: No space left on device (28)",
    "Failed to exec",
];

#[test]
fn a_file_named_like_trouble_of_the_headnode_is_only_a_file() {
    for name in MISLEADING {
        let told = format!("send_files failed to open \"/in/a/{name}\": Permission denied (13)");
        let end = "rsync error: some files/attrs were not transferred (code 23) at main.c(1338)";
        let said = format!("rsync: [sender] {told}\n{end} [sender=3.2.7]\n");
        check(23, &said, FaultClass::FatalCase, &told);

        let vanished = format!("file has vanished: \"/in/a/{name}\"");
        let told = format!("files vanished while they were copied: {vanished}");
        check(24, &format!("{vanished}\n"), FaultClass::TransientStep, &told);

        // Where the name ends its line, and where the whole run broke off after it.
        let said = format!("cannot delete non-empty directory: {name}\n");
        for code in [12, 23] {
            assert_eq!(fault(Some(code), &said).class, FaultClass::FatalCase, "{code}: {said}");
        }
        let said = format!("rsync: [sender] send_files failed to open \"{name}\": Odd\n{CLOSED}");
        assert_eq!(fault(Some(12), &said).class, FaultClass::TransientStep, "{said}");
        assert!(!super::is_of_owner(&said), "{said}");
    }
}

#[test]
fn what_a_shell_says_of_a_missing_program_is_known_by_whatever_name_it_has() {
    for name in ["sh: 1: ", "/a: b/rsync.sh: line 3: ", "/w/.daylily-watch/dw-1/rsync.sh: 1: "] {
        let said = format!("{name}flock: not found\n{CLOSED}");
        begins(12, &said, FaultClass::FatalHost, "flock is not found on the headnode\nhint: ");
    }
}

#[test]
fn a_name_that_rsync_here_refuses_is_the_cases_trouble_and_not_the_headnodes() {
    let said = "ERROR: rejecting unrequested file-list name: results/a\\*b\n\
                rsync error: requested action not supported (code 4) at flist.c(1013) \
                [Receiver=3.2.7]\n";
    let fault = super::fault(Some(4), said);
    assert_eq!(fault.class, FaultClass::FatalCase);
    assert!(fault.text.contains("results/a\\*b") && fault.text.contains("hint: "), "{fault}");
}
