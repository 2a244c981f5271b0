//! Owns the last step: from values that are right, each and together, to [`Settings`].
//! It finds nothing wrong any more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use daylily_lifecycle::case::Priority;
use daylily_lifecycle::ids::{GroupName, HeadnodeName, IntakeName, PipelineName};
use daylily_lifecycle::policy::{Limits, LostAnswer, OnLimit, OnLost, Retry};
use daylily_lifecycle::settle::MarkerMissing;
use jiff::{SignedDuration, tz::TimeZone};

use crate::config::error::{ConfigErrors, Problems};
use crate::config::fields::Fields;
use crate::config::places::Places;
use crate::config::read::Reader;
use crate::config::sections::ROOT;
use crate::config::{
    Existing, GroupSettings, HeadnodeSettings, HostAddress, IntakeSettings, LogFormat, LogSettings,
    Manifest, NotActive, PipelineSettings, PollSettings, PueueSettings, QueueKind, Quiet,
    ResultsSettings, RuleSettings, Settings, Ship, SshSettings, Verify, WatchMode, check, tree,
    units,
};

pub(super) fn settings(
    text: &str,
    file: &Path,
    places: &Places,
    mut problems: Problems,
) -> Result<Settings, ConfigErrors> {
    let node = match tree::parse(text) {
        Ok(node) => node,
        Err((at, complaint)) => {
            problems.add(at, "", complaint);
            return Err(problems.into_errors());
        }
    };
    let mut not_active = Vec::new();
    let mut reader =
        Reader { places, problems: &mut problems, not_active: &mut not_active, root: &ROOT };
    let root = reader.root(&node);
    if let Some(root) = &root {
        check::all(root, places, &mut problems);
    }
    match root {
        Some(root) if problems.is_empty() => Ok(resolved(&root, file, places, not_active)),
        Some(_) | None => Err(problems.into_errors()),
    }
}

fn resolved(root: &Fields, file: &Path, places: &Places, not_active: Vec<NotActive>) -> Settings {
    let headnodes = root.sections("headnodes");
    let first = headnodes.first().map(|headnode| text(headnode, "name")).unwrap_or_default();
    let first = HeadnodeName::new(first);
    let pipelines = root.named("pipelines").into_iter();
    let (retry, poll) = (root.below("retry"), root.below("poll"));
    let hash = blake3::hash(root.canonical().as_bytes()).to_hex();
    Settings {
        file: file.to_owned(),
        state_dir: path(root, "state_dir"),
        time_zone: time_zone(root.text("timezone")),
        intakes: root.sections("intakes").into_iter().map(|f| intake(f, &first)).collect(),
        headnodes: headnodes.into_iter().map(|f| headnode(f, places)).collect(),
        pipelines: pipelines.map(|(name, f)| (PipelineName::new(name), pipeline(f))).collect(),
        rules: root.sections("rules").into_iter().map(rule).collect(),
        results: results(root.below("results")),
        retry: Retry {
            first: duration(retry, "first"),
            most: duration(retry, "most"),
            give_up_after: duration(retry, "for"),
        },
        poll: PollSettings { min: interval(poll, "min"), max: interval(poll, "max") },
        lost_after: duration(root, "lost_after"),
        aging: duration(root, "aging"),
        secrets: root.secrets(),
        retention: root.duration("retention"),
        log: log(root.below("log")),
        not_active,
        hash: hash.chars().take(16).collect(),
        said: root.said(),
    }
}

fn intake(fields: &Fields, first: &HeadnodeName) -> IntakeSettings {
    let settle = fields.below("settle");
    let moved = |key| fields.below(key).path("move_to").map(Path::to_owned);
    IntakeSettings {
        name: IntakeName::new(text(fields, "name")),
        path: path(fields, "path"),
        quiet: settle.duration("quiet").map_or(Quiet::Auto, Quiet::Fixed),
        no_writers: settle.flag("no_writers"),
        marker: some(settle, "marker"),
        marker_timeout: settle.duration("marker_timeout"),
        marker_missing: match settle.text("marker_missing") {
            Some("accept") => MarkerMissing::Accept,
            Some("reject") => MarkerMissing::Reject,
            Some(_) | None => MarkerMissing::Wait,
        },
        manifest: match settle.text("manifest") {
            Some("auto") => Manifest::Auto,
            Some("none") | None => Manifest::None,
            Some(name) => Manifest::Named(name.to_owned()),
        },
        unfinished: settle.texts("unfinished"),
        ignore: settle.texts("ignore"),
        watch: match fields.text("watch") {
            Some("poll") => WatchMode::Poll,
            Some(_) | None => WatchMode::Auto,
        },
        rescan: interval(fields, "rescan"),
        mount_check: some(fields, "mount_check"),
        refuse_worksets: fields.text("worksets") == Some("refuse"),
        existing: match fields.text("existing") {
            Some("process") => Existing::Process,
            Some("hold") => Existing::Hold,
            Some(_) | None => Existing::Auto,
        },
        manual: fields.text("start") == Some("manual"),
        headnode: fields.text("headnode").map_or_else(|| first.clone(), HeadnodeName::new),
        group: fields.text("group").map(GroupName::new),
        pipeline: fields.text("pipeline").map(PipelineName::new),
        priority: priority(fields).unwrap_or_default(),
        success_to: moved("on_success"),
        failure_to: moved("on_failure"),
    }
}

fn headnode(fields: &Fields, places: &Places) -> HeadnodeSettings {
    let host = match fields.text("host") {
        Some("local") | None => HostAddress::Local,
        Some(host) => HostAddress::Ssh(host.to_owned()),
    };
    // A path of this machine is resolved here, that of another there.
    let on_host = |text: &str| match host {
        HostAddress::Local => places.resolve(text).unwrap_or_default(),
        HostAddress::Ssh(_) => PathBuf::from(text),
    };
    let folders = fields.texts("path").into_iter();
    HeadnodeSettings {
        name: HeadnodeName::new(text(fields, "name")),
        work_dir: on_host(&text(fields, "work_dir")),
        path: folders.map(|folder| on_host(&folder).to_string_lossy().into_owned()).collect(),
        env: fields.variables("env"),
        umask: fields.mode("umask").unwrap_or_default(),
        queue: match (fields.text("queue"), &host) {
            (Some("pueue"), _) | (None, HostAddress::Ssh(_)) => QueueKind::Pueue,
            (Some("slurm"), _) => QueueKind::Slurm,
            (Some(_), _) | (None, HostAddress::Local) => QueueKind::Direct,
        },
        groups: fields.sections("groups").into_iter().map(group).collect(),
        verify: match fields.text("verify") {
            Some("checksum") => Verify::Checksum,
            Some(_) | None => Verify::Quick,
        },
        ship_ahead: small(fields, "ship_ahead"),
        max_transfers: small(fields, "max_transfers"),
        ssh: ssh(fields.below("ssh")),
        pueue: pueue(fields.below("pueue")),
        ship: match fields.section("ship").map(|ship| ship.below("shared")) {
            Some(shared) => {
                Ship::Shared { here: path(shared, "here"), there: text(shared, "there") }
            }
            None => Ship::Copy,
        },
        bandwidth: fields.rate("bandwidth"),
        transfer_hours: fields.text("transfer_hours").and_then(units::hours),
        host,
    }
}

fn ssh(fields: &Fields) -> SshSettings {
    SshSettings {
        config_file: fields.path("config_file").map(Path::to_owned),
        connect_timeout: interval(fields, "connect_timeout"),
        control_path: fields.path("control_path").map(Path::to_owned),
    }
}

fn rule(fields: &Fields) -> RuleSettings {
    RuleSettings {
        files: text(fields, "files"),
        pipeline: fields.text("pipeline").map(PipelineName::new),
        group: fields.text("group").map(GroupName::new),
        priority: priority(fields),
    }
}

pub(super) fn priority(fields: &Fields) -> Option<Priority> {
    match fields.text("priority")? {
        "urgent" => Some(Priority::Urgent),
        "low" => Some(Priority::Low),
        _ => Some(Priority::Normal),
    }
}

fn pueue(fields: &Fields) -> PueueSettings {
    PueueSettings {
        command: text(fields, "command"),
        create_groups: fields.flag("create_groups"),
        unpause_after_restart: fields.flag("unpause_after_restart"),
    }
}

fn group(fields: &Fields) -> GroupSettings {
    let gpus = fields.texts("gpus").into_iter().map(Some);
    let without = (0..small(fields, "slots")).map(|_| None);
    GroupSettings {
        name: GroupName::new(text(fields, "name")),
        slots: gpus.chain(without).collect(),
    }
}

fn pipeline(fields: &Fields) -> PipelineSettings {
    let (limits, on_lost) = (fields.below("limits"), fields.below("on_lost"));
    let answer = |key| match on_lost.text(key) {
        Some("rerun") => LostAnswer::Rerun,
        Some(_) | None => LostAnswer::Hold,
    };
    PipelineSettings {
        command: text(fields, "command"),
        shell: fields.texts("shell"),
        setup: some(fields, "setup"),
        stop: some(fields, "stop"),
        probe: some(fields, "probe"),
        env: fields.variables("env"),
        expect: fields.texts("expect"),
        limits: Limits {
            run: limits.duration("run"),
            queue: limits.duration("queue"),
            on_limit: match limits.text("on_limit") {
                Some("cancel") => OnLimit::Cancel,
                Some(_) | None => OnLimit::Tell,
            },
        },
        on_lost: OnLost { rebooted: answer("rebooted"), unknown: answer("unknown") },
    }
}

fn results(fields: &Fields) -> ResultsSettings {
    ResultsSettings {
        fetch: fields.texts("fetch"),
        to: path(fields, "to"),
        marker: some(fields, "marker"),
        group: some(fields, "group"),
        dir_mode: fields.mode("dir_mode").unwrap_or_default(),
        file_mode: fields.mode("file_mode").unwrap_or_default(),
    }
}

fn log(fields: &Fields) -> LogSettings {
    LogSettings {
        level: text(fields, "level"),
        format: match fields.text("format") {
            Some("json") => LogFormat::Json,
            Some(_) | None => LogFormat::Text,
        },
        file: fields.path("file").map(Path::to_owned),
    }
}

fn time_zone(name: Option<&str>) -> TimeZone {
    match name {
        Some("system") | None => TimeZone::system(),
        Some(name) => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    }
}

// The table gives each of these keys a value, or the reader told that there is none: the
// defaults below are never seen.

fn text(fields: &Fields, key: &str) -> String {
    fields.text(key).unwrap_or_default().to_owned()
}

fn some(fields: &Fields, key: &str) -> Option<String> {
    fields.text(key).map(str::to_owned)
}

fn path(fields: &Fields, key: &str) -> PathBuf {
    fields.path(key).unwrap_or(Path::new("")).to_owned()
}

fn duration(fields: &Fields, key: &str) -> SignedDuration {
    fields.duration(key).unwrap_or_default()
}

fn interval(fields: &Fields, key: &str) -> Duration {
    duration(fields, key).unsigned_abs()
}

fn small(fields: &Fields, key: &str) -> u32 {
    u32::try_from(fields.count(key).unwrap_or_default()).unwrap_or(u32::MAX)
}
