//! Owns a real sshd for one test, and the ways to make it bad.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use nix::unistd::{Gid, Uid};
use tempfile::TempDir;

use super::processes::{children, end_all, end_children, family, freeze, is_alive, program, thaw};
use super::{Account, account, installed};
use crate::wait::{LIMIT, holds, until};

/// What meets a command on its way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    Plain,
    /// Prints before it runs the command, as many a `.bashrc` does.
    Noisy,
    /// Says why on standard error and ends with 1.
    Failing,
    /// Runs the command by this program, as `PROGRAM -c COMMAND`.
    Shell(&'static str),
}

/// One line of what [`Login::Noisy`] prints.
pub(crate) const NOISE: &str = "Welcome to the cluster: maintenance on Monday";
/// What [`Login::Failing`] says.
pub(crate) const FAILURE: &str = "your account has expired, ask the front desk";

pub(crate) struct Sshd {
    dir: TempDir,
    port: u16,
    account: Account,
    login: Login,
    /// Lines of sshd_config, before all others.
    lines: Vec<String>,
    listener: Option<Child>,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        Self::with(Login::Plain, &[])
    }

    /// `lines` go into sshd_config before all others, so that they count: the first does.
    pub(crate) fn with(login: Login, lines: &[&str]) -> Self {
        let dir =
            tempfile::Builder::new().prefix("sshd-").tempdir().expect("a temporary directory");
        let account = account();
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        let mut sshd = Self { dir, port: 0, account, login, lines, listener: None };
        sshd.furnish();
        while !sshd.listen_at(free_port()) {}
        sshd
    }

    /// For `ssh.config_file`.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.file("ssh_config")
    }

    /// For `headnodes[].host`.
    pub(crate) fn host(&self) -> &'static str {
        "headnode"
    }

    pub(crate) fn user(&self) -> &str {
        &self.account.name
    }

    pub(crate) fn uid(&self) -> Uid {
        self.account.uid
    }

    pub(crate) fn gid(&self) -> Gid {
        self.account.gid
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A folder of the user who logs in, where a work_dir can be.
    pub(crate) fn remote_dir(&self) -> PathBuf {
        self.file("remote")
    }

    /// The HOME of whoever logs in.
    pub(crate) fn home(&self) -> PathBuf {
        self.file("home")
    }

    /// Makes a file or folder the user's who logs in.
    pub(crate) fn give_to_user(&self, path: &Path) {
        chown(path, Some(self.uid().as_raw()), Some(self.gid().as_raw())).expect("it is there");
    }

    /// How many connections it has accepted since [`Self::start`].
    pub(crate) fn connections(&self) -> usize {
        self.log().matches("\nConnection from ").count()
    }

    /// How many sessions were opened in these connections.
    pub(crate) fn sessions(&self) -> usize {
        self.log().matches("\nStarting session: ").count()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Ends all of it, with what runs in its sessions, as a headnode that is switched off.
    /// What took a session of its own (`setsid`) goes on.
    pub(crate) fn stop(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            end_all(listener.id());
            listener.wait().expect("it is our child");
        }
    }

    /// At the same port, with the files as they are now.
    pub(crate) fn start_again(&mut self) {
        self.stop();
        assert!(self.listen_at(self.port), "port {} is still free: {}", self.port, self.log());
    }

    /// Drops every connection, as a firewall that forgets them. The listener goes on, and
    /// so does what the sessions run.
    pub(crate) fn cut(&self) {
        if let Some(listener) = &self.listener {
            end_children(listener.id(), |pid| program(pid).starts_with("sshd"));
        }
    }

    /// Nothing of it answers any more, and nothing of it is gone.
    pub(crate) fn freeze(&self) {
        if let Some(listener) = &self.listener {
            freeze(listener.id());
        }
    }

    pub(crate) fn thaw(&self) {
        if let Some(listener) = &self.listener {
            thaw(listener.id());
        }
    }

    /// The process that listens.
    pub(crate) fn listener(&self) -> u32 {
        self.listener.as_ref().expect("it runs").id()
    }

    /// How many connections there are now.
    pub(crate) fn open_connections(&self) -> usize {
        let listener = self.listener.as_ref().map(|listener| listener.id());
        listener
            .map(|pid| children(pid).into_iter().filter(|&pid| is_alive(pid)).count())
            .unwrap_or(0)
    }

    /// How many processes its sessions run, without sshd's own.
    pub(crate) fn session_processes(&self) -> usize {
        let family = self.listener.as_ref().map(|listener| family(listener.id()));
        let runs = |&pid: &u32| is_alive(pid) && !program(pid).starts_with("sshd");
        family.unwrap_or_default().into_iter().filter(runs).count()
    }

    /// Lets nobody in from now on who is not in already.
    pub(crate) fn refuse_our_key(&self) {
        fs::write(self.file("authorized_keys"), "").expect("it can be written");
    }

    pub(crate) fn accept_our_key(&self) {
        fs::copy(self.file("user_key.pub"), self.file("authorized_keys")).expect("it was made");
    }

    /// Another one than we know, as after a new installation; ends every connection.
    pub(crate) fn change_host_key(&mut self) {
        for name in ["host_key", "host_key.pub"] {
            fs::remove_file(self.file(name)).expect("it was made");
        }
        make_key(&self.file("host_key"));
        self.start_again();
    }

    /// As if nobody had ever connected to it.
    pub(crate) fn forget_host_key(&self) {
        fs::write(self.file("known_hosts"), "").expect("it can be written");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Keys and folders.
    fn furnish(&self) {
        mode(self.dir.path(), 0o755);
        make_key(&self.file("host_key"));
        make_key(&self.file("user_key"));
        self.accept_our_key();
        // The user whom it lets in reads it.
        mode(&self.file("authorized_keys"), 0o644);
        for folder in [self.remote_dir(), self.home()] {
            fs::create_dir(&folder).expect("it is new");
            mode(&folder, 0o755);
            self.give_to_user(&folder);
        }
        let wrapper = match self.login {
            Login::Plain => return,
            Login::Noisy => format!(
                "echo '{NOISE}'\necho '{NOISE}' >&2\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n"
            ),
            Login::Failing => format!("echo '{FAILURE}' >&2\nexit 1\n"),
            Login::Shell(program) => format!("exec {program} -c \"$SSH_ORIGINAL_COMMAND\"\n"),
        };
        fs::write(self.file("login"), format!("#!/bin/sh\n{wrapper}")).expect("it can be written");
        mode(&self.file("login"), 0o755);
    }

    fn config(&self) -> String {
        let file = |name: &str| self.file(name).display().to_string();
        let mut lines = self.lines.clone();
        if self.login != Login::Plain {
            lines.push(format!("ForceCommand {}", file("login")));
        }
        lines.extend([
            format!("Port {}", self.port),
            "ListenAddress 127.0.0.1".to_owned(),
            format!("HostKey {}", file("host_key")),
            format!("AuthorizedKeysFile {}", file("authorized_keys")),
            format!("SetEnv HOME={}", file("home")),
            "PidFile none".to_owned(),
            "LogLevel VERBOSE".to_owned(),
            "UsePAM no".to_owned(),
            "StrictModes no".to_owned(),
            "PasswordAuthentication no".to_owned(),
            "KbdInteractiveAuthentication no".to_owned(),
            "PrintMotd no".to_owned(),
            "MaxSessions 10".to_owned(),
            "MaxStartups 200".to_owned(),
            "UseDNS no\n".to_owned(),
        ]);
        lines.join("\n")
    }

    fn client_config(&self) -> String {
        let file = |name: &str| self.file(name).display().to_string();
        [
            "Host headnode".to_owned(),
            "HostName 127.0.0.1".to_owned(),
            format!("Port {}", self.port),
            format!("User {}", self.account.name),
            format!("IdentityFile {}", file("user_key")),
            "IdentitiesOnly yes".to_owned(),
            "IdentityAgent none".to_owned(),
            format!("UserKnownHostsFile {}", file("known_hosts")),
            "GlobalKnownHostsFile /dev/null".to_owned(),
            "StrictHostKeyChecking yes".to_owned(),
            "BatchMode yes\n".to_owned(),
        ]
        .join("\n    ")
    }

    /// False: somebody else has the port.
    #[allow(clippy::disallowed_methods, reason = "the test starts the server")]
    fn listen_at(&mut self, port: u16) -> bool {
        if self.port != port {
            self.port = port;
            let key = fs::read_to_string(self.file("host_key.pub")).expect("it was made");
            fs::write(self.file("known_hosts"), format!("[127.0.0.1]:{port} {key}"))
                .expect("it can be written");
            fs::write(self.config_file(), self.client_config()).expect("it can be written");
        }
        fs::write(self.file("sshd_config"), self.config()).expect("it can be written");
        let begun = self.log().len();
        let said = |word: &str| self.log()[begun..].contains(word);
        // By its full path: it starts itself again for each connection.
        let mut listener = Command::new(installed("/usr/sbin/sshd"))
            .arg("-D")
            .arg("-f")
            .arg(self.file("sshd_config"))
            .arg("-E")
            .arg(self.file("log"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd runs");
        let listens = || said("Server listening on");
        until("sshd listens", LIMIT, || {
            listens() || listener.try_wait().expect("it is our child").is_some()
        });
        if listens() {
            self.listener = Some(listener);
            return true;
        }
        assert!(said("Bind to port"), "sshd ended: {}", &self.log()[begun..]);
        false
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
        // What its sessions left may still write there.
        let dir = self.dir.path().to_owned();
        holds(LIMIT, || fs::remove_dir_all(&dir).is_ok());
    }
}

/// Below those that the kernel gives to connections, so that nobody has it while a server
/// is away. Taken by who asks first; different processes begin at different places.
fn free_port() -> u16 {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_000;
    const MANY: u32 = 20_000;
    loop {
        let n = u32::from(ASKED.fetch_add(1, Ordering::Relaxed));
        let place = (std::process::id().wrapping_mul(997) + n) % MANY;
        let port = FIRST + u16::try_from(place).expect("it is below 20,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a key is made by the program that makes keys")]
fn make_key(file: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "daylily-watch test", "-f"])
        .arg(file)
        .stdin(Stdio::null())
        .status()
        .expect("ssh-keygen is missing: run `make servers`");
    assert!(made.success(), "ssh-keygen: {made}");
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}
