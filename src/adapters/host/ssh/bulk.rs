//! Owns lending the connections for files to rsync.

use daylily_lifecycle::outcome::Fault;

use super::connect::{answers, lost, names};
use super::log::fault;
use super::masters::{BulkLine, Masters};
use crate::adapters::host::rsync::{Lease, Line};

/// rsync asks for a host, and the socket decides which it is.
const ANY_HOST: &str = "headnode";

#[async_trait::async_trait]
impl Line for Masters {
    async fn lease(&self) -> Result<Lease, Fault> {
        let line = self.bulk().await?;
        let (remote_shell, host) = (line.remote_shell(), ANY_HOST.to_owned());
        Ok(Lease { remote_shell, host, held: Box::new(line) })
    }

    async fn failed(&self, lease: Lease) {
        if let Ok(line) = lease.held.downcast::<BulkLine>() {
            Masters::failed(self, *line).await;
        }
    }

    fn told(&self, said: &str) -> Option<Fault> {
        fault(said, &names(self.settings()))
    }

    async fn is_up(&self, lease: &Lease) -> bool {
        match lease.held.downcast_ref::<BulkLine>() {
            Some(line) => answers(line.socket()).await,
            None => false,
        }
    }

    fn lost(&self, lease: &Lease) -> Option<Fault> {
        let line = lease.held.downcast_ref::<BulkLine>()?;
        Some(lost(self.settings(), line.socket()))
    }
}
