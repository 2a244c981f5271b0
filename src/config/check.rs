//! Owns what values must be to each other: names that are unique or known, folders that
//! do not lie in one another, limits in the right order. It sees every value typed and
//! keeps quiet about those that were wrong by themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use globset::Glob;

use crate::config::error::{Complaint, Position, Problems, quoted};
use crate::config::fields::{Fields, Item, Value};
use crate::config::keys::join;
use crate::config::kind::nearest;
use crate::config::places::{self, Places};
use crate::plain::is_plain;

pub(super) fn all(root: &Fields, places: &Places, problems: &mut Problems) {
    let intakes = root.sections("intakes");
    let headnodes = root.sections("headnodes");
    for (key, what) in [("intakes", "intake"), ("headnodes", "headnode")] {
        if matches!(&root.item(key).value, Value::List(items) if items.is_empty()) {
            let item = root.item(key);
            problems.add(
                item.at,
                key,
                Complaint::new(format!("empty, expected at least one {what}")),
            );
        }
    }
    unique_names(&intakes, problems);
    unique_names(&headnodes, problems);
    for headnode in &headnodes {
        groups(headnode, problems);
        local_paths(headnode, places, problems);
    }
    for intake in &intakes {
        references(intake, root, &headnodes, problems);
        marker(intake, problems);
        manifest(intake, problems);
    }
    for rule in root.sections("rules") {
        known_pipeline(rule, root, problems);
        if let Some(group) = rule.text("group") {
            let known = headnodes.iter().flat_map(|headnode| group_names(headnode)).collect();
            known_name(rule.item("group"), "group", group, known, problems);
        }
    }
    for (_, pipeline) in root.named("pipelines") {
        if matches!(&pipeline.item("shell").value, Value::List(words) if words.is_empty()) {
            let complaint = Complaint::new("empty, expected at least the shell, as in [sh, -c]");
            problems.add(pipeline.item("shell").at, &pipeline.item("shell").path, complaint);
        }
    }
    modes(root, &headnodes, problems);
    for (section, least, most) in [("poll", "min", "max"), ("retry", "first", "most")] {
        if let Some(section) = root.section(section) {
            in_order(section, least, most, problems);
        }
    }
    folders(root, &intakes, &headnodes, places, problems);
}

fn unique_names(sections: &[&Fields], problems: &mut Problems) {
    let mut seen: BTreeMap<&str, &Item> = BTreeMap::new();
    for section in sections {
        let item = section.item("name");
        let Some(name) = section.text("name") else { continue };
        match seen.get(name) {
            None => {
                seen.insert(name, item);
            }
            Some(first) => {
                let message = format!(
                    "the name {} is taken by {} (line {})",
                    quoted(name),
                    first.path,
                    first.at.line
                );
                let complaint = Complaint::new(message).hint("every one needs a name of its own");
                problems.add(item.at, &item.path, complaint);
            }
        }
    }
}

fn groups(headnode: &Fields, problems: &mut Problems) {
    let groups = headnode.sections("groups");
    let item = headnode.item("groups");
    if matches!(&item.value, Value::List(items) if items.is_empty()) {
        let complaint = Complaint::new("empty, so nothing could ever run here")
            .hint("leave `groups` out for one group with 2 slots");
        problems.add(item.at, &item.path, complaint);
    }
    unique_names(&groups, problems);
    let mut seen: BTreeMap<&str, &Item> = BTreeMap::new();
    for group in groups {
        let [gpus, slots] = ["gpus", "slots"].map(|key| &group.item(key).value);
        if (*gpus == Value::Null) == (*slots == Value::Null) {
            let found = if *gpus == Value::Null { "neither" } else { "both" };
            let complaint =
                Complaint::new(format!("found {found}, expected exactly one of gpus and slots"))
                    .hint("gpus: [0, 1] makes a slot for each GPU, slots: 2 makes slots without");
            problems.add(group.at, &group.path, complaint);
        }
        if matches!(gpus, Value::List(items) if items.is_empty()) {
            let item = group.item("gpus");
            problems.add(item.at, &item.path, Complaint::new("empty, expected at least one GPU"));
        }
        for gpu in group.list("gpus") {
            let Value::Text(id) = &gpu.value else { continue };
            if let Some(first) = seen.get(id.as_str()) {
                let message = format!(
                    "the GPU {} is listed twice, first as {} (line {})",
                    quoted(id),
                    first.path,
                    first.at.line
                );
                problems.add(gpu.at, &gpu.path, Complaint::new(message));
            }
            seen.entry(id).or_insert(gpu);
        }
    }
}

fn references(intake: &Fields, root: &Fields, headnodes: &[&Fields], problems: &mut Problems) {
    known_pipeline(intake, root, problems);
    // Without one of its own the rules may leave a case to this.
    let item = intake.item("pipeline");
    if item.value == Value::Null && !root.is_bad("pipelines") {
        let known = root.named("pipelines").into_iter().map(|(name, _)| name).collect();
        known_name(item, "pipeline", "default", known, problems);
    }
    let headnode = match intake.text("headnode") {
        None if intake.is_bad("headnode") => return,
        None => headnodes.first(),
        Some(name) => {
            let known = headnodes.iter().filter_map(|headnode| headnode.text("name")).collect();
            known_name(intake.item("headnode"), "headnode", name, known, problems);
            headnodes.iter().find(|headnode| headnode.text("name") == Some(name))
        }
    };
    if let (Some(headnode), Some(group)) = (headnode, intake.text("group")) {
        known_name(intake.item("group"), "group", group, group_names(headnode), problems);
    }
}

fn group_names<'a>(headnode: &'a Fields) -> Vec<&'a str> {
    headnode
        .sections("groups")
        .into_iter()
        .filter_map(|group: &'a Fields| group.text("name"))
        .collect()
}

fn known_pipeline(section: &Fields, root: &Fields, problems: &mut Problems) {
    if let Some(pipeline) = section.text("pipeline")
        && !root.is_bad("pipelines")
    {
        let known = root.named("pipelines").into_iter().map(|(name, _)| name).collect();
        known_name(section.item("pipeline"), "pipeline", pipeline, known, problems);
    }
}

fn known_name(item: &Item, what: &str, name: &str, known: Vec<&str>, problems: &mut Problems) {
    // With none known, that none is valid was told already.
    if known.contains(&name) || known.is_empty() && what != "pipeline" {
        return;
    }
    let complaint = Complaint::new(format!("there is no {what} {}", quoted(name)));
    let complaint = match nearest(name, known.iter().copied()) {
        Some(near) => complaint.hint(format!("did you mean {near}?")),
        None if known.is_empty() => complaint.hint(format!("add it under {what}s")),
        None => complaint.hint(format!("known: {}", known.join(", "))),
    };
    problems.add(item.at, &item.path, complaint);
}

fn marker(intake: &Fields, problems: &mut Problems) {
    let Some(settle) = intake.section("settle") else { return };
    let is_null = |key| settle.item(key).value == Value::Null;
    let timeout = settle.item("marker_timeout");
    if is_null("marker") && settle.duration("marker_timeout").is_some() {
        let complaint = Complaint::new("set without a marker to wait for")
            .hint("set marker, such as daylily.ready");
        problems.add(timeout.at, &timeout.path, complaint);
    }
    let missing = settle.item("marker_missing");
    if let Some(word @ ("accept" | "reject")) = settle.text("marker_missing")
        && is_null("marker_timeout")
    {
        let complaint = Complaint::new(format!("found {}, which would never happen", quoted(word)))
            .hint("set marker_timeout, such as 6h");
        problems.add(missing.at, &missing.path, complaint);
    }
}

/// A manifest is part of the content, and neither markers nor ignored files are.
fn manifest(intake: &Fields, problems: &mut Problems) {
    let Some(settle) = intake.section("settle") else { return };
    let Some(name) = settle.text("manifest").filter(|name| !matches!(*name, "auto" | "none"))
    else {
        return;
    };
    let ignored = || {
        let matches = |pattern: &String| {
            Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(name))
        };
        settle.texts("ignore").into_iter().find(|pattern| matches(pattern))
    };
    let complaint = if settle.text("marker") == Some(name) {
        Complaint::new(format!("found {}, which is the marker", quoted(name)))
            .hint("a marker is never part of a case's data: use one file for each")
    } else if let Some(pattern) = ignored() {
        Complaint::new(format!("found {}, which {} ignores", quoted(name), quoted(&pattern)))
            .hint("take the pattern out of `ignore`")
    } else {
        return;
    };
    let item = settle.item("manifest");
    problems.add(item.at, &item.path, complaint);
}

fn modes(root: &Fields, headnodes: &[&Fields], problems: &mut Problems) {
    let mut check = |section: &Fields, key: &str, right: fn(u32) -> bool, expected: &str| {
        if let Some(mode) = section.mode(key)
            && !right(mode)
        {
            let item = section.item(key);
            let complaint = Complaint::new(format!("found `{mode:04o}`, expected {expected}"));
            problems.add(item.at, &item.path, complaint);
        }
    };
    if let Some(results) = root.section("results") {
        let dir = "a mode by which the owner can read, write and enter";
        check(results, "dir_mode", |mode| mode & 0o700 == 0o700, dir);
        let file = "a mode by which the owner can read and write";
        check(results, "file_mode", |mode| mode & 0o600 == 0o600, file);
    }
    for headnode in headnodes {
        let umask = "a umask that takes nothing from the owner, such as 0027";
        check(headnode, "umask", |mode| mode & !0o077 == 0, umask);
    }
}

fn in_order(section: &Fields, least: &str, most: &str, problems: &mut Problems) {
    let (Some(low), Some(high)) = (section.duration(least), section.duration(most)) else { return };
    if low > high {
        let message = format!("found {low:#}, which is more than {most} ({high:#})");
        let item = section.item(least);
        problems.add(item.at, &item.path, Complaint::new(message));
    }
}

/// A folder of the configuration, with symlinks followed.
struct Folder {
    key: String,
    at: Position,
    real: PathBuf,
}

impl Folder {
    fn of(section: &Fields, key: &str) -> Option<Self> {
        section.path(key).map(|path| Self::at(section.item(key), path))
    }

    fn at(item: &Item, path: &Path) -> Self {
        Self { key: item.path.clone(), at: item.at, real: places::real(path) }
    }

    /// How it lies to another. None: neither is within the other.
    fn to(&self, other: &Self) -> Option<&'static str> {
        if self.real == other.real {
            Some("the same folder as")
        } else if self.real.starts_with(&other.real) {
            Some("inside")
        } else if other.real.starts_with(&self.real) {
            Some("around")
        } else {
            None
        }
    }
}

fn folders(
    root: &Fields,
    intakes: &[&Fields],
    headnodes: &[&Fields],
    places: &Places,
    problems: &mut Problems,
) {
    let watched: Vec<Folder> =
        intakes.iter().filter_map(|intake| Folder::of(intake, "path")).collect();
    for (index, folder) in watched.iter().enumerate() {
        for earlier in &watched[..index] {
            if let Some(relation) = folder.to(earlier) {
                overlap(folder, relation, earlier, "a case would be taken twice", problems);
            }
        }
    }
    let works: Vec<Folder> =
        headnodes.iter().filter_map(|headnode| local_work_dir(headnode, places)).collect();
    for (index, work) in works.iter().enumerate() {
        let meets = |other: &&Folder| {
            work.real.starts_with(&other.real) || other.real.starts_with(&work.real)
        };
        if let Some(other) = works[..index].iter().find(meets) {
            overlap(
                work,
                "the same folder as, or in or around",
                other,
                "each headnode needs its own",
                problems,
            );
        }
        let why = "what is copied there would arrive as a case";
        for intake in &watched {
            if work.real.starts_with(&intake.real) {
                overlap(work, "inside", intake, why, problems);
            } else if intake.real.starts_with(&work.real) {
                overlap(work, "around", intake, why, problems);
            }
        }
    }
    // `results.to` is asked about several times, and told once.
    let mut told = Vec::new();
    for folder in written(root, intakes) {
        let inside = watched.iter().find(|intake| folder.real.starts_with(&intake.real));
        if let Some(intake) = inside.filter(|_| !told.contains(&folder.key)) {
            overlap(
                &folder,
                "inside",
                intake,
                "what is put there would arrive as a case",
                problems,
            );
            told.push(folder.key);
        }
    }
    own(root, intakes, &works, &told, problems);
}

/// The database, the folders that cases run in, results and moved cases: each is cleared
/// or written by rules that would destroy the others.
fn own(
    root: &Fields,
    intakes: &[&Fields],
    works: &[Folder],
    told: &[String],
    problems: &mut Problems,
) {
    let outside = |folder: &Folder| !told.contains(&folder.key);
    let state = Folder::of(root, "state_dir").filter(outside);
    let to = root.section("results").and_then(|results| Folder::of(results, "to"));
    let to = to.filter(outside);
    for (work, state) in works.iter().flat_map(|work| Some((work, state.as_ref()?))) {
        if let Some(relation) = work.to(state) {
            overlap(work, relation, state, "cases would run beside the database", problems);
        }
    }
    if let Some(to) = &to {
        let mut others = state.iter().chain(works);
        if let Some((relation, other)) = others.find_map(|other| Some((to.to(other)?, other))) {
            overlap(to, relation, other, "results need a folder of their own", problems);
        }
    }
    let keys = ["on_success", "on_failure"];
    let afters = intakes.iter().flat_map(|intake| keys.map(|key| intake.section(key)));
    let moves = afters.flatten().filter_map(|after| Folder::of(after, "move_to"));
    for moved in moves.filter(outside) {
        let mut others = state.iter().chain(works).chain(&to);
        // Around them is where people keep all of it together.
        let within = |other: &&Folder| moved.real.starts_with(&other.real);
        if let Some((relation, other)) =
            others.find(within).and_then(|other| Some((moved.to(other)?, other)))
        {
            overlap(&moved, relation, other, "moved cases need a folder of their own", problems);
        }
    }
}

/// Paths of a headnode are resolved here only where it is this machine.
fn local_paths(headnode: &Fields, places: &Places, problems: &mut Problems) {
    if headnode.text("host") != Some("local") {
        let item = headnode.item("work_dir");
        if let Value::Text(text) = &item.value
            && !text.starts_with('/')
        {
            let complaint = Complaint::new(format!(
                "found {}, expected an absolute path on the headnode",
                quoted(text)
            ))
            .hint("as `pwd` prints it there");
            problems.add(item.at, &item.path, complaint);
        } else if let Value::Text(text) = &item.value
            && let Some(odd) = text.chars().find(|&c| !is_plain(c))
        {
            let complaint = Complaint::new(format!(
                "found {}, which has {} in it: not every login shell takes that as it is",
                quoted(text),
                quoted(&odd.to_string())
            ))
            .hint(
                "choose a path of letters a to z, digits, spaces and any of . _ / + @ % , = : ~ -",
            );
            problems.add(item.at, &item.path, complaint);
        }
        return;
    }
    for item in headnode.list("path").iter().chain([headnode.item("work_dir")]) {
        if let Value::Text(text) = &item.value
            && let Err(complaint) = places.resolve(text)
        {
            problems.add(item.at, &item.path, complaint);
        }
    }
}

fn local_work_dir(headnode: &Fields, places: &Places) -> Option<Folder> {
    let text = headnode.text("work_dir").filter(|_| headnode.text("host") == Some("local"))?;
    // One that cannot be resolved was told by `local_paths`.
    Some(Folder::at(headnode.item("work_dir"), &places.resolve(text).ok()?))
}

/// Every folder that the program writes into, besides those on headnodes.
fn written(root: &Fields, intakes: &[&Fields]) -> Vec<Folder> {
    let mut written: Vec<Folder> = Folder::of(root, "state_dir").into_iter().collect();
    if let Some(log) = root.section("log") {
        written.extend(Folder::of(log, "file"));
    }
    if let Some(results) = root.section("results")
        && let Some(to) = results.path("to")
    {
        let inside: Vec<PathBuf> = intakes
            .iter()
            .filter_map(|intake| intake.text("name"))
            .map(|name| to.join(name))
            .collect();
        written.push(Folder::at(results.item("to"), to));
        written.extend(inside.into_iter().map(|path| Folder {
            key: join("results", "to"),
            at: results.item("to").at,
            real: places::real(&path),
        }));
    }
    for intake in intakes {
        for key in ["on_success", "on_failure"] {
            written.extend(intake.section(key).and_then(|after| Folder::of(after, "move_to")));
        }
    }
    written
}

fn overlap(folder: &Folder, relation: &str, other: &Folder, why: &str, problems: &mut Problems) {
    let message = format!(
        "{} is {relation} {} (line {}): {why}",
        folder.real.display(),
        other.key,
        other.at.line
    );
    problems.add(folder.at, &folder.key, Complaint::new(message).hint("choose another folder"));
}
