//! Owns how the daemon is put together: the only place that constructs adapters.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapters::host::Host;
use crate::adapters::host::local::{LocalHost, LocalHostSettings, LocalShell};
use crate::adapters::host::shell::{Owner, Shell, WorkDir};
use crate::adapters::queue::Queue;
use crate::adapters::queue::direct::Direct;
use crate::adapters::queue::pueue::{Pueue, PueueSettings};
use crate::clock::{Clock, SystemClock};
use crate::config::{HeadnodeSettings, HostAddress, QueueKind, Settings};
use crate::reconcile::{Context, Node};
use crate::store::Store;
use crate::store::error::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "headnode {name}: this version reaches only `host: local`\n\
         hint: a later version brings ssh"
    )]
    NotBuilt { name: String },
    #[error("headnode {name}: `queue: slurm` is not built yet\nhint: use queue: direct or pueue")]
    NoSlurm { name: String },
}

/// What the version writes into the database and compares there.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Opens the database, which admits one daemon, and puts everything together.
pub async fn assemble(settings: Settings) -> Result<Context, AppError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (store, opened) = Store::open(&settings.state_dir, clock.now(), VERSION)?;
    if let Some(migrated) = &opened.migrated {
        tracing::info!(
            from = migrated.from,
            to = migrated.to,
            backup = %migrated.backup.display(),
            "the database was brought up to date"
        );
    }
    let owner =
        Owner { database_id: opened.database.as_str().to_owned(), generation: opened.generation.0 };
    let mut nodes = BTreeMap::new();
    for headnode in &settings.headnodes {
        nodes.insert(headnode.name.clone(), node(headnode, &settings, &owner)?);
    }
    store.sync_intakes(settings.intakes.iter().map(|i| i.name.clone()).collect()).await?;
    store.sync_headnodes(settings.headnodes.iter().map(|h| h.name.clone()).collect()).await?;
    for headnode in &settings.headnodes {
        let groups = headnode.groups.iter();
        let groups = groups.map(|group| (group.name.clone(), group.slots.clone())).collect();
        store.sync_slots(headnode.name.clone(), groups).await?;
    }
    Ok(Context { settings: Arc::new(settings), store, clock, nodes: Arc::new(nodes) })
}

/// Runs scripts on a headnode without being its owner, for `check`. None: this version
/// does not reach it.
pub fn shell(headnode: &HeadnodeSettings) -> Option<LocalShell> {
    match &headnode.host {
        HostAddress::Local => Some(LocalShell::new(&headnode.path, &headnode.env)),
        HostAddress::Ssh(_) => None,
    }
}

fn node(headnode: &HeadnodeSettings, settings: &Settings, owner: &Owner) -> Result<Node, AppError> {
    match &headnode.host {
        HostAddress::Local => {
            let host = LocalHost::new(LocalHostSettings {
                name: headnode.name.clone(),
                work_dir: headnode.work_dir.clone(),
                owner: owner.clone(),
                path: headnode.path.clone(),
                env: headnode.env.clone(),
                umask: headnode.umask,
            });
            let queue = queue(headnode, settings, host.work_dir())?;
            let host: Arc<dyn Host> = Arc::new(host);
            let owner = format!("{} {}", owner.database_id, owner.generation);
            Ok(Node { settings: headnode.clone(), host, queue, owner })
        }
        HostAddress::Ssh(_) => Err(AppError::NotBuilt { name: headnode.name.to_string() }),
    }
}

/// What starts the jobs that a host prepares in this work_dir.
fn queue<S: Shell>(
    headnode: &HeadnodeSettings,
    settings: &Settings,
    work_dir: &Arc<WorkDir<S>>,
) -> Result<Arc<dyn Queue>, AppError> {
    match headnode.queue {
        QueueKind::Direct => Ok(Arc::new(Direct::new(work_dir.clone()))),
        QueueKind::Pueue => {
            Ok(Arc::new(Pueue::new(work_dir.clone(), pueue_settings(headnode, settings))))
        }
        QueueKind::Slurm => Err(AppError::NoSlurm { name: headnode.name.to_string() }),
    }
}

/// How pueue is asked on a headnode, also by `check`.
pub fn pueue_settings(headnode: &HeadnodeSettings, settings: &Settings) -> PueueSettings {
    let (name, command) = (headnode.name.clone(), headnode.pueue.command.clone());
    PueueSettings::new(name, command, settings.state_dir.clone())
}
