//! Owns what comes out of a configuration without mistakes.

use std::path::Path;

use crate::config::tests::{LEAST, read};

#[test]
fn the_least_configuration_gets_every_default() {
    let settings = read(LEAST);
    insta::assert_debug_snapshot!(settings.intakes, @r#"
    [
        IntakeSettings {
            name: IntakeName(
                "in",
            ),
            path: "/lab/in",
            quiet: Auto,
            no_writers: true,
            marker: None,
            marker_timeout: None,
            marker_missing: Wait,
            manifest: Auto,
            unfinished: [
                ".*.??????",
                "*.part",
                "*.partial",
                "*.filepart",
                "*.tmp",
                "*.crdownload",
            ],
            ignore: [
                "Thumbs.db",
                "desktop.ini",
                ".DS_Store",
                "._*",
                ".nfs*",
                "@eaDir",
                "lost+found",
                "$RECYCLE.BIN",
            ],
            watch: Auto,
            rescan: 60s,
            mount_check: None,
            existing: Auto,
            refuse_worksets: false,
            manual: false,
            headnode: HeadnodeName(
                "here",
            ),
            group: None,
            pipeline: None,
            priority: Normal,
            success_to: None,
            failure_to: None,
        },
    ]
    "#);
    insta::assert_debug_snapshot!(settings.headnodes, @r#"
    [
        HeadnodeSettings {
            name: HeadnodeName(
                "here",
            ),
            host: Local,
            work_dir: "/lab/work",
            path: [
                "/home/anna/.cargo/bin",
                "/home/anna/.local/bin",
            ],
            env: {},
            umask: 23,
            queue: Direct,
            groups: [
                GroupSettings {
                    name: GroupName(
                        "default",
                    ),
                    slots: [
                        None,
                        None,
                    ],
                },
            ],
            verify: Quick,
            ship_ahead: 1,
            max_transfers: 2,
            ssh: SshSettings {
                config_file: None,
                connect_timeout: 10s,
                control_path: None,
            },
            pueue: PueueSettings {
                command: "pueue",
                create_groups: false,
                unpause_after_restart: false,
            },
            ship: Copy,
            bandwidth: None,
            transfer_hours: None,
        },
    ]
    "#);
    insta::assert_debug_snapshot!(settings.pipelines, @r#"
    {
        PipelineName(
            "default",
        ): PipelineSettings {
            command: "dy-r",
            shell: [
                "sh",
                "-c",
            ],
            setup: None,
            probe: None,
            stop: None,
            env: {},
            expect: [],
            limits: Limits {
                run: None,
                queue: None,
                on_limit: Tell,
            },
            on_lost: OnLost {
                rebooted: Rerun,
                unknown: Hold,
            },
        },
    }
    "#);
    insta::assert_debug_snapshot!((
        settings.results,
        settings.retry,
        settings.poll,
        settings.log,
    ), @r#"
    (
        ResultsSettings {
            fetch: [],
            to: "/lab/results",
            marker: None,
            group: None,
            dir_mode: 1528,
            file_mode: 432,
        },
        Retry {
            first: 5s,
            most: 600s,
            give_up_after: 43200s,
        },
        PollSettings {
            min: 2s,
            max: 30s,
        },
        LogSettings {
            level: "info",
            format: Text,
            file: None,
        },
    )
    "#);
    assert_eq!(settings.state_dir, Path::new("/lab/state"));
    assert_eq!(settings.not_active, []);
}

#[test]
fn every_key_arrives_in_the_settings() {
    let settings = read(
        r#"
state_dir: ~/state
timezone: Europe/Berlin
intakes:
  - name: scanner
    kind: directory
    path: /mnt/scanner
    settle:
      quiet: 90s
      no_writers: false
      marker: daylily.ready
      marker_timeout: 6h
      marker_missing: accept
      manifest: SHA256SUMS
      unfinished: ["*.part"]
      ignore: []
    watch: poll
    rescan: 500ms
    mount_check: .mounted
    existing: process
    worksets: refuse
    start: manual
    headnode: gpu
    group: big
    pipeline: dose
    priority: urgent
    on_success: {move_to: ../done}
    on_failure: {move_to: /mnt/failed}
headnodes:
  - {name: cpu, host: local, work_dir: ~/work}
  - name: gpu
    host: local
    work_dir: /data/daylily
    path: [/opt/bin, ~/bin]
    env: {LANG: C.UTF-8, EMPTY: "", N: "4"}
    umask: "0007"
    queue: direct
    groups: [{name: big, gpus: [0, "1", GPU-8f6a]}, {name: small, slots: 2}]
    ship: rsync
    verify: checksum
    ship_ahead: 0
    max_transfers: 4
pipelines:
  dose:
    command: |
      ./run
      ./check
    shell: [bash, -lc]
    setup: module load dose
    stop: ./stop --all
    probe: dose --version
    env: {OMP_NUM_THREADS: "8"}
    expect: ["out/*.dcm"]
    limits: {run: 7d, queue: 24h, on_limit: cancel}
    on_lost: {rebooted: hold, unknown: rerun}
rules:
  - {files: "*.dcm", pipeline: dose, group: small, priority: low}
  - {files: raw/*}
results: {fetch: ["out/**"], to: /srv/results, marker: done, group: lab, dir_mode: "0750", file_mode: "0640"}
retry: {first: 1s, most: 1m, for: 1h}
poll: {min: 100ms, max: 1s}
lost_after: 3m
aging: 2d
log: {level: debug, format: json, file: daylily.log}
"#,
    );
    insta::assert_debug_snapshot!(settings.rules, @r#"
    [
        RuleSettings {
            files: "*.dcm",
            pipeline: Some(
                PipelineName(
                    "dose",
                ),
            ),
            group: Some(
                GroupName(
                    "small",
                ),
            ),
            priority: Some(
                Low,
            ),
        },
        RuleSettings {
            files: "raw/*",
            pipeline: None,
            group: None,
            priority: None,
        },
    ]
    "#);
    insta::assert_debug_snapshot!(settings.intakes, @r#"
    [
        IntakeSettings {
            name: IntakeName(
                "scanner",
            ),
            path: "/mnt/scanner",
            quiet: Fixed(
                90s,
            ),
            no_writers: false,
            marker: Some(
                "daylily.ready",
            ),
            marker_timeout: Some(
                21600s,
            ),
            marker_missing: Accept,
            manifest: Named(
                "SHA256SUMS",
            ),
            unfinished: [
                "*.part",
            ],
            ignore: [],
            watch: Poll,
            rescan: 500ms,
            mount_check: Some(
                ".mounted",
            ),
            existing: Process,
            refuse_worksets: true,
            manual: true,
            headnode: HeadnodeName(
                "gpu",
            ),
            group: Some(
                GroupName(
                    "big",
                ),
            ),
            pipeline: Some(
                PipelineName(
                    "dose",
                ),
            ),
            priority: Urgent,
            success_to: Some(
                "/lab/../done",
            ),
            failure_to: Some(
                "/mnt/failed",
            ),
        },
    ]
    "#);
    insta::assert_debug_snapshot!(settings.headnodes, @r#"
    [
        HeadnodeSettings {
            name: HeadnodeName(
                "cpu",
            ),
            host: Local,
            work_dir: "/home/anna/work",
            path: [
                "/home/anna/.cargo/bin",
                "/home/anna/.local/bin",
            ],
            env: {},
            umask: 23,
            queue: Direct,
            groups: [
                GroupSettings {
                    name: GroupName(
                        "default",
                    ),
                    slots: [
                        None,
                        None,
                    ],
                },
            ],
            verify: Quick,
            ship_ahead: 1,
            max_transfers: 2,
            ssh: SshSettings {
                config_file: None,
                connect_timeout: 10s,
                control_path: None,
            },
            pueue: PueueSettings {
                command: "pueue",
                create_groups: false,
                unpause_after_restart: false,
            },
            ship: Copy,
            bandwidth: None,
            transfer_hours: None,
        },
        HeadnodeSettings {
            name: HeadnodeName(
                "gpu",
            ),
            host: Local,
            work_dir: "/data/daylily",
            path: [
                "/opt/bin",
                "/home/anna/bin",
            ],
            env: {
                "EMPTY": "",
                "LANG": "C.UTF-8",
                "N": "4",
            },
            umask: 7,
            queue: Direct,
            groups: [
                GroupSettings {
                    name: GroupName(
                        "big",
                    ),
                    slots: [
                        Some(
                            "0",
                        ),
                        Some(
                            "1",
                        ),
                        Some(
                            "GPU-8f6a",
                        ),
                    ],
                },
                GroupSettings {
                    name: GroupName(
                        "small",
                    ),
                    slots: [
                        None,
                        None,
                    ],
                },
            ],
            verify: Checksum,
            ship_ahead: 0,
            max_transfers: 4,
            ssh: SshSettings {
                config_file: None,
                connect_timeout: 10s,
                control_path: None,
            },
            pueue: PueueSettings {
                command: "pueue",
                create_groups: false,
                unpause_after_restart: false,
            },
            ship: Copy,
            bandwidth: None,
            transfer_hours: None,
        },
    ]
    "#);
    insta::assert_debug_snapshot!(settings.pipelines, @r#"
    {
        PipelineName(
            "dose",
        ): PipelineSettings {
            command: "./run\n./check\n",
            shell: [
                "bash",
                "-lc",
            ],
            setup: Some(
                "module load dose",
            ),
            probe: Some(
                "dose --version",
            ),
            stop: Some(
                "./stop --all",
            ),
            env: {
                "OMP_NUM_THREADS": "8",
            },
            expect: [
                "out/*.dcm",
            ],
            limits: Limits {
                run: Some(
                    604800s,
                ),
                queue: Some(
                    86400s,
                ),
                on_limit: Cancel,
            },
            on_lost: OnLost {
                rebooted: Hold,
                unknown: Rerun,
            },
        },
    }
    "#);
    insta::assert_debug_snapshot!((
        settings.state_dir,
        settings.time_zone.iana_name(),
        settings.results,
        settings.retry,
        settings.poll,
        settings.lost_after,
        settings.aging,
        settings.log,
    ), @r#"
    (
        "/home/anna/state",
        Some(
            "Europe/Berlin",
        ),
        ResultsSettings {
            fetch: [
                "out/**",
            ],
            to: "/srv/results",
            marker: Some(
                "done",
            ),
            group: Some(
                "lab",
            ),
            dir_mode: 488,
            file_mode: 416,
        },
        Retry {
            first: 1s,
            most: 60s,
            give_up_after: 3600s,
        },
        PollSettings {
            min: 100ms,
            max: 1s,
        },
        180s,
        172800s,
        LogSettings {
            level: "debug",
            format: Json,
            file: Some(
                "/lab/daylily.log",
            ),
        },
    )
    "#);
    assert_eq!(settings.not_active, []);
}
