//! A directory intake with real files, real writers and the kernel's real hints.

mod arriving;
pub(crate) mod sender;
mod vanishing;
mod watching;

use std::path::Path;

use daylily_lifecycle::case::{Condition, ConditionName, LastChange};
use daylily_lifecycle::ids::Fingerprint;
use daylily_lifecycle::settle::{Judged, MarkerMissing, Memory, Settle, judge};
use daylily_watch::clock::{Clock, SystemClock};
use daylily_watch::intake::directory::scan::{ScanSettings, scan};
use daylily_watch::tree::Names;
use jiff::{SignedDuration, Timestamp};

fn names(patterns: &[&str]) -> Names {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
    Names::new(&patterns).unwrap()
}

fn scan_settings() -> ScanSettings {
    ScanSettings {
        ignore: names(&["Thumbs.db", "desktop.ini", ".DS_Store", "._*", ".nfs*", "@eaDir"]),
        unfinished: names(&[".*.??????", "*.part", "*.partial", "*.filepart", "*.tmp"]),
        marker: Some("daylily.ready".to_owned()),
        no_writers: true,
        by_fingerprint_only: false,
    }
}

fn settle() -> Settle {
    Settle {
        quiet: SignedDuration::from_secs(10),
        equal_scans: 1,
        no_writers: true,
        marker: None,
        marker_timeout: None,
        marker_missing: MarkerMissing::Wait,
        manual: false,
    }
}

/// What the store would keep of a case between two scans.
#[derive(Default)]
struct Desk {
    fingerprint: Option<Fingerprint>,
    last_change: Option<LastChange>,
    conditions: Vec<Condition>,
}

impl Desk {
    /// Scans now, and judges as if it were `later`: time passes, the folder does not
    /// change, and no test has to wait for it.
    fn look(&mut self, case: &Path, settle: &Settle, later: SignedDuration) -> Judged {
        let now = SystemClock.now() + later;
        let mut settings = scan_settings();
        settings.by_fingerprint_only = settle.equal_scans > 1;
        let tree = scan(case, &settings, now).unwrap();
        let memory = Memory {
            compared: None,
            first_seen: Timestamp::UNIX_EPOCH,
            fingerprint: self.fingerprint.as_ref(),
            last_change: self.last_change.as_ref(),
            conditions: &self.conditions,
            accepted: false,
            last_event: None,
            new_content: None,
        };
        let judged = judge(&tree, &memory, settle, now);
        self.fingerprint = Some(tree.fingerprint);
        self.last_change = Some(judged.last_change.clone());
        self.conditions.clone_from(&judged.conditions);
        judged
    }
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn missing(judged: &Judged) -> Vec<ConditionName> {
    judged.conditions.iter().filter(|c| !c.holds).map(|c| c.name).collect()
}
