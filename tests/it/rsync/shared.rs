//! A headnode that sees our folders: nothing is copied, and it must see the same.

use std::fs;
use std::path::PathBuf;

use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::host::local::LocalCopy;
use daylily_watch::adapters::host::shared::{Mapping, SharedTransfer};
use daylily_watch::adapters::host::{Progress, ShipOrder, Shipped, Transfer as _};
use tokio_util::sync::CancellationToken;

use super::world::{fast, node};
use crate::copy::world::{World, assert_fault, text};

/// A world with a case, and what the headnode sees of it.
fn seen() -> (World, PathBuf) {
    let world = fast();
    world.write("a", b"aaaa");
    world.write("it's/b", b"b");
    world.write("Thumbs.db", b"ignored");
    world.ship().unwrap();
    let seen = world.work.join("new/HG002");
    (world, seen)
}

fn ship(world: &World, order: &ShipOrder) -> Result<Shipped, daylily_lifecycle::outcome::Fault> {
    node(world).give();
    let (here, there) = (world.source.parent().unwrap().to_owned(), world.work.join("new"));
    let mapping = Mapping { here, there: text(&there) };
    let (work_dir, _) = node(world).work_dir();
    let transfer = SharedTransfer::new(mapping, work_dir, LocalCopy::new(0o027));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (progress, stop) = (Progress::default(), CancellationToken::new());
    runtime.block_on(transfer.ship(order, &progress, &stop))
}

#[test]
fn a_folder_that_the_headnode_sees_whole_is_shipped_by_being_there() {
    let (world, seen) = seen();
    let shipped = ship(&world, &world.order()).unwrap();
    assert_eq!((shipped.files, shipped.bytes.0), (2, 5));
    assert!(shipped.digest.is_some());
    fs::write(seen.join("result"), b"of the pipeline").unwrap();
    assert_eq!(ship(&world, &world.order()).unwrap(), shipped);
}

#[test]
fn a_folder_that_the_headnode_sees_otherwise_is_waited_for() {
    let (world, seen) = seen();
    fs::remove_file(seen.join("it's/b")).unwrap();
    let told = "sees 1 files with 4 bytes in";
    assert_fault(ship(&world, &world.order()), FaultClass::TransientStep, told);
    fs::remove_dir_all(&seen).unwrap();
    let told = "sees 0 files with 0 bytes in";
    assert_fault(ship(&world, &world.order()), FaultClass::TransientStep, told);
}

#[test]
fn a_folder_outside_of_what_the_headnode_sees_is_refused() {
    let (world, _) = seen();
    let elsewhere = world.dir.path().join("elsewhere/HG002");
    fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
    fs::rename(&world.source, &elsewhere).unwrap();
    let mut order = world_order(&world, &elsewhere);
    assert_fault(ship(&world, &order), FaultClass::FatalCase, "is not below");
    fs::rename(&elsewhere, &world.source).unwrap();
    order = world.order();
    order.dest = "/elsewhere".to_owned();
    assert_fault(ship(&world, &order), FaultClass::FatalCase, "`ship.shared` has changed");
}

fn world_order(world: &World, source: &std::path::Path) -> ShipOrder {
    fs::create_dir_all(&world.source).unwrap();
    let order = ShipOrder { source: source.to_owned(), ..world.order() };
    fs::remove_dir(&world.source).unwrap();
    order
}
