//! Owns how the daemon is put together: the only place that constructs adapters.

use std::collections::BTreeMap;
use std::sync::Arc;

use ulid::Ulid;

use crate::adapters::host::attempts::ShellHost;
use crate::adapters::host::job::JobGround;
use crate::adapters::host::local::{LocalCopy, LocalHost, LocalHostSettings, LocalShell};
use crate::adapters::host::remains::{Listed, Remains};
use crate::adapters::host::rsync::{RsyncSettings, RsyncTransfer};
use crate::adapters::host::shared::{Mapping, SharedTransfer};
use crate::adapters::host::shell::{Owner, Shell, WorkDir};
use crate::adapters::host::ssh::masters::{LineSettings, Masters};
use crate::adapters::host::ssh::shell::SshShell;
use crate::adapters::host::ssh::sockets::SocketFolder;
use crate::adapters::host::ssh::{SshHostSettings, ssh_host};
use crate::adapters::host::trial::{Trial, TrialGround, TrialPlace};
use crate::adapters::host::{Host, Transfer, Verify};
use crate::adapters::queue::Queue;
use crate::adapters::queue::direct::Direct;
use crate::adapters::queue::pueue::proof::Entries;
use crate::adapters::queue::pueue::{Pueue, PueueSettings};
use crate::chance::SystemChance;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, HeadnodeSettings, HostAddress, QueueKind, Settings};
use crate::intake::workset::heads::Heads;
use crate::reconcile::here::disk::Disk;
use crate::reconcile::{Context, Node};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::open::{Opened, StartWord};

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("headnode {name}: `queue: slurm` is not built yet\nhint: use queue: direct or pueue")]
    NoSlurm { name: String },
}

/// What the version writes into the database and compares there.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Opens the database, which admits one daemon, and puts everything together.
pub async fn assemble(settings: Settings) -> Result<Context, AppError> {
    let (store, owner) = open(&settings)?;
    context(settings, store, &owner).await
}

/// Opens the database, which admits one daemon.
pub fn open(settings: &Settings) -> Result<(Store, Owner), AppError> {
    let (store, opened) = Store::open(&settings.state_dir, SystemClock.now(), VERSION)?;
    if let Some(migrated) = &opened.migrated {
        tracing::info!(
            from = migrated.from,
            to = migrated.to,
            backup = %migrated.backup.display(),
            "the database was brought up to date"
        );
    }
    Ok((store, owner(&opened)))
}

/// Puts together what works with an open database by a configuration.
pub async fn context(settings: Settings, store: Store, owner: &Owner) -> Result<Context, AppError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut nodes = BTreeMap::new();
    for headnode in &settings.headnodes {
        nodes.insert(headnode.name.clone(), node(headnode, &settings, owner)?);
    }
    make_room(&store, &settings).await?;
    let here = Arc::new(Disk::new(clock.clone()).asking(heads()));
    let (settings, nodes, chance) = (Arc::new(settings), Arc::new(nodes), Arc::new(SystemChance));
    Ok(Context { settings, store, clock, chance, here, nodes })
}

/// Who a daemon is on its headnodes that has just opened its database.
pub fn owner(opened: &Opened) -> Owner {
    let word = |word: &StartWord| word.as_str().to_owned();
    let earlier = opened.earlier.iter().map(|(at, start)| (at.0, word(start)));
    Owner {
        database_id: opened.database.as_str().to_owned(),
        generation: opened.generation.0,
        earlier: earlier.collect(),
        word: word(&opened.word),
    }
}

/// Makes rows in the database for what is configured.
pub async fn make_room(store: &Store, settings: &Settings) -> Result<(), StoreError> {
    store.sync_intakes(settings.intakes.iter().map(|i| i.name.clone()).collect()).await?;
    store.sync_headnodes(settings.headnodes.iter().map(|h| h.name.clone()).collect()).await?;
    for headnode in &settings.headnodes {
        let groups = headnode.groups.iter();
        let groups = groups.map(|group| (group.name.clone(), group.slots.clone())).collect();
        store.sync_slots(headnode.name.clone(), groups).await?;
    }
    Ok(())
}

/// Who is asked whether objects in S3 are there: the one place where it is put in. None:
/// nobody can be asked, and what depends on it says so.
pub fn heads() -> Option<Arc<dyn Heads>> {
    None
}

/// Runs scripts on this machine the way a local headnode does.
pub fn local_shell(headnode: &HeadnodeSettings) -> LocalShell {
    LocalShell::new(&headnode.path, &headnode.env)
}

/// Runs scripts on this machine, whatever the headnodes are.
pub fn shell_here() -> LocalShell {
    LocalShell::new(&[], &BTreeMap::new())
}

/// Runs scripts on a headnode behind ssh, over connections that are shared with all who
/// are called the same: a daemon by its database's id.
pub fn ssh_shell(headnode: &HeadnodeSettings, host: &str, whose: &str) -> SshShell {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let masters = masters(headnode, host, whose.to_owned(), clock.clone());
    SshShell::new(masters, clock, headnode.path.clone(), headnode.env.clone())
}

fn node(headnode: &HeadnodeSettings, settings: &Settings, owner: &Owner) -> Result<Node, AppError> {
    let (host, queue): (Arc<dyn Host>, Arc<dyn Queue>) = match &headnode.host {
        HostAddress::Local => {
            let host = LocalHost::new(LocalHostSettings {
                name: headnode.name.clone(),
                work_dir: headnode.work_dir.clone(),
                owner: owner.clone(),
                path: headnode.path.clone(),
                env: headnode.env.clone(),
                umask: headnode.umask,
            });
            let copy = LocalCopy::new(headnode.umask);
            let transfer = shared(headnode, host.work_dir(), Arc::new(copy));
            let queue = queue(headnode, settings, host.work_dir())?;
            (Arc::new(host.moving_by(transfer)), queue)
        }
        HostAddress::Ssh(address) => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let masters = masters(headnode, address, owner.database_id.clone(), clock.clone());
            let host_settings = SshHostSettings {
                name: headnode.name.clone(),
                work_dir: headnode.work_dir.to_string_lossy().into_owned(),
                owner: owner.clone(),
                path: headnode.path.clone(),
                env: headnode.env.clone(),
                umask: headnode.umask,
            };
            let line = masters.clone();
            let host = ssh_host(host_settings, masters, clock, |work_dir| {
                let (ours, rsync) = (owner.clone(), rsync(headnode));
                let transfer = RsyncTransfer::new(line, work_dir.clone(), ours, rsync);
                shared(headnode, work_dir, Arc::new(transfer))
            });
            let queue = queue(headnode, settings, host.work_dir())?;
            (Arc::new(host), queue)
        }
    };
    Ok(Node { settings: headnode.clone(), host, queue, owner: owner.text() })
}

/// What moves cases where the headnode does not see them itself, and results in any case.
fn shared<S: Shell>(
    headnode: &HeadnodeSettings,
    work_dir: &Arc<WorkDir<S>>,
    moving: Arc<dyn Transfer>,
) -> Arc<dyn Transfer> {
    match &headnode.ship {
        config::Ship::Copy => moving,
        config::Ship::Shared { here, there } => {
            let mapping = Mapping { here: here.clone(), there: there.clone() };
            Arc::new(SharedTransfer::new(mapping, work_dir.clone(), moving))
        }
    }
}

fn rsync(headnode: &HeadnodeSettings) -> RsyncSettings {
    RsyncSettings {
        program: "rsync".into(),
        path: headnode.path.clone(),
        umask: headnode.umask,
        verify: match headnode.verify {
            config::Verify::Quick => Verify::Quick,
            config::Verify::Checksum => Verify::Checksum,
        },
        bandwidth: RsyncSettings::share(headnode.bandwidth, headnode.max_transfers),
        stall_after: RsyncSettings::STALL_AFTER,
        at_once: Some(RsyncSettings::AT_ONCE),
    }
}

/// The connections to a headnode. `whose` they are tells them from those of others.
fn masters(
    headnode: &HeadnodeSettings,
    host: &str,
    whose: String,
    clock: Arc<dyn Clock>,
) -> Arc<Masters> {
    let settings = LineSettings {
        headnode: headnode.name.clone(),
        host: host.to_owned(),
        config_file: headnode.ssh.config_file.clone(),
        connect_timeout: headnode.ssh.connect_timeout,
        control_path: headnode.ssh.control_path.clone(),
        folder: SocketFolder::of_this_user(),
        whose,
    };
    Arc::new(Masters::new(settings, clock))
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

/// How pueue is asked on a headnode.
fn pueue_settings(headnode: &HeadnodeSettings, settings: &Settings) -> PueueSettings {
    let (name, command) = (headnode.name.clone(), headnode.pueue.command.clone());
    PueueSettings::new(name, command, settings.state_dir.clone())
}

/// A job to be tried in `folder` on a headnode, through its queue, without being the
/// owner of its work_dir.
pub fn trial(
    headnode: &HeadnodeSettings,
    settings: &Settings,
    shell: Arc<dyn Shell>,
    folder: &str,
) -> Result<Trial<Arc<dyn Shell>>, AppError> {
    let ground = TrialGround {
        headnode: headnode.name.clone(),
        path: headnode.path.clone(),
        env: headnode.env.clone(),
        umask: headnode.umask,
    };
    let place = TrialPlace::new(
        shell.clone(),
        headnode.name.clone(),
        folder,
        &Ulid::generate().to_string(),
    );
    let queue = queue(headnode, settings, place.work_dir())?;
    Ok(Trial::new(place, ground, queue, listed(headnode, shell), Arc::new(SystemClock)))
}

/// What attempts have left in a work_dir that was made to be thrown away.
pub fn remains(
    headnode: &HeadnodeSettings,
    settings: &Settings,
    shell: Arc<dyn Shell>,
    work_dir: String,
) -> Result<Remains<Arc<dyn Shell>>, AppError> {
    let owner = Owner::of_start(Ulid::generate().to_string(), 1, "remains");
    let work_dir = Arc::new(WorkDir::new(shell.clone(), headnode.name.clone(), work_dir, owner));
    let (path, env) = (headnode.path.clone(), headnode.env.clone());
    let ground = JobGround::new(work_dir.root(), path, env, headnode.umask);
    let queue = queue(headnode, settings, &work_dir)?;
    let host = ShellHost::new(headnode.name.clone(), work_dir, ground);
    Ok(Remains { host, queue, listed: listed(headnode, shell), clock: Arc::new(SystemClock) })
}

/// The list of a headnode's queue, where it keeps one.
fn listed(headnode: &HeadnodeSettings, shell: Arc<dyn Shell>) -> Option<Box<dyn Listed>> {
    match headnode.queue {
        QueueKind::Direct | QueueKind::Slurm => None,
        QueueKind::Pueue => {
            let (headnode, command) = (headnode.name.clone(), headnode.pueue.command.clone());
            Some(Box::new(Entries { shell, headnode, command }))
        }
    }
}
