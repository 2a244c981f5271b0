//! Owns keeping a database as it is for a moment, from another process than its daemon:
//! what the daemon does meanwhile it cannot record. Only for a database that was made to
//! be tried on. It writes nothing.

use std::path::Path;

use super::error::{StoreError, failed};
use super::in_use::Connected;
use super::open;

/// A connection that can take the place of the writer. Dropped, it lets go.
#[derive(Debug)]
pub struct Standstill {
    db: Connected,
}

impl Standstill {
    pub fn new(state_dir: &Path, app_version: &str) -> Result<Self, StoreError> {
        Ok(Self { db: open::visit(state_dir, app_version)? })
    }

    /// From when this returns, nothing is recorded until [`Self::end`]. A daemon waits
    /// for some seconds before it takes its database for broken.
    pub fn begin(&self) -> Result<(), StoreError> {
        self.db.execute_batch("BEGIN IMMEDIATE").map_err(failed("keep the database as it is"))
    }

    pub fn end(&self) -> Result<(), StoreError> {
        self.db.execute_batch("ROLLBACK").map_err(failed("let go of the database"))
    }
}
