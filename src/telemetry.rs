//! Owns where the log goes and how it looks: to stderr or a file, as text or as JSON.

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

#[derive(Debug, Clone)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    pub format: LogFormat,
    /// None: stderr.
    pub file: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("open the log file {path}\nhint: correct `log.file` or `--log-file`")]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{level:?} is not a log level\nhint: error, warn, info, debug or trace")]
    Level { level: String },
}

/// Begins logging for the rest of the process. A second call changes nothing.
pub fn begin(logging: &Logging) -> Result<(), LoggingError> {
    let filter = format!("off,daylily_watch={}", logging.level);
    let filter = EnvFilter::try_new(filter)
        .map_err(|_| LoggingError::Level { level: logging.level.clone() })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let begun = match &logging.file {
        None => match logging.format {
            LogFormat::Text => builder.with_writer(io::stderr).with_ansi(false).try_init(),
            LogFormat::Json => builder.json().with_writer(io::stderr).try_init(),
        },
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|source| LoggingError::Open { path: path.clone(), source })?;
            match logging.format {
                LogFormat::Text => {
                    builder.with_writer(std::sync::Mutex::new(file)).with_ansi(false).try_init()
                }
                LogFormat::Json => {
                    builder.json().with_writer(std::sync::Mutex::new(file)).try_init()
                }
            }
        }
    };
    if let Err(error) = begun {
        tracing::debug!(%error, "logging had begun already");
    }
    Ok(())
}
