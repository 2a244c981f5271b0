//! What is decided before anything there is touched. What the tests of the local copy
//! show over both ways is not shown again here.

use daylily_lifecycle::outcome::FaultClass;

use super::{Case, Doubt, Plan, plan};
use crate::adapters::host::Verify;
use crate::adapters::host::copy::list::{Kind, Line, Stamp};
use crate::adapters::host::copy::room::Room;
use crate::adapters::host::rsync::there::{Entries, Found, Looked};

fn file(size: u64, seconds: i64) -> Kind {
    Kind::File { size, modified: Stamp { seconds, nanoseconds: 0 } }
}

fn line(path: &str, kind: Kind, shipped: bool) -> Line {
    Line { path: path.into(), kind, shipped, blake3: None }
}

struct Scene {
    meant: Vec<Line>,
    looked: Looked,
    verify: Verify,
}

impl Scene {
    fn new(there: &[(&str, Kind)]) -> Self {
        let entries: Entries =
            there.iter().map(|(path, kind)| (*path, Found::As(kind.clone()))).collect();
        let room = Room { bytes: 0, files: None };
        let looked = Looked { entries: Some(entries), crashed: false, room, list: Vec::new() };
        Self { meant: Vec::new(), looked, verify: Verify::Quick }
    }

    fn meant(mut self, path: &str, kind: Kind) -> Self {
        self.meant.push(line(path, kind, false));
        self
    }

    fn listed(mut self, path: &str, kind: Kind, shipped: bool) -> Self {
        self.looked.list.push(line(path, kind, shipped));
        self
    }

    fn plan(&self) -> Plan<'_> {
        let (meant, there) = (self.meant.as_slice(), &self.looked);
        plan(&Case { meant, there, dest: "/d", verify: self.verify }).unwrap()
    }
}

fn removed<'p>(plan: &'p Plan<'_>) -> Vec<&'p str> {
    plan.remove.iter().map(|removal| removal.path.as_str()).collect()
}

#[test]
fn what_is_there_as_it_is_here_needs_nothing() {
    let scene = Scene::new(&[("a", file(1, 2))]).meant("a", file(1, 2));
    let plan = scene.plan();
    assert_eq!((plan.send.len(), plan.need.bytes, plan.doubts.len()), (0, 0, 0));
}

#[test]
fn a_whole_second_is_as_good_as_its_fraction_on_file_systems_that_keep_no_more() {
    let here = Kind::File { size: 1, modified: Stamp { seconds: 2, nanoseconds: 500 } };
    assert!(Scene::new(&[("a", file(1, 2))]).meant("a", here.clone()).plan().send.is_empty());
    let there = Kind::File { size: 1, modified: Stamp { seconds: 2, nanoseconds: 400 } };
    let scene = Scene::new(&[("a", there)]).meant("a", here).listed("a", file(1, 1), true);
    assert_eq!(scene.plan().send, ["a"]);
}

#[test]
fn after_a_crash_of_the_machine_only_what_a_whole_ship_brought_is_trusted() {
    let scene = |shipped| {
        let mut scene = Scene::new(&[("a", file(1, 2))]).meant("a", file(1, 2)).listed(
            "a",
            file(1, 2),
            shipped,
        );
        scene.looked.crashed = true;
        scene
    };
    assert_eq!(scene(true).plan().doubts, []);
    assert_eq!(scene(false).plan().doubts, [Doubt { path: "a", alike: true, ours: true }]);
}

#[test]
fn what_nobody_shipped_is_compared_before_it_is_replaced() {
    let doubt = |alike| vec![Doubt { path: "a", alike, ours: false }];
    let mut scene = Scene::new(&[("a", file(1, 9))]).meant("a", file(1, 2));
    assert_eq!(scene.plan().doubts, doubt(false));
    scene = Scene::new(&[("a", file(1, 2))]).meant("a", file(1, 2));
    assert_eq!(scene.plan().doubts, []);
    scene.verify = Verify::Checksum;
    assert_eq!(scene.plan().doubts, doubt(true));
}

#[test]
fn half_a_file_is_kept_for_as_long_as_the_case_has_the_file() {
    let there = [
        (".daylily-watch-partial", Kind::Folder),
        (".daylily-watch-partial/kept", file(5, 1)),
        (".daylily-watch-partial/gone", file(5, 1)),
        ("sub", Kind::Folder),
        ("sub/.daylily-watch-partial", Kind::Folder),
        ("sub/.daylily-watch-partial/gone", file(5, 1)),
    ];
    let scene = Scene::new(&there).meant("kept", file(9, 9)).meant("sub", Kind::Folder);
    assert_eq!(
        removed(&scene.plan()),
        [
            "sub/.daylily-watch-partial/gone",
            "sub/.daylily-watch-partial",
            ".daylily-watch-partial/gone",
        ]
    );
}

#[test]
fn folders_go_after_what_is_in_them_and_stay_with_what_is_not_ours() {
    let there = [
        ("old", Kind::Folder),
        ("old/deep", Kind::Folder),
        ("old/deep/a", file(1, 1)),
        ("old/result", file(7, 7)),
    ];
    let scene = Scene::new(&there)
        .listed("old", Kind::Folder, true)
        .listed("old/deep", Kind::Folder, true)
        .listed("old/deep/a", file(1, 1), true);
    assert_eq!(removed(&scene.plan()), ["old/deep/a", "old/deep"]);
}

#[test]
fn what_is_in_the_way_is_found_before_anything_is_touched() {
    let scene = Scene::new(&[("a", file(1, 1)), ("gone", file(2, 2))])
        .meant("a", Kind::Folder)
        .listed("gone", file(2, 2), true);
    let case = Case { meant: &scene.meant, there: &scene.looked, dest: "/d", verify: scene.verify };
    let fault = plan(&case).unwrap_err();
    assert_eq!(fault.class, FaultClass::FatalCase);
    assert!(fault.text.starts_with("/d/a is in the way"), "{fault}");
}
