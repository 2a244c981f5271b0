//! `check` where a headnode behind ssh is not reached, or its login shell is in the way.

use super::far::FarSite;
use crate::servers::sshd::{FAILURE, Login, NOISE};

#[test]
fn a_host_key_that_changed_is_told_with_how_the_old_one_is_forgotten() {
    let mut far = FarSite::direct();
    far.sshd.change_host_key();
    let said = far.check().fails_alone("headnode.hpc.ssh");
    assert!(said.contains("the host key of hpc has changed"), "{said}");
    assert!(said.contains("ssh-keygen -f ") && said.contains(" -R "), "{said}");
}

#[test]
fn a_host_key_that_is_not_known_is_told_with_how_to_compare_it() {
    let far = FarSite::direct();
    far.sshd.forget_host_key();
    let said = far.check().fails_alone("headnode.hpc.ssh");
    assert!(said.contains("host key of hpc"), "{said}");
    let line = "ssh -F [ssh_config] -o BatchMode=no -o StrictHostKeyChecking=ask headnode";
    assert!(said.contains(line), "{said}");
}

#[test]
fn a_key_that_is_refused_is_told_with_how_to_try_it() {
    let far = FarSite::direct();
    far.sshd.refuse_our_key();
    let said = far.check().fails_alone("headnode.hpc.ssh");
    assert!(said.contains("hpc refuses our key"), "{said}");
    assert!(said.contains("ssh -F [ssh_config] -o BatchMode=yes headnode"), "{said}");
}

#[test]
fn an_sshd_that_does_not_run_is_told_with_what_to_try() {
    let mut far = FarSite::direct();
    far.sshd.stop();
    let said = far.check().fails_alone("headnode.hpc.ssh");
    assert!(said.contains("hpc cannot be reached: connection refused"), "{said}");
    assert!(said.ends_with("ssh -F [ssh_config] headnode true"), "{said}");
}

#[test]
fn a_configuration_of_ssh_that_is_wrong_is_told() {
    let far = FarSite::direct();
    let file = far.sshd.config_file();
    let text = std::fs::read_to_string(&file).expect("it was made");
    std::fs::write(&file, format!("Prot 22\n{text}")).expect("it can be written");
    let said = far.check().fails_alone("headnode.hpc.ssh");
    assert!(said.contains("ssh does not understand its configuration"), "{said}");
}

#[test]
fn a_login_shell_that_talks_is_told_with_its_words_and_the_line_that_silences_it() {
    let checked = FarSite::with_login(Login::Noisy).check();
    let said = checked.fails_alone("headnode.hpc.login");
    assert!(said.contains(&format!("which breaks copying: {NOISE}")), "{said}");
    assert!(said.contains("~/.bashrc") && said.contains("case $- in *i*) ;; *) return ;; esac"));
}

#[test]
fn a_login_shell_that_talks_harms_nobody_who_copies_nothing() {
    let mut far = FarSite::with_login(Login::Noisy);
    let there = far.sshd.remote_dir();
    far.set("ship", format!("{{shared: {{here: ./new_cases, there: {}}}}}", there.display()));
    let checked = far.check();
    assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
    assert!(checked.said("headnode.hpc.login").starts_with("warn: "));
    assert_eq!(checked.said("headnode.hpc.rsync"), "");
}

#[test]
fn a_login_shell_that_ends_before_the_command_is_told_with_what_it_says() {
    let said = FarSite::with_login(Login::Failing).check().fails_alone("headnode.hpc.login");
    assert!(said.contains("the login shell on hpc runs no commands"), "{said}");
    assert!(said.contains(FAILURE), "{said}");
    assert!(said.ends_with("ssh -F [ssh_config] headnode echo ok"), "{said}");
}

#[test]
fn other_login_shells_are_no_trouble() {
    let checked = FarSite::with_login(Login::Shell("/bin/bash")).check();
    assert_eq!(checked.code(), 0, "{}", checked.of_headnode());
}
