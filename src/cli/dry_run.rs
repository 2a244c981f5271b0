//! Owns `--dry-run`.

use super::Outcome;
use super::printer::Printer;
use crate::config::Settings;

pub(super) fn dry_run(_settings: &Settings, _printer: &mut Printer) -> Outcome {
    Ok(super::Exit::Usage)
}
