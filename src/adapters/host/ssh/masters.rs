//! Owns the connections to one headnode: one for all scripts, at most two more for
//! files. They are ssh masters that we start, find again after a crash by their fixed
//! sockets, and end when we end; or the one that a person opened, which carries
//! everything and is never ended.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daylily_lifecycle::ids::HeadnodeName;
use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::connect::{Carries, answers, connect, escaped, exit, lost, names};
use super::log::word;
use super::sessions::{AllInUse, Place, Sessions};
use super::sockets::SocketFolder;
use crate::clock::Clock;

/// Where to, and as whom.
#[derive(Debug, Clone)]
pub struct LineSettings {
    /// As people call it.
    pub headnode: HeadnodeName,
    /// As ssh takes it.
    pub host: String,
    /// In place of the user's own configuration.
    pub config_file: Option<PathBuf>,
    pub connect_timeout: Duration,
    /// The socket of a master that a person opened.
    pub control_path: Option<PathBuf>,
    /// Where our own sockets are.
    pub folder: SocketFolder,
    /// Tells those who connect apart, such as a database's id: two with the same share
    /// their connections.
    pub whose: String,
}

/// For so long a failed attempt answers for those who come after it.
const MEMORY: Duration = Duration::from_secs(1);

pub struct Masters {
    settings: LineSettings,
    clock: Arc<dyn Clock>,
    scripts: Line,
    bulk: [Arc<Line>; 2],
    sessions: Sessions,
    /// Held while a bulk line is chosen.
    choice: Mutex<()>,
}

/// One connection, or the place for one.
struct Line {
    carries: Carries,
    /// What tells it from the other lines to the same headnode.
    role: &'static str,
    /// Whoever has it connects; the others wait for what comes of it.
    state: tokio::sync::Mutex<LineState>,
    /// How many transfers use it.
    leases: AtomicUsize,
}

enum LineState {
    /// Not looked at yet by this process.
    Unknown,
    Up,
    Failed {
        /// On the monotonic clock.
        at: Duration,
        fault: Fault,
    },
}

/// A place for one script on the control connection.
pub(super) struct ScriptLine {
    pub(super) socket: PathBuf,
    /// Given back when the script has ended.
    _place: Place,
}

/// A place on a bulk connection, given back when dropped.
pub struct BulkLine {
    socket: PathBuf,
    /// None: a person's master.
    line: Option<Arc<Line>>,
}

impl BulkLine {
    /// The words that rsync takes as its remote shell (`-e`). A dead socket makes them
    /// fail; they never open a connection of their own. A socket's path may have a space
    /// in it. Whatever host is named behind them, the connection is this one.
    pub fn remote_shell(&self) -> Vec<String> {
        let socket = escaped(&self.socket).to_string_lossy().into_owned();
        let mut words: Vec<String> = ["ssh", "-F", "none", "-S"].map(str::to_owned).to_vec();
        words.push(socket);
        for option in ["ControlMaster=no", "ProxyCommand=false", "BatchMode=yes", "LogLevel=ERROR"]
        {
            words.extend(["-o".to_owned(), option.to_owned()]);
        }
        words
    }
}

impl BulkLine {
    pub(super) fn socket(&self) -> &std::path::Path {
        &self.socket
    }
}

impl Drop for BulkLine {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.leases.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Masters {
    pub fn new(settings: LineSettings, clock: Arc<dyn Clock>) -> Self {
        let line = |carries, role| Line {
            carries,
            role,
            state: tokio::sync::Mutex::new(LineState::Unknown),
            leases: AtomicUsize::new(0),
        };
        Self {
            settings,
            clock,
            scripts: line(Carries::Scripts, "scripts"),
            bulk: [line(Carries::Bulk, "bulk1"), line(Carries::Bulk, "bulk2")].map(Arc::new),
            sessions: Sessions::new(),
            choice: Mutex::new(()),
        }
    }

    pub fn settings(&self) -> &LineSettings {
        &self.settings
    }

    /// Whether there is a connection for scripts already, whoever opened it. None is opened.
    pub async fn is_there(&self) -> bool {
        let socket = match &self.settings.control_path {
            Some(path) => Ok(path.clone()),
            None => self.socket(&self.scripts),
        };
        match socket {
            Ok(socket) => answers(&socket).await,
            Err(_) => false,
        }
    }

    /// Brings the connection for scripts about where it is missing.
    pub async fn connect(&self) -> Result<(), Fault> {
        match &self.settings.control_path {
            Some(_) => self.of_a_person().await.map(drop),
            None => self.up(&self.scripts).await,
        }
    }

    /// A place on a connection for files, which is brought about where it is missing. With
    /// more than two at a time they share.
    pub async fn bulk(&self) -> Result<BulkLine, Fault> {
        if self.settings.control_path.is_some() {
            return Ok(BulkLine { socket: self.of_a_person().await?, line: None });
        }
        let lease = {
            let _choosing = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
            let [first, second] = &self.bulk;
            let busy = |line: &Line| line.leases.load(Ordering::Relaxed);
            let line = if busy(second) < busy(first) { second } else { first };
            let socket = self.socket(line)?;
            line.leases.fetch_add(1, Ordering::Relaxed);
            BulkLine { socket, line: Some(line.clone()) }
        };
        if let Some(line) = &lease.line {
            self.up(line).await?;
        }
        Ok(lease)
    }

    /// Gives back a connection over which a transfer failed. Where nobody else uses it the
    /// next one gets a new one: a master may listen here and have lost the other side.
    pub async fn failed(&self, lease: BulkLine) {
        let Some(line) = lease.line.clone() else { return };
        // Nobody begins to use it meanwhile.
        let mut state = line.state.lock().await;
        if line.leases.load(Ordering::Relaxed) <= 1 {
            exit(&lease.socket).await;
            *state = LineState::Unknown;
        }
    }

    /// Ends what we opened. What a person opened stays.
    pub async fn close(&self) {
        if self.settings.control_path.is_some() {
            return;
        }
        let [first, second] = &self.bulk;
        for line in [&self.scripts, first, second] {
            let mut state = line.state.lock().await;
            if let Ok(socket) = self.socket(line) {
                exit(&socket).await;
            }
            *state = LineState::Unknown;
        }
    }

    /// Waits for a place for one script with this limit, and brings the connection about
    /// where it is missing. Unless it may take long, it waits no longer than `patience`.
    pub(super) async fn script(
        &self,
        limit: Duration,
        patience: Duration,
    ) -> Result<ScriptLine, Fault> {
        let place = self.sessions.place(limit, patience).await.map_err(|AllInUse| {
            let text = format!(
                "all sessions of the connection to {} have been in use for {} s",
                self.settings.headnode,
                patience.as_secs()
            );
            Fault::new(FaultClass::TransientHost, text)
        })?;
        let socket = match &self.settings.control_path {
            Some(_) => self.of_a_person().await?,
            None => {
                self.up(&self.scripts).await?;
                self.socket(&self.scripts)?
            }
        };
        Ok(ScriptLine { socket, _place: place })
    }

    /// Why a script's connection is gone.
    pub(super) fn lost(&self, line: &ScriptLine) -> Fault {
        lost(&self.settings, &line.socket)
    }

    /// A living master is used, whoever of us started it. One attempt is made at a time,
    /// and its failure answers for all who ask within the next second.
    async fn up(&self, line: &Line) -> Result<(), Fault> {
        let socket = self.socket(line)?;
        let mut state = line.state.lock().await;
        if let LineState::Failed { at, fault } = &*state
            && self.clock.monotonic().saturating_sub(*at) < MEMORY
        {
            return Err(fault.clone());
        }
        let (headnode, carries) = (&self.settings.headnode, line.role);
        if answers(&socket).await {
            if matches!(&*state, LineState::Unknown) {
                tracing::debug!(%headnode, carries, "found a connection that was left");
            }
            *state = LineState::Up;
            return Ok(());
        }
        if matches!(&*state, LineState::Up) {
            tracing::debug!(%headnode, carries, "the connection is gone");
        }
        match connect(&self.settings, &socket, line.carries).await {
            Ok(()) => {
                tracing::debug!(%headnode, carries, "connected");
                *state = LineState::Up;
                Ok(())
            }
            Err(fault) => {
                let at = self.clock.monotonic();
                *state = LineState::Failed { at, fault: fault.clone() };
                Err(fault)
            }
        }
    }

    /// The socket of a person's master, where it lives.
    async fn of_a_person(&self) -> Result<PathBuf, Fault> {
        let path = self.settings.control_path.clone().unwrap_or_default();
        if answers(&path).await {
            return Ok(path);
        }
        let names = names(&self.settings);
        let socket = word(&escaped(&path).to_string_lossy());
        let text = format!(
            "nobody has opened the connection to {} that it is to be reached by, {}\nhint: run \
             as user {}, and leave it running: {} -M -N -S {socket} \
             -o ServerAliveInterval=5 {}",
            names.headnode,
            path.display(),
            names.us,
            names.ssh,
            names.host
        );
        Err(Fault::new(FaultClass::NeedsPerson, text))
    }

    fn socket(&self, line: &Line) -> Result<PathBuf, Fault> {
        let LineSettings { headnode, host, config_file, folder, whose, .. } = &self.settings;
        let file = config_file.as_ref().map(|file| file.as_os_str().as_encoded_bytes());
        let parts =
            [whose.as_bytes(), headnode.as_str().as_bytes(), host.as_bytes(), file.unwrap_or(b"")];
        folder
            .socket(&parts, line.role)
            .map_err(|error| Fault::new(FaultClass::FatalHost, error.to_string()))
    }
}
