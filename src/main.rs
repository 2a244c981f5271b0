//! The daylily-watch program: parses, starts a runtime, prints errors once.

use daylily_watch::reconcile::driver::{Driver, Until};

fn main() -> anyhow::Result<()> {
    let file = std::env::args().nth(1).map(std::path::PathBuf::from);
    let file = daylily_watch::config::find(file.as_deref())?;
    let settings = daylily_watch::config::load(&file)?;
    daylily_watch::telemetry::begin(&daylily_watch::telemetry::Logging {
        level: "debug".into(),
        format: settings.log.format,
        file: None,
    })?;
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    rt.block_on(async {
        let context = daylily_watch::app::assemble(settings).await?;
        let stop = tokio_util::sync::CancellationToken::new();
        let s2 = stop.clone();
        let mut asked = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = asked.recv() => {}
            }
            s2.cancel();
        });
        let e = Driver::new(context)?.run(Until::Stopped, stop).await?;
        tracing::info!(?e, "ended");
        anyhow::Ok(())
    })
}
