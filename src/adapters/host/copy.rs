//! Owns copying between folders of this machine.

use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio_util::sync::CancellationToken;

use super::{FetchOrder, Fetched, Progress, ShipOrder, Shipped};

pub async fn ship(
    _order: &ShipOrder,
    _umask: u32,
    _progress: &Progress,
    _stop: &CancellationToken,
) -> Result<Shipped, Fault> {
    Err(Fault::new(FaultClass::FatalHost, "copying to this machine is not built in yet"))
}

pub async fn fetch(
    _order: &FetchOrder,
    _progress: &Progress,
    _stop: &CancellationToken,
) -> Result<Fetched, Fault> {
    Err(Fault::new(FaultClass::FatalHost, "copying from this machine is not built in yet"))
}
