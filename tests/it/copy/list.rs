//! What a later ship may replace and remove, and what it must leave alone.

use std::fs;
use std::os::unix::fs::symlink;

use daylily_lifecycle::outcome::FaultClass;

use super::rig::Rig;
use super::world::{World, assert_fault, corrupt, inode};

over_each!(
    what_the_case_no_longer_has_is_removed,
    what_the_pipeline_made_is_never_removed,
    a_shipped_file_that_changed_there_and_is_gone_here_is_a_question_for_a_person,
    a_shipped_file_that_changed_there_is_shipped_again,
    a_file_that_was_not_shipped_is_not_replaced_however_often_it_is_tried,
    a_file_that_was_not_shipped_and_has_the_same_content_is_as_good,
    a_folder_where_a_file_was_and_a_file_where_a_folder_was_are_replaced_if_shipped,
    a_folder_that_holds_something_of_the_pipeline_is_not_replaced_by_a_file,
    a_file_in_the_way_of_a_folder_that_was_not_shipped_is_left_alone,
    without_a_list_equal_files_are_taken_over_and_others_are_not_touched,
    a_damaged_list_stops_the_case_and_removes_nothing,
    a_list_of_ten_thousand_entries_is_gone_through_in_order,
);

fn shipped(rig: Rig) -> World {
    let world = World::new(rig);
    world.write("keep", b"keep");
    world.write("gone", b"gone");
    world.write("old/deep/gone", b"gone");
    symlink("keep", world.source.join("link")).unwrap();
    world.ship().unwrap();
    world
}

fn what_the_case_no_longer_has_is_removed(rig: Rig) {
    let world = shipped(rig);
    fs::remove_file(world.source.join("gone")).unwrap();
    fs::remove_file(world.source.join("link")).unwrap();
    fs::remove_dir_all(world.source.join("old")).unwrap();
    world.ship().unwrap();
    world.assert_copied();
}

fn what_the_pipeline_made_is_never_removed(rig: Rig) {
    let world = shipped(rig);
    fs::write(world.dest().join("result"), b"result").unwrap();
    fs::write(world.dest().join("old/result"), b"result").unwrap();
    fs::remove_file(world.source.join("gone")).unwrap();
    fs::remove_dir_all(world.source.join("old")).unwrap();
    world.ship().unwrap();
    assert_eq!(fs::read(world.dest().join("result")).unwrap(), b"result");
    assert_eq!(fs::read(world.dest().join("old/result")).unwrap(), b"result");
    assert!(!world.dest().join("old/deep").try_exists().unwrap());
    assert!(!world.dest().join("gone").try_exists().unwrap());
}

fn a_shipped_file_that_changed_there_and_is_gone_here_is_a_question_for_a_person(rig: Rig) {
    let world = shipped(rig);
    fs::write(world.dest().join("gone"), b"the pipeline wrote into it").unwrap();
    fs::remove_file(world.source.join("gone")).unwrap();
    for _ in 0..2 {
        assert_fault(world.ship(), FaultClass::FatalCase, "gone was shipped earlier");
        assert!(world.dest().join("gone").try_exists().unwrap());
    }
}

fn a_shipped_file_that_changed_there_is_shipped_again(rig: Rig) {
    let world = shipped(rig);
    fs::write(world.dest().join("keep"), b"the pipeline wrote into it").unwrap();
    world.ship().unwrap();
    world.assert_copied();
}

fn a_file_that_was_not_shipped_is_not_replaced_however_often_it_is_tried(rig: Rig) {
    let world = shipped(rig);
    fs::write(world.dest().join("summary"), b"the pipeline's").unwrap();
    world.write("summary", b"the user's");
    for _ in 0..3 {
        assert_fault(world.ship(), FaultClass::FatalCase, "summary is there with other content");
        assert_eq!(fs::read(world.dest().join("summary")).unwrap(), b"the pipeline's");
    }
}

fn a_file_that_was_not_shipped_and_has_the_same_content_is_as_good(rig: Rig) {
    let world = shipped(rig);
    fs::write(world.dest().join("summary"), b"same").unwrap();
    world.write("summary", b"same");
    world.ship().unwrap();
    world.assert_copied();
}

fn a_folder_where_a_file_was_and_a_file_where_a_folder_was_are_replaced_if_shipped(rig: Rig) {
    let world = shipped(rig);
    fs::remove_file(world.source.join("gone")).unwrap();
    world.write("gone/now/a/folder", b"x");
    fs::remove_dir_all(world.source.join("old")).unwrap();
    world.write("old", b"now a file");
    fs::remove_file(world.source.join("link")).unwrap();
    world.write("link", b"now a file");
    world.ship().unwrap();
    world.assert_copied();
}

fn a_folder_that_holds_something_of_the_pipeline_is_not_replaced_by_a_file(rig: Rig) {
    let world = shipped(rig);
    fs::write(world.dest().join("old/result"), b"result").unwrap();
    fs::remove_dir_all(world.source.join("old")).unwrap();
    world.write("old", b"now a file");
    for _ in 0..2 {
        assert_fault(world.ship(), FaultClass::FatalCase, "old is in the way");
        assert_eq!(fs::read(world.dest().join("old/result")).unwrap(), b"result");
    }
}

fn a_file_in_the_way_of_a_folder_that_was_not_shipped_is_left_alone(rig: Rig) {
    let world = shipped(rig);
    fs::write(world.dest().join("out"), b"result").unwrap();
    world.write("out/x", b"x");
    for _ in 0..2 {
        assert_fault(world.ship(), FaultClass::FatalCase, "out is in the way");
        assert_eq!(fs::read(world.dest().join("out")).unwrap(), b"result");
    }
}

fn without_a_list_equal_files_are_taken_over_and_others_are_not_touched(rig: Rig) {
    let world = shipped(rig);
    let before = inode(&world.dest().join("keep"));
    fs::remove_file(world.order().manifest).unwrap();
    world.ship().unwrap();
    assert_eq!(inode(&world.dest().join("keep")), before);
    fs::remove_file(world.order().manifest).unwrap();
    corrupt(&world.dest().join("keep"), b"longer than it was");
    assert_fault(world.ship(), FaultClass::FatalCase, "keep is there with other content");
}

fn a_damaged_list_stops_the_case_and_removes_nothing(rig: Rig) {
    let world = shipped(rig);
    fs::write(world.order().manifest, b"{not json\n").unwrap();
    fs::remove_file(world.source.join("gone")).unwrap();
    assert_fault(world.ship(), FaultClass::FatalCase, "is damaged");
    assert!(world.dest().join("gone").try_exists().unwrap());
}

fn a_list_of_ten_thousand_entries_is_gone_through_in_order(rig: Rig) {
    let world = World::new(rig);
    for folder in 0..100 {
        // Names that sort differently as whole paths and name by name.
        fs::create_dir_all(world.source.join(format!("f{folder}/sub"))).unwrap();
        fs::create_dir_all(world.source.join(format!("f{folder}.d"))).unwrap();
        for link in 0..98 {
            symlink("sub", world.source.join(format!("f{folder}/{link}"))).unwrap();
        }
    }
    world.ship().unwrap();
    for folder in (0..100).step_by(2) {
        fs::remove_dir_all(world.source.join(format!("f{folder}"))).unwrap();
    }
    world.ship().unwrap();
    world.assert_copied();
}
