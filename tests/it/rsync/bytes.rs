//! How much goes over the line, and how fast.

use std::time::{Duration, Instant};

use daylily_lifecycle::ids::ByteCount;
use daylily_watch::adapters::host::rsync::RsyncSettings;

use super::world::{MIB, count_bytes, fast, noise, sent};

fn took(bandwidth: Option<ByteCount>) -> Duration {
    let mut world = fast();
    world.settings.bandwidth = bandwidth;
    world.write("big", &noise(12 << 20));
    #[allow(clippy::disallowed_methods, reason = "what is shown is how long it takes")]
    let begun = Instant::now();
    world.ship().unwrap();
    begun.elapsed()
}

#[test]
fn a_limited_transfer_is_slower() {
    let (free, limited) = (took(None), took(Some(ByteCount(MIB))));
    assert!(limited > free * 2, "{limited:?} with a limit, {free:?} without");
    assert!(limited > Duration::from_secs(8), "{limited:?}");
}

#[test]
fn a_headnodes_bandwidth_is_shared_by_its_transfers() {
    assert_eq!(RsyncSettings::share(Some(ByteCount(50)), 2), Some(ByteCount(25)));
    assert_eq!(RsyncSettings::share(Some(ByteCount(1)), 8), Some(ByteCount(1)));
    assert_eq!(RsyncSettings::share(None, 2), None);
}

#[test]
fn what_is_there_already_is_not_sent_again() {
    let mut world = fast();
    world.write("big", &noise(4 << 20));
    count_bytes(&mut world);
    world.ship().unwrap();
    world.write("small", b"small");
    world.ship().unwrap();
    let sent = sent(&world);
    assert!(sent[0] > 4 * MIB && sent[1] < 2000, "{sent:?}");
    world.ship().unwrap();
    assert_eq!(super::world::sent(&world).len(), 2, "rsync is not even started");
}
