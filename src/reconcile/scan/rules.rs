//! Owns what the configuration of an intake means for looking at it and judging it.

use daylily_lifecycle::outcome::{Fault, FaultClass};
use daylily_lifecycle::settle::Settle;

use crate::config::{IntakeSettings, Manifest, Quiet, WatchMode};
use crate::intake::directory::listing::ListSettings;
use crate::intake::directory::manifest::{ManifestSettings, Wanted};
use crate::intake::directory::mount::{Mount, behind};
use crate::intake::directory::scan::ScanSettings;
use crate::tree::{Names, TreeError};

/// The rules of one intake, on the file system it is on at present.
#[derive(Debug, Clone)]
pub struct Rules {
    pub manifest: ManifestSettings,
    pub list: ListSettings,
    pub scan: ScanSettings,
    pub refuse_worksets: bool,
    pub settle: Settle,
}

impl Rules {
    /// Asks the kernel what the intake is mounted from.
    pub fn of(intake: &IntakeSettings) -> Result<Self, Fault> {
        let mount = behind(&intake.path)
            .map_err(|error| Fault::new(FaultClass::TransientStep, error.to_string()))?;
        Self::on(intake, &mount)
            .map_err(|error| Fault::new(FaultClass::FatalCase, error.to_string()))
    }

    fn on(intake: &IntakeSettings, mount: &Mount) -> Result<Self, TreeError> {
        let ignore = Names::new(&intake.ignore)?;
        let unfinished = Names::new(&intake.unfinished)?;
        let (auto, equal_scans) = mount.quiet();
        let quiet = match intake.quiet {
            Quiet::Auto => auto,
            Quiet::Fixed(quiet) => quiet,
        };
        let expected = intake.mount_check.iter().chain(&intake.marker).cloned().collect();
        let wanted = match &intake.manifest {
            Manifest::None => Wanted::None,
            Manifest::Auto => Wanted::Usual,
            Manifest::Named(name) => Wanted::Named(name.clone()),
        };
        Ok(Self {
            manifest: ManifestSettings {
                wanted,
                ignore: ignore.clone(),
                marker: intake.marker.clone(),
            },
            list: ListSettings { ignore: ignore.clone(), unfinished: unfinished.clone(), expected },
            scan: ScanSettings {
                ignore,
                unfinished,
                marker: intake.marker.clone(),
                no_writers: intake.no_writers,
                by_fingerprint_only: intake.watch == WatchMode::Poll || !mount.dates_changes(),
            },
            refuse_worksets: intake.refuse_worksets,
            settle: Settle {
                quiet,
                equal_scans,
                no_writers: intake.no_writers,
                marker: intake.marker.clone(),
                marker_timeout: intake.marker_timeout,
                marker_missing: intake.marker_missing,
                manual: intake.manual,
            },
        })
    }
}
