//! Lines that break, and what the next try makes of what arrived.

use std::fs;
use std::time::Duration;

use daylily_lifecycle::ids::AttemptId;
use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::ShipOrder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::world::{MIB, count_bytes, fast, node, noise, receivers, sent};
use crate::copy::rig::Rig;
use crate::copy::world::{LONG, World, assert_fault};
use crate::wait::until;

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

#[test]
fn a_transfer_cut_half_way_goes_on_where_it_was() {
    let mut world = World::new(Rig::Rsync);
    world.settings.bandwidth = Some(daylily_lifecycle::ids::ByteCount(25 * MIB));
    world.write("big", &noise(200 << 20));
    count_bytes(&mut world);
    let shipping = world.start();
    shipping.await_bytes(100 * MIB);
    node(&world).far.sshd.cut();
    assert_fault(shipping.end(), FaultClass::TransientHost, "connection");
    until("the receiver to have noticed", LONG, || receivers(&world).is_empty());
    assert!(!world.dest().join("big").try_exists().unwrap());

    world.settings.bandwidth = None;
    let shipped = world.ship().unwrap();
    world.assert_copied();
    assert_eq!(shipped.bytes.0, 200 * MIB);
    let again = *sent(&world).last().unwrap();
    assert!(again < 130 * MIB, "it sent {again} bytes again");
    let hash = blake3::hash(&fs::read(world.source.join("big")).unwrap());
    assert_eq!(blake3::hash(&fs::read(world.dest().join("big")).unwrap()), hash);
}

#[test]
fn the_first_cases_of_an_intake_may_come_at_once() {
    let world = fast();
    world.write("a", b"a");
    let order = |intake: usize, n: usize| {
        let case = format!("intake {intake}/case {n}");
        let at = |path: String| world.work.join(path).to_str().unwrap().to_owned();
        ShipOrder {
            attempt: AttemptId::new(format!("dw-{intake}-{n}")),
            dest: at(case.clone()),
            manifest: at(format!(".daylily-watch/cases/{case}.list")),
            lock: at(format!(".daylily-watch/dw-{intake}-{n}/ship.lock")),
            ..world.order()
        }
    };
    for intake in 0..6 {
        let all: Vec<_> = (0..4).map(|n| world.start_order(order(intake, n))).collect();
        for shipping in all {
            shipping.end().unwrap();
        }
    }
}

#[test]
fn a_killed_receiver_leaves_nothing_that_stays() {
    let mut world = World::new(Rig::Rsync);
    // Slow enough to be met on its way.
    world.settings.bandwidth = Some(daylily_lifecycle::ids::ByteCount(20 * MIB));
    world.write("sub/big", &noise(64 << 20));
    let shipping = world.start();
    shipping.await_bytes(8 * MIB);
    for pid in receivers(&world) {
        signal(pid, Signal::SIGKILL);
    }
    assert_fault(shipping.end(), FaultClass::TransientStep, "the transfer broke off");
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn a_transfer_of_which_nothing_moves_is_ended() {
    let mut world = World::new(Rig::Rsync);
    world.settings.stall_after = Duration::from_millis(1500);
    // Slow enough to be met on its way.
    world.settings.bandwidth = Some(daylily_lifecycle::ids::ByteCount(20 * MIB));
    world.write("big", &noise(64 << 20));
    let shipping = world.start();
    shipping.await_bytes(8 * MIB);
    let frozen = receivers(&world);
    assert!(!frozen.is_empty());
    for &pid in &frozen {
        signal(pid, Signal::SIGSTOP);
    }
    let ended = shipping.end_within(Duration::from_secs(15));
    assert_fault(ended, FaultClass::TransientStep, "nothing has moved for 2 s");

    // It may still write: its lock is what keeps the next one away.
    assert_fault(world.ship(), FaultClass::TransientStep, "an earlier transfer is still ending");
    for &pid in &frozen {
        signal(pid, Signal::SIGCONT);
    }
    until("the receiver to have ended", LONG, || receivers(&world).is_empty());
    world.settings.stall_after = Duration::from_secs(30);
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn a_transfer_that_is_only_slow_is_not_ended() {
    let mut world = World::new(Rig::Rsync);
    world.settings.stall_after = Duration::from_millis(1500);
    world.settings.bandwidth = Some(daylily_lifecycle::ids::ByteCount(MIB));
    world.write("big", &noise(4 << 20));
    world.ship().unwrap();
    world.assert_copied();
}

#[test]
fn a_headnode_that_is_gone_is_the_hosts_trouble_and_comes_back() {
    let mut world = fast();
    world.write("a", b"a");
    world.node.as_mut().unwrap().far.sshd.stop();
    assert_fault(world.ship(), FaultClass::TransientHost, "");
    world.node.as_mut().unwrap().far.sshd.start_again();
    // A failed connection answers for a second.
    until("it to be reached again", LONG, || world.ship().is_ok());
    world.assert_copied();
}

#[test]
fn many_files_cut_half_way_are_not_sent_again() {
    let mut world = World::new(Rig::Rsync);
    for n in 0..400 {
        world.write(&format!("{}/{n}", n % 7), &noise(60_000 + n));
    }
    world.settings.bandwidth = Some(daylily_lifecycle::ids::ByteCount(4 * MIB));
    count_bytes(&mut world);
    let shipping = world.start();
    shipping.await_bytes(12 * MIB);
    node(&world).far.sshd.cut();
    assert_fault(shipping.end(), FaultClass::TransientHost, "connection");
    until("the receiver to have noticed", LONG, || receivers(&world).is_empty());
    world.settings.bandwidth = None;
    world.ship().unwrap();
    world.assert_copied();
    let again = *sent(&world).last().unwrap();
    assert!(again < 14 * MIB, "it sent {again} of 24 MB again");
}
