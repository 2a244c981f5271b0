//! Owns asking again where an answer broke off, and waiting for what the disk does.

use daylily_lifecycle::outcome::{Fault, FaultClass};

/// Tries of what comes to the same when it is repeated.
const TRIES: u32 = 3;

/// Asks again where nothing is known of what happened, and it may happen twice; what else
/// went wrong is for others to judge.
pub(super) async fn again<T>(mut ask: impl AsyncFnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    let lost = |class| matches!(class, FaultClass::TransientHost | FaultClass::Ambiguous);
    let mut tries = 1;
    loop {
        match ask().await {
            Err(fault) if lost(fault.class) && tries < TRIES => tries += 1,
            answer => return answer,
        }
    }
}

/// What may take long without the processor.
pub(super) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(act).await;
    done.unwrap_or_else(|error| {
        Err(Fault::new(FaultClass::TransientStep, format!("a task of ours broke: {error}")))
    })
}
