//! Owns the one table of the configuration: every key with its type, its default, what
//! it means and whether its feature is built. The reader, the messages and the reference
//! page all follow it; a key that is not here does not exist.

use crate::config::kind::{
    ANY, Choice, Default::Computed, Default::Is, Default::Required, FILE_NAME, GLOB, HOST,
    HOST_PATH, HOURS, Key, Kind, LISTEN, MANIFEST, NAME, RELATIVE, SCRIPT, Section, TIME_ZONE,
    WORK_DIR, choice, later,
};

macro_rules! section {
    ($(#[doc = $doc:literal])+ $section:ident {
        $($(#[doc = $key_doc:literal])+
            $name:ident: $kind:expr => $default:expr $(, not_yet $why:literal)?;)+
    }) => {
        pub(super) static $section: Section = Section {
            doc: concat!($($doc),+),
            keys: &[$(Key {
                name: stringify!($name),
                kind: $kind,
                default: $default,
                doc: concat!($($key_doc),+),
                not_yet: section!(@why $($why)?),
            }),+],
        };
    };
    (@why) => { None };
    (@why $why:literal) => { Some($why) };
}

const INTAKE_KINDS: &[Choice] = &[
    choice("directory"),
    later("s3", "use kind: directory"),
    later("sequencer", "use kind: directory"),
];
const QUEUES: &[Choice] =
    &[choice("direct"), choice("pueue"), later("slurm", "use queue: direct or queue: pueue")];
const PRIORITIES: &[Choice] = &[choice("urgent"), choice("normal"), choice("low")];
const MARKER_MISSING: &[Choice] = &[choice("wait"), choice("accept"), choice("reject")];
const LOST_ANSWERS: &[Choice] = &[choice("rerun"), choice("hold")];
const LEVELS: &[Choice] =
    &[choice("error"), choice("warn"), choice("info"), choice("debug"), choice("trace")];

section! {
    /// One YAML file says everything. Relative paths start at the folder of the file, and
    /// `~/` is the home folder of the user who runs the daemon. `null` means the default.
    ROOT {
        /// Where the database and the logs are. One daemon at a time works on it.
        state_dir: Kind::LocalPath => Is("./state");
        /// The time zone of every instant that people read. Stored times are UTC.
        timezone: Kind::Text(&TIME_ZONE) => Is("system");
        /// Where cases come from; at least one.
        intakes: Kind::Sections(&INTAKE) => Required;
        /// Where cases are shipped and run; at least one.
        headnodes: Kind::Sections(&HEADNODE) => Required;
        /// What runs in a case, by name. Without this key there is one, `default`, with the
        /// defaults below.
        pipelines: Kind::Named(&PIPELINE) => Is("{default: {}}");
        /// What a case gets by its files; the first rule that matches counts.
        rules: Kind::Sections(&RULE) => Is("[]");
        /// What is fetched after a run, and to where.
        results: Kind::Section(&RESULTS) => Is("{}");
        /// How trouble with one step of a case is met.
        retry: Kind::Section(&RETRY) => Is("{}");
        /// How often a headnode is asked about its jobs.
        poll: Kind::Section(&POLL) => Is("{}");
        /// How long a started job may show neither a process nor an end record before it counts
        /// as lost. Directory caches of network file systems need the 2 minutes.
        lost_after: Kind::Duration { least_ms: 1 } => Is("2m");
        /// After how long a waiting case goes before those of the next higher priority.
        aging: Kind::Duration { least_ms: 1 } => Is("24h");
        /// After how long the data of a finished case is removed from its headnode; null keeps it.
        /// Only where the results are on this machine: what exists nowhere else is never removed
        /// by itself. `clean --dry-run` tells which is which.
        retention: Kind::Duration { least_ms: 1 } => Is("null");
        /// Who is told when a case ends or needs a person.
        notify: Kind::Sections(&NOTIFY) => Is("[]"), not_yet "nobody is notified";
        /// Which names leave the database.
        privacy: Kind::Section(&PRIVACY) => Is("{}"), not_yet "there is no page and no notice yet";
        /// The page and the API; null is off.
        http: Kind::Section(&HTTP) => Is("null"), not_yet "there is no page and no API yet";
        /// What the daemon writes about its own work.
        log: Kind::Section(&LOG) => Is("{}");
    }
}

section! {
    /// One place where cases come from. Each folder directly in `path` is a case.
    INTAKE {
        /// How the intake is called everywhere, also in the folders on the headnode.
        name: Kind::Text(&NAME) => Required;
        /// What the intake is.
        kind: Kind::Word(INTAKE_KINDS) => Is("directory");
        /// The folder that is watched. It may not lie in another intake, nor in or around a
        /// folder that the program itself writes to.
        path: Kind::LocalPath => Required;
        /// When a case is complete.
        settle: Kind::Section(&SETTLE) => Is("{}");
        /// `auto` listens to the kernel and looks every `rescan` as well; `poll` only looks.
        watch: Kind::Word(&[choice("auto"), choice("poll")]) => Is("auto");
        /// How often the whole intake is looked through.
        rescan: Kind::Duration { least_ms: 100 } => Is("1m");
        /// A file in the intake that must be there; without it the intake counts as not mounted,
        /// and nothing in it as gone.
        mount_check: Kind::Text(&RELATIVE) => Is("null");
        /// What becomes of folders that are there at the very first start: `auto` holds those
        /// untouched for 24 h, `process` runs and `hold` holds all of them.
        existing: Kind::Word(&[choice("auto"), choice("process"), choice("hold")]) => Is("auto");
        /// Whether a folder with `daylily_work.yaml` is run as a workset, which says itself what
        /// is run, or rejected: docs/worksets.md.
        worksets: Kind::Word(&[choice("run"), choice("refuse")]) => Is("run");
        /// With `manual` each case waits for `accept`.
        start: Kind::Word(&[choice("auto"), choice("manual")]) => Is("auto");
        /// The headnode that runs these cases.
        headnode: Kind::Text(&NAME) => Computed("the first headnode");
        /// The group whose slots these cases take; null is any group of the headnode.
        group: Kind::Text(&NAME) => Is("null");
        /// The pipeline that these cases run, whatever `rules` says.
        pipeline: Kind::Text(&NAME) => Computed("that of the first of `rules` that matches, else `default`");
        /// Which waiting cases go first.
        priority: Kind::Word(PRIORITIES) => Is("normal");
        /// What becomes of a case's folder in the intake after success.
        on_success: Kind::Section(&AFTERWARDS) => Is("{}");
        /// What becomes of a case's folder in the intake after failure.
        on_failure: Kind::Section(&AFTERWARDS) => Is("{}");
    }
}

section! {
    /// When a case is complete: all of these must hold.
    SETTLE {
        /// For how long nothing may change in the case. `auto` is 10 s on a local file system, and
        /// 5 min with two equal scans on a network one.
        quiet: Kind::DurationOr("auto") => Is("auto");
        /// No process may have a file of the case open for writing.
        no_writers: Kind::Flag => Is("true");
        /// A file directly in the case, such as `daylily.ready`, that says it is complete. It is
        /// never counted as data.
        marker: Kind::Text(&FILE_NAME) => Is("null");
        /// How long to wait for the marker when everything else holds; null is for ever.
        marker_timeout: Kind::Duration { least_ms: 1 } => Is("null");
        /// What happens then: wait for a person, accept the case without its marker, or reject it.
        marker_missing: Kind::Word(MARKER_MISSING) => Is("wait");
        /// The file directly in the case whose checksums must be right, as `sha256sum` and
        /// `md5sum` write it. `auto` takes the first of SHA256SUMS, sha256sum.txt, MD5SUMS and
        /// md5sum.txt that is there; another name is waited for; `none` looks at none. Every file
        /// that it names must be there; files that it does not name are no mistake.
        manifest: Kind::Text(&MANIFEST) => Is("auto");
        /// Names that are written while a file is still being copied: as long as one exists
        /// anywhere in the case, the case is arriving.
        unfinished: Kind::List(&Kind::Text(&GLOB)) => Is(
            r#"[".*.??????", "*.part", "*.partial", "*.filepart", "*.tmp", "*.crdownload"]"#
        );
        /// Names that do not count: they are neither judged nor shipped.
        ignore: Kind::List(&Kind::Text(&GLOB)) => Is(
            r#"[Thumbs.db, desktop.ini, .DS_Store, "._*", ".nfs*", "@eaDir", lost+found, "$RECYCLE.BIN"]"#
        );
    }
}

section! {
    /// What becomes of a case's folder in the intake when the case has ended so.
    AFTERWARDS {
        /// The folder it is moved to, outside of every intake, state_dir, work_dir and the
        /// results; null leaves it where it is.
        move_to: Kind::LocalPath => Is("null");
    }
}

section! {
    /// One machine to which cases are shipped and on which they run.
    HEADNODE {
        /// How the headnode is called everywhere.
        name: Kind::Text(&NAME) => Required;
        /// `local` is this machine; anything else is handed to ssh as it is, so an alias of
        /// ~/.ssh/config with its jump hosts, keys and agents works.
        host: Kind::Text(&HOST) => Required;
        /// How ssh reaches the host.
        ssh: Kind::Section(&SSH) => Is("{}");
        /// The folder of the program on the headnode: each case is copied to
        /// `<work_dir>/<intake>/<case>`. An absolute path where the host is not local.
        work_dir: Kind::Text(&WORK_DIR) => Required;
        /// Folders that come before the PATH of every command on the headnode.
        path: Kind::List(&Kind::Text(&HOST_PATH)) => Is("[~/.cargo/bin, ~/.local/bin]");
        /// Environment variables of every command on the headnode.
        env: Kind::Variables => Is("{}");
        /// The umask of everything written on the headnode, in octal.
        umask: Kind::Mode => Is(r#""0027""#);
        /// What starts the jobs. `direct` starts each in a session of its own, as soon as it has
        /// its slots.
        queue: Kind::Word(QUEUES) => Computed("direct where host is local, else pueue");
        /// How pueue is used.
        pueue: Kind::Section(&PUEUE) => Is("{}");
        /// The places in which cases run.
        groups: Kind::Sections(&GROUP) => Is("[{name: default, slots: 2}]");
        /// How a case gets to the headnode.
        ship: Kind::WordOr("rsync", &SHARED) => Is("rsync");
        /// What is compared after copying: sizes and times, or the checksums of both sides.
        verify: Kind::Word(&[choice("quick"), choice("checksum")]) => Is("quick");
        /// How many cases may be copied ahead, before a slot is free for them.
        ship_ahead: Kind::Count { least: 0, most: 1000 } => Is("1");
        /// How many cases are copied at the same time.
        max_transfers: Kind::Count { least: 1, most: 64 } => Is("2");
        /// How many bytes a second all copying to this headnode may use; null is no limit.
        bandwidth: Kind::Rate => Is("null");
        /// When cases are copied, as two times of a day; null is always. A copy that is not done by
        /// then goes on the next time; results come home at any time.
        transfer_hours: Kind::Text(&HOURS) => Is("null");
    }
}

section! {
    /// How ssh reaches the host.
    SSH {
        /// A configuration file for ssh in place of the user's own.
        config_file: Kind::LocalPath => Is("null");
        /// How long a connection may take to come about.
        connect_timeout: Kind::Duration { least_ms: 1000 } => Is("10s");
        /// The socket of a connection that a person opened, for one-time passwords. It is used and
        /// never closed. `ssh -M -N -S PATH -o ServerAliveInterval=5 HOST` opens one that notices
        /// when the network has gone.
        control_path: Kind::LocalPath => Is("null");
    }
}

section! {
    /// How pueue is used.
    PUEUE {
        /// The program, as found in `path` on the headnode, or its path there. Which daemon
        /// it asks, PUEUE_CONFIG_PATH and XDG_RUNTIME_DIR in the headnode's `env` say, where
        /// the usual one is not meant.
        command: Kind::Text(&ANY) => Is("pueue");
        /// Whether groups that pueue does not have are created.
        create_groups: Kind::Flag => Is("false");
        /// Whether groups are started that pueue itself paused when it restarted.
        unpause_after_restart: Kind::Flag => Is("false");
    }
}

section! {
    /// One group of places. Exactly one of `gpus` and `slots` says how many.
    GROUP {
        /// How the group is called; under pueue, the group of that name.
        name: Kind::Text(&NAME) => Required;
        /// One slot for each of these GPUs, by number or UUID as CUDA_VISIBLE_DEVICES takes them.
        gpus: Kind::List(&Kind::Gpu) => Is("null");
        /// So many slots without a GPU.
        slots: Kind::Count { least: 1, most: 10_000 } => Is("null");
    }
}

section! {
    /// `rsync` copies. `shared` is for a headnode that sees the same file system under
    /// another path: nothing is copied.
    SHARED {
        /// The two paths of one folder.
        shared: Kind::Section(&PATHS) => Required;
    }
}

section! {
    /// The two paths of one folder.
    PATHS {
        /// The path on this machine.
        here: Kind::LocalPath => Required;
        /// The path on the headnode.
        there: Kind::Text(&HOST_PATH) => Required;
    }
}

section! {
    /// What runs in a case.
    PIPELINE {
        /// Run in the folder of the case, by `shell`. Exit code 0 is success.
        command: Kind::Text(&SCRIPT) => Is("dy-r");
        /// The shell; setup and command are its last argument.
        shell: Kind::List(&Kind::Text(&ANY)) => Is("[sh, -c]");
        /// Run before the command in the same shell, to make its environment.
        setup: Kind::Text(&SCRIPT) => Is("null");
        /// A harmless command, such as `dy-r --version`, which `check` runs the way a job runs;
        /// without it, it runs `true` after the setup.
        probe: Kind::Text(&SCRIPT) => Is("null");
        /// Ends what a job leaves elsewhere, such as containers. It is run on the headnode in the
        /// folder of the case, with the environment of the job and after its setup, when a job was
        /// cancelled, killed or lost, and again until it ends with exit code 0 (within 5 min):
        /// before that, the place of the job is given to no other. It may run more than once. The
        /// attempt's id is DAYLILY_STOP there: what carries DAYLILY_ATTEMPT counts as the job.
        stop: Kind::Text(&SCRIPT) => Is("null");
        /// Environment variables of the command, on top of those of the headnode and of a clean
        /// HOME, USER, LANG, PATH and XDG_RUNTIME_DIR.
        env: Kind::Variables => Is("{}");
        /// Files that must exist, have content and be newer than the start for a success.
        expect: Kind::List(&Kind::Text(&GLOB)) => Is("[]");
        /// How long a case may take.
        limits: Kind::Section(&LIMITS) => Is("{}");
        /// What is done when a job is lost.
        on_lost: Kind::Section(&ON_LOST) => Is("{}");
    }
}

section! {
    /// How long a case may take.
    LIMITS {
        /// From its start to its end; null is no limit.
        run: Kind::Duration { least_ms: 1 } => Is("null");
        /// In the queue; null is no limit.
        queue: Kind::Duration { least_ms: 1 } => Is("null");
        /// Whether a case beyond its limit is told or cancelled.
        on_limit: Kind::Word(&[choice("tell"), choice("cancel")]) => Is("tell");
    }
}

section! {
    /// What is done when a job that had started has left neither a process nor an end.
    ON_LOST {
        /// The headnode was rebooted, so the job certainly ended.
        rebooted: Kind::Word(LOST_ANSWERS) => Is("rerun");
        /// Nobody knows why. It may have done part of its work, so a rerun is only for pipelines
        /// that may safely start again.
        unknown: Kind::Word(LOST_ANSWERS) => Is("hold");
    }
}

section! {
    /// What a case gets by its files, as long as it has not been handed over. What its own
    /// `case.yaml` says comes before it, what its intake says after it; only an intake's
    /// `pipeline`, where it is set, comes before a rule's.
    RULE {
        /// The rule matches when a file of the case matches this pattern: the name of a file
        /// anywhere in the case where the pattern has no slash, else its path within the case.
        files: Kind::Text(&GLOB) => Required;
        /// The pipeline, where the intake sets none; null is `default`.
        pipeline: Kind::Text(&NAME) => Is("null");
        /// The group; null is that of the intake.
        group: Kind::Text(&NAME) => Is("null");
        /// The priority; null is that of the intake.
        priority: Kind::Word(PRIORITIES) => Is("null");
    }
}

section! {
    /// What the sender of a case may say about it: a file `case.yaml` directly in the folder of
    /// the case, of at most 64 KiB. It is data too, and copied with the case. A mistake in it
    /// rejects the case until it is corrected. What it says comes before `rules` and before what
    /// the intake says; a priority that a person has set with `priority` stays.
    CASE {
        /// Which waiting cases go first; null leaves it to the configuration.
        priority: Kind::Word(PRIORITIES) => Is("null");
        /// The group whose slots it takes; null leaves it to the configuration.
        group: Kind::Text(&NAME) => Is("null");
        /// How many GPUs it needs, as so many slots; null is one slot of whatever kind.
        gpus: Kind::Count { least: 0, most: 10_000 } => Is("null");
        /// For the environment of the job: `threads: 8` arrives as DAYLILY_PARAM_threads, as it
        /// is written here, with or without quotes.
        params: Kind::Params => Is("{}");
        /// Who is to be told of this case. It is kept with the case; nobody is notified yet.
        notify: Kind::List(&Kind::Text(&ANY)) => Is("[]");
    }
}

section! {
    /// What is fetched after a run. With nothing to fetch, results stay on the headnode.
    RESULTS {
        /// Files to fetch, relative to the folder of the case.
        fetch: Kind::List(&Kind::Text(&GLOB)) => Is("[]");
        /// Results are put at `<to>/<intake>/<case>/`. Neither in nor around state_dir or a
        /// work_dir.
        to: Kind::LocalPath => Is("./results");
        /// A file that is made in the results when they are complete; null is none.
        marker: Kind::Text(&FILE_NAME) => Is("null");
        /// The Unix group that owns the results; null is that of the daemon.
        group: Kind::Text(&ANY) => Is("null");
        /// The mode of folders in the results, in octal.
        dir_mode: Kind::Mode => Is(r#""2770""#);
        /// The mode of files in the results, in octal.
        file_mode: Kind::Mode => Is(r#""0660""#);
    }
}

section! {
    /// How trouble with one step of a case is met. A headnode that cannot be reached costs
    /// nothing of this.
    RETRY {
        /// The wait before the second try; it doubles with each further one.
        first: Kind::Duration { least_ms: 1 } => Is("5s");
        /// The longest wait.
        most: Kind::Duration { least_ms: 1 } => Is("10m");
        /// After how long without success the case is held for a person.
        for: Kind::Duration { least_ms: 1 } => Is("12h");
    }
}

section! {
    /// How often a headnode is asked about its jobs; the interval adapts between the two.
    POLL {
        /// The shortest interval.
        min: Kind::Duration { least_ms: 10 } => Is("2s");
        /// The longest interval.
        max: Kind::Duration { least_ms: 10 } => Is("30s");
    }
}

section! {
    /// Who is told when a case ends or needs a person.
    NOTIFY {
        /// How.
        kind: Kind::Word(&[choice("mail"), choice("webhook")]) => Required;
        /// The address or the URL.
        to: Kind::Text(&ANY) => Required;
        /// The mail server, as host:port.
        server: Kind::Text(&ANY) => Is("null");
        /// The user at the mail server.
        user: Kind::Text(&ANY) => Is("null");
        /// The password of that user.
        password: Kind::Secret => Is("null");
    }
}

section! {
    /// Which names leave the database.
    PRIVACY {
        /// Where cases are called by their names and not by their ids.
        show_names: Kind::Section(&SHOW_NAMES) => Is("{}");
        /// Whether the end of a failed case's log is put into notices.
        log_tail: Kind::Flag => Is("false");
        /// How the folder of a case is called on the headnode.
        remote_name: Kind::Word(&[choice("name"), choice("id")]) => Is("name");
    }
}

section! {
    /// Where cases are called by their names and not by their ids.
    SHOW_NAMES {
        /// On the page.
        page: Kind::Flag => Is("true");
        /// In mails.
        mail: Kind::Flag => Is("false");
        /// In webhooks.
        webhook: Kind::Flag => Is("false");
    }
}

section! {
    /// The page and the API.
    HTTP {
        /// The address and port to listen on.
        listen: Kind::Text(&LISTEN) => Is("127.0.0.1:8787");
        /// What a client must present; without one only this machine is answered.
        token: Kind::Secret => Is("null");
    }
}

section! {
    /// What the daemon writes about its own work.
    LOG {
        /// The least important events that are written.
        level: Kind::Word(LEVELS) => Is("info");
        /// Lines for people or for programs.
        format: Kind::Word(&[choice("text"), choice("json")]) => Is("text");
        /// A file to append to; null is stderr.
        file: Kind::LocalPath => Is("null");
    }
}
