//! What readings mean, and that no bytes are too odd to be read.

use daylily_lifecycle::attempt::ClaimedBy;
use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::{Alive, Claim, ExitRecord};
use proptest::prelude::{any, prop, proptest};

use super::{ClaimText, Found, Machine, alive, claimed_by, exit_record, parse, tail};
use crate::adapters::host::HostLook;

const AT: &str = "2026-11-20T06:00:00.000Z";

fn machine(host: &str, machine_id: &str, boot_id: &str) -> Machine {
    Machine { host: host.into(), machine_id: machine_id.into(), boot_id: boot_id.into() }
}

fn claimed_on(machine: Machine) -> ClaimText {
    ClaimText::Job { at: AT.parse().expect("a time"), machine }
}

#[test]
fn a_free_lock_counts_on_the_machine_and_boot_of_the_claim() {
    let here = machine("hpc", "m1", "b2");
    let check = |found, claim: &ClaimText, expected: Alive| {
        assert_eq!(alive(found, claim, &here), expected, "{found:?} {claim:?}");
    };
    let no = Alive::No { rebooted: false };
    check(Found::Nothing, &claimed_on(machine("hpc", "m1", "b2")), no);
    // A container shares the boot, whatever it calls itself.
    check(Found::Nothing, &claimed_on(machine("box", "", "b2")), no);
    check(Found::Nothing, &claimed_on(machine("hpc", "m1", "b1")), Alive::No { rebooted: true });
    check(Found::Nothing, &claimed_on(machine("node7", "m7", "b7")), Alive::Unknowable);
    // Nodes from one image share the machine id.
    check(Found::Nothing, &claimed_on(machine("node7", "m1", "b7")), Alive::Unknowable);
    check(Found::Nothing, &claimed_on(machine("hpc", "", "b1")), Alive::Unknowable);
    check(Found::Nothing, &claimed_on(machine("hpc", "m1", "")), Alive::Unknowable);
    check(Found::Nothing, &ClaimText::Absent, no);
    check(Found::Nothing, &ClaimText::Daemon, no);
    for claim in [machine("hpc", "m1", "b1"), machine("node7", "m7", "b7")] {
        check(Found::Something, &claimed_on(claim), Alive::Yes);
    }
}

#[test]
fn a_looker_that_knows_nothing_of_itself_concludes_nothing() {
    let claim = claimed_on(machine("hpc", "", ""));
    assert_eq!(alive(Found::Nothing, &claim, &machine("hpc", "", "")), Alive::Unknowable);
}

#[test]
fn only_a_whole_record_is_present() {
    let whole = format!(r#"{{"code":3,"signal":null,"started":"{AT}","ended":"{AT}"}}     "#);
    let present =
        ExitRecord::Present { code: Some(3), signal: None, ended: AT.parse().expect("a time") };
    let check = |whole: Option<&[u8]>, tmp: Option<&[u8]>, expected: &ExitRecord| {
        assert_eq!(&exit_record(whole, tmp), expected, "{whole:?} {tmp:?}");
    };
    check(Some(whole.as_bytes()), None, &present);
    check(Some(whole.as_bytes()), Some(b"{"), &present);
    check(Some(&whole.as_bytes()[..20]), None, &ExitRecord::Partial);
    check(Some(b""), None, &ExitRecord::Partial);
    check(Some(b"{\"code\":null,\"signal\":null}"), None, &ExitRecord::Partial);
    check(None, Some(b"      \n"), &ExitRecord::Absent);
    check(None, Some(b""), &ExitRecord::Absent);
    check(None, Some(b"{\"co    \n"), &ExitRecord::Partial);
    check(None, Some(whole.as_bytes()), &ExitRecord::Partial);
    check(None, None, &ExitRecord::Absent);
}

#[test]
fn an_answer_is_read_attempt_by_attempt() {
    let answer = format!(
        "w\nhost hpc\nmachine m\nboot b\nmissing dw-3 job.sh\nw claims\n\
         ==> dw-1/claim <==\n{{\"by\":\"job\",\"at\":\"{AT}\",\"host\":\"hpc\",\"boot_id\":\"b\"}}\n\n\
         ==> dw-2/claim <==\n{{\"by\":\"daemon\"}}\n\nw alive\nyes dw-1\nunsure dw-4\nw exits\n\
         ==> dw-1/exit.json.tmp <==\n        \n\nw end\n"
    );
    let ids = ["dw-1", "dw-2", "dw-3", "dw-4", "dw-5", "a b"].map(AttemptId::new);
    let looks = parse(answer.as_bytes(), "head: dw-5/exit.json: Input/output error\n", &ids);
    let looks = looks.expect("the answer is whole");
    let at = AT.parse().expect("a time");
    assert_eq!(
        looks[0],
        HostLook::Saw {
            exit: ExitRecord::Absent,
            claim: Claim::Job { at, host: "hpc".into() },
            alive: Alive::Yes
        }
    );
    assert_eq!(
        looks[1],
        HostLook::Saw {
            exit: ExitRecord::Absent,
            claim: Claim::Daemon,
            alive: Alive::No { rebooted: false }
        }
    );
    for (look, why) in looks[2..].iter().zip(["job.sh is missing", "lock", "Input", "a b"]) {
        let HostLook::CouldNot { why: said } = look else { panic!("{look:?}") };
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_claim_that_cannot_be_understood_is_no_absent_claim() {
    for claim in ["{\"by\":\"job\"}", "{\"by\":\"me\",\"at\":\"x\"}", "", "\0\0", "{\"by\":\"jo"] {
        let answer =
            format!("w\nw claims\n==> dw-1/claim <==\n{claim}\nw alive\nw exits\n\nw end\n");
        let looks = parse(answer.as_bytes(), "", &[AttemptId::new("dw-1")]).expect("whole");
        assert!(matches!(&looks[0], HostLook::CouldNot { .. }), "{claim:?}: {looks:?}");
        assert_eq!(claimed_by(claim.as_bytes()), None);
    }
    assert_eq!(claimed_by(b"{\"by\":\"daemon\"}"), Some(ClaimedBy::Daemon));
}

#[test]
fn the_tail_starts_at_a_line_and_shows_no_control_characters() {
    assert_eq!(tail(b"a\nb\tc\n", 100), "a\nb\tc\n");
    assert_eq!(tail(b"\nfirst\nsecond\n", 13), "first\nsecond\n");
    assert_eq!(tail(b"xlong\nlast\n", 10), "last\n");
    assert_eq!(tail(b"xxxxx", 4), "xxxx");
    assert_eq!(tail(b"\x1b[31mred\r\xff", 100), "?[31mred??");
    assert_eq!(tail(b"", 100), "");
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in 0usize..600) {
        let ids = [AttemptId::new("dw-1")];
        let _ = exit_record(Some(&bytes), Some(&bytes));
        let _ = claimed_by(&bytes);
        let _ = parse(&bytes, &String::from_utf8_lossy(&bytes), &ids);
        let end = &bytes[..bytes.len().min(cut + 1)];
        assert!(tail(end, cut).len() <= cut.max(1));
        let mut answer = b"w\nw claims\n==> dw-1/claim <==\n".to_vec();
        answer.extend_from_slice(&bytes);
        answer.extend_from_slice(b"\nw alive\nw exits\n==> dw-1/exit.json <==\n");
        answer.extend_from_slice(&bytes);
        answer.extend_from_slice(b"\nw end\n");
        if let Some(looks) = parse(&answer, "", &ids) {
            assert_eq!(looks.len(), 1);
        }
        let whole = answer.len();
        let _ = parse(&answer[..cut.min(whole)], "", &ids);
    }
}
