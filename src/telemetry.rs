//! Owns where the log goes and how it looks: to stderr or a file, as text or as JSON.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::clock::{Clock, SystemClock};
use crate::config::LogFormat;
use crate::mask::Masking;

/// The target of events that tell of one case what its sentence says.
pub const CASE: &str = "case";

/// Does something to the terminal while nothing else is drawn there.
pub type Undisturbed = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

#[derive(Clone)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    pub format: LogFormat,
    /// None: stderr.
    pub file: Option<PathBuf>,
    /// Where stderr is a terminal on which something is drawn, which also tells of cases.
    pub drawn: Option<Undisturbed>,
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
    let level = &logging.level;
    let mut filter = format!("off,daylily_watch={level}");
    if logging.file.is_some() || logging.drawn.is_none() {
        filter.push_str(&format!(",{CASE}={level}"));
    }
    let filter =
        EnvFilter::try_new(filter).map_err(|_| LoggingError::Level { level: level.clone() })?;
    let writer = match (&logging.file, &logging.drawn) {
        (Some(path), _) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|source| LoggingError::Open { path: path.clone(), source })?;
            BoxMakeWriter::new(Mutex::new(Masking(file)))
        }
        (None, Some(undisturbed)) => {
            let undisturbed = undisturbed.clone();
            BoxMakeWriter::new(move || Masking(Between(undisturbed.clone())))
        }
        (None, None) => BoxMakeWriter::new(|| Masking(io::stderr())),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let builder = builder.with_writer(writer).with_ansi(false).with_timer(Utc);
    let begun = match logging.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if let Err(error) = begun {
        tracing::debug!(%error, "logging had begun already");
    }
    Ok(())
}

/// As the database has it.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", SystemClock.now())
    }
}

/// Stderr, while nothing is drawn on it. Each event comes as one write.
struct Between(Undisturbed);

impl Write for Between {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = Ok(());
        (self.0)(&mut || written = io::stderr().write_all(bytes));
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
