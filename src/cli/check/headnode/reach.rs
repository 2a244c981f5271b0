//! Whether the headnode is reached, and over which shell.

use std::sync::Arc;

use daylily_lifecycle::outcome::Fault;

use super::{At, Report};
use crate::adapters::host::shell::Shell;
use crate::app;

/// A headnode that answers.
pub(super) struct Reached {
    pub(super) shell: Arc<dyn Shell>,
}

/// What was left when something was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The script that began it has ended.
    Starter,
}

impl Left {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Starter => "its starter",
        }
    }
}

impl Reached {
    /// Begins something over a shell that is left afterwards as far as that can be.
    pub(super) async fn begin_and_leave<T>(
        &self,
        begin: impl AsyncFnOnce(&dyn Shell) -> Result<T, Fault>,
    ) -> Result<(T, Left), Fault> {
        Ok((begin(&*self.shell).await?, Left::Starter))
    }

    /// Ends what was opened for this.
    pub(super) async fn leave(self) {}
}

/// None: it was told why not.
pub(super) async fn reach(report: &mut Report, at: &At<'_>) -> Option<Reached> {
    match app::shell(at.headnode) {
        Some(shell) => Some(Reached { shell: Arc::new(shell) }),
        None => {
            let text = "this version reaches only `host: local`";
            report.fail(&at.name(""), text, "use host: local");
            None
        }
    }
}
