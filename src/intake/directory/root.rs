//! Owns the look at an intake's root that may be believed: what is mounted there is
//! checked before and after listing, so that a share that comes or goes in between
//! never passes for a folder without cases.

use std::error::Error;
use std::path::Path;

use super::listing::{ListSettings, Listing, list};
use super::mount::{Mount, MountState, behind, check};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootLook {
    Listed {
        /// To be remembered, as [`Mount::to_text`].
        mount: Mount,
        /// The root or its mount is not the one remembered, and accepted all the same:
        /// one clause to tell, and the watcher has to watch anew.
        replaced: Option<String>,
        listing: Listing,
    },
    /// Nothing in it vanished. One clause says why.
    Unreadable { because: String },
}

/// Looks at an intake's root. `remembered` and `mount_check` as for [`check`]. It may
/// block for as long as a server does not answer.
pub fn look(
    root: &Path,
    remembered: Option<&str>,
    mount_check: Option<&str>,
    settings: &ListSettings,
) -> RootLook {
    let (mount, replaced) = match check(root, remembered, mount_check) {
        MountState::Readable(mount) => (mount, None),
        MountState::Replaced { mount, told } => (mount, Some(told)),
        MountState::Unreadable { because } => return RootLook::Unreadable { because },
    };
    let listing = match list(root, settings) {
        Ok(listing) => listing,
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            let because = format!("{} cannot be listed{cause}", root.display());
            return RootLook::Unreadable { because };
        }
    };
    if behind(root).is_ok_and(|after| after == mount) {
        RootLook::Listed { mount, replaced, listing }
    } else {
        let because = format!("{} was replaced while it was listed", root.display());
        RootLook::Unreadable { because }
    }
}

#[cfg(test)]
mod tests;
