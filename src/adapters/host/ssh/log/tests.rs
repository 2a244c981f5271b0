use daylily_lifecycle::outcome::FaultClass;

use super::{Names, TABLE, fault, some_fault, word};

fn names() -> Names {
    Names {
        headnode: "hpc".to_owned(),
        ssh: "ssh -F /etc/hpc".to_owned(),
        host: "pipeline@headnode".to_owned(),
        us: "daylily".to_owned(),
    }
}

const CHANGED: &str = "\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
Add correct host key in /home/daylily/known hosts to get rid of this message.\r
Offending ED25519 key in /home/daylily/known hosts:1\r
  remove with:\r
  ssh-keygen -f \"/home/daylily/known hosts\" -R \"[127.0.0.1]:9022\"\r
Host key for [127.0.0.1]:9022 has changed and you have requested strict checking.\r
Host key verification failed.\r
";

/// What ssh 9.2, or a login shell, really says, and the sentence it makes.
const SAID: &[(&str, FaultClass, &str)] = &[
    (
        "/etc/hpc: line 3: Bad configuration option: hots\r\n\
         /etc/hpc: terminating, 1 bad configuration options\r\n",
        FaultClass::FatalHost,
        "ssh does not understand its configuration: /etc/hpc: line 3: Bad configuration option: \
         hots\nhint: correct that line",
    ),
    (
        "/etc/hpc: terminating, 1 bad configuration options\r\n",
        FaultClass::FatalHost,
        "ssh does not understand its configuration: /etc/hpc: terminating, 1 bad configuration \
         options\nhint: correct it",
    ),
    (
        "Can't open user config file /etc/hpc: No such file or directory\r\n",
        FaultClass::FatalHost,
        "ssh cannot read its configuration: Can't open user config file /etc/hpc: No such file \
         or directory\nhint: correct ssh.config_file of hpc",
    ),
    (
        "Bad owner or permissions on /etc/hpc\r\n",
        FaultClass::FatalHost,
        "ssh does not trust its configuration: Bad owner or permissions on /etc/hpc\n\
         hint: nobody but user daylily may be able to write that file",
    ),
    (
        "unix_listener: path \"/a/socket.aBcDeFgHiJkLmNoP\" too long for Unix domain socket\r\n",
        FaultClass::FatalHost,
        "unix_listener: path \"/a/socket.aBcDeFgHiJkLmNoP\" too long for Unix domain socket\n\
         hint: set XDG_RUNTIME_DIR to a shorter path",
    ),
    (
        "\"System is booting up. Unprivileged users are not permitted to log in yet. Please come \
         back later. For technical details, see pam_nologin(8).\"\r\n",
        FaultClass::TransientHost,
        "it is starting, and lets nobody in yet",
    ),
    (
        "System is going down. Unprivileged users are not permitted to log in anymore.\r\n",
        FaultClass::TransientHost,
        "it is going down, and lets nobody in",
    ),
    (
        "/bin/sh: 0: Cannot fork: Resource temporarily unavailable\n",
        FaultClass::TransientHost,
        "it has no room for another process: /bin/sh: 0: Cannot fork: Resource temporarily \
         unavailable\nhint: see `ulimit -u` there",
    ),
    (
        "/bin/sh: 1: Cannot fork\n",
        FaultClass::TransientHost,
        "it has no room for another process: /bin/sh: 1: Cannot fork\nhint: see `ulimit -u` and \
         `free -h` there",
    ),
    (
        "/bin/bash: fork: retry: Resource temporarily unavailable\n/bin/bash: fork: Resource \
         temporarily unavailable\n",
        FaultClass::TransientHost,
        "it has no room for another process: /bin/bash: fork: retry: Resource temporarily \
         unavailable\nhint: see `ulimit -u` there",
    ),
    (
        "-bash: fork: Cannot allocate memory\n",
        FaultClass::TransientHost,
        "it has no memory for another process: -bash: fork: Cannot allocate memory\nhint: see \
         `free -h` there",
    ),
    (
        "bash: error while loading shared libraries: libc.so.6: failed to map segment from shared \
         object\n",
        FaultClass::TransientHost,
        "it has no memory for another process: bash: error while loading shared libraries: \
         libc.so.6: failed to map segment from shared object\nhint: see `ulimit -v` and `free -h` \
         there",
    ),
    (
        CHANGED,
        FaultClass::NeedsPerson,
        "the host key of hpc has changed: Host key for [127.0.0.1]:9022 has changed and you have \
         requested strict checking\nhint: if it was installed anew, run as user daylily: \
         ssh-keygen -f '/home/daylily/known hosts' -R '[127.0.0.1]:9022', then compare the new \
         key in: ssh -F /etc/hpc -o BatchMode=no -o StrictHostKeyChecking=ask pipeline@headnode",
    ),
    (
        "No ED25519 host key is known for [127.0.0.1]:9022 and you have requested strict \
         checking.\r\nHost key verification failed.\r\n",
        FaultClass::NeedsPerson,
        "the host key of hpc is not known: No ED25519 host key is known for [127.0.0.1]:9022 and \
         you have requested strict checking\nhint: run as user daylily, and compare the key: ssh \
         -F /etc/hpc -o BatchMode=no -o StrictHostKeyChecking=ask pipeline@headnode",
    ),
    (
        "Host key verification failed.\r\n",
        FaultClass::NeedsPerson,
        "the host key of hpc could not be verified\nhint: run as user daylily, and compare the \
         key: ssh -F /etc/hpc -o BatchMode=no -o StrictHostKeyChecking=ask pipeline@headnode",
    ),
    (
        "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their \
         offer: ssh-rsa,ssh-dss\r\n",
        FaultClass::FatalHost,
        "ssh and hpc have no method in common: Unable to negotiate with 10.0.0.1 port 22: no \
         matching host key type found. Their offer: ssh-rsa,ssh-dss\nhint: allow one that it \
         offers in the configuration of ssh",
    ),
    (
        "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\r\nPermissions 0644 for \
         '/home/daylily/.ssh/id' are too open.\r\npipeline@headnode: Permission denied \
         (publickey).\r\n",
        FaultClass::NeedsPerson,
        "ssh does not use our key for hpc, because others may read its file\nhint: see as user \
         daylily which file this names, and chmod 600 it: ssh -F /etc/hpc pipeline@headnode",
    ),
    (
        "pipeline@headnode: Permission denied (publickey,keyboard-interactive).\r\n",
        FaultClass::NeedsPerson,
        "hpc refuses our key and would ask for a password: pipeline@headnode: Permission denied \
         (publickey,keyboard-interactive)\nhint: see as user daylily whether this works without \
         a question: ssh -F /etc/hpc -o BatchMode=yes pipeline@headnode; where it must ask, set \
         ssh.control_path of hpc to a path, and run: ssh -F /etc/hpc -M -N -S THAT_PATH \
         -o ServerAliveInterval=5 pipeline@headnode",
    ),
    (
        "pipeline@headnode: Permission denied (publickey,password).\r\n",
        FaultClass::NeedsPerson,
        "hpc refuses our key and would ask for a password: pipeline@headnode: Permission denied \
         (publickey,password)\nhint: see as user daylily whether this works without a question: \
         ssh -F /etc/hpc -o BatchMode=yes pipeline@headnode; where it must ask, set \
         ssh.control_path of hpc to a path, and run: ssh -F /etc/hpc -M -N -S THAT_PATH \
         -o ServerAliveInterval=5 pipeline@headnode",
    ),
    (
        "pipeline@headnode: Permission denied (keyboard-interactive).\r\n",
        FaultClass::NeedsPerson,
        "hpc asks for a one-time password or the like: pipeline@headnode: Permission denied \
         (keyboard-interactive)\nhint: open the connection yourself: set ssh.control_path of hpc \
         to a path, and run as user daylily: ssh -F /etc/hpc -M -N -S THAT_PATH \
         -o ServerAliveInterval=5 pipeline@headnode",
    ),
    (
        "pipeline@headnode: Permission denied (password).\r\n",
        FaultClass::NeedsPerson,
        "hpc asks for a password: pipeline@headnode: Permission denied (password)\nhint: open \
         the connection yourself: set ssh.control_path of hpc to a path, and run as user \
         daylily: ssh -F /etc/hpc -M -N -S THAT_PATH \
         -o ServerAliveInterval=5 pipeline@headnode",
    ),
    (
        // Of the jump host: what follows is only its consequence.
        "pipeline@jump: Permission denied (publickey).\r\nkex_exchange_identification: \
         Connection closed by remote host\r\nConnection closed by UNKNOWN port 65535\r\n",
        FaultClass::NeedsPerson,
        "hpc refuses our key: pipeline@jump: Permission denied (publickey)\nhint: see as user \
         daylily whether this works without a question: ssh -F /etc/hpc -o BatchMode=yes \
         pipeline@headnode; a key with a passphrase needs an agent, a new one ssh-copy-id",
    ),
    (
        "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\r\n\
         Disconnected from 10.0.0.1 port 22\r\n",
        FaultClass::NeedsPerson,
        "hpc refuses our keys before the right one is tried: Received disconnect from 10.0.0.1 \
         port 22:2: Too many authentication failures\nhint: set IdentityFile and \
         `IdentitiesOnly yes` for it in the configuration of ssh",
    ),
    (
        "No more authentication methods to try.\r\n",
        FaultClass::NeedsPerson,
        "hpc accepts none of our ways to log in: No more authentication methods to try\nhint: \
         see as user daylily whether this works without a question: ssh -F /etc/hpc -o \
         BatchMode=yes pipeline@headnode; a key with a passphrase needs an agent, a new one \
         ssh-copy-id",
    ),
    (
        "ssh: Could not resolve hostname headnode: Temporary failure in name resolution\r\n",
        FaultClass::TransientHost,
        "its name cannot be looked up at present",
    ),
    (
        "ssh: Could not resolve hostname headnode: Name or service not known\r\n",
        FaultClass::TransientHost,
        "its name is not known: Could not resolve hostname headnode: Name or service not known\n\
         hint: see `host` of hpc, and HostName in the configuration of ssh",
    ),
    (
        "ssh: connect to host 127.0.0.1 port 9: Connection refused\r\n",
        FaultClass::TransientHost,
        "connection refused",
    ),
    (
        "ssh: connect to host 10.0.0.1 port 22: Connection timed out\r\n",
        FaultClass::TransientHost,
        "connection timed out",
    ),
    (
        "Connection timed out during banner exchange\r\nConnection to 127.0.0.1 port 9022 timed \
         out\r\n",
        FaultClass::TransientHost,
        "connection timed out",
    ),
    (
        "ssh: connect to host 10.0.0.1 port 22: Operation timed out\r\n",
        FaultClass::TransientHost,
        "connection timed out",
    ),
    (
        "ssh: connect to host 10.0.0.1 port 22: No route to host\r\n",
        FaultClass::TransientHost,
        "no route to host",
    ),
    (
        "ssh: connect to host 10.0.0.1 port 22: Network is unreachable\r\n",
        FaultClass::TransientHost,
        "the network is unreachable",
    ),
    (
        "channel 0: open failed: administratively prohibited: open failed\r\nstdio forwarding \
         failed\r\nConnection closed by UNKNOWN port 65535\r\n",
        FaultClass::TransientHost,
        "sshd refuses a channel on its connection: channel 0: open failed: administratively \
         prohibited: open failed\nhint: see MaxSessions and AllowTcpForwarding of sshd there; \
         MaxSessions 10 is enough",
    ),
    (
        "Server refused the request: Session open refused by peer.",
        FaultClass::TransientHost,
        "sshd allows no more sessions on one connection\nhint: see MaxSessions of sshd there; 10 \
         is enough",
    ),
    (
        "kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by \
         127.0.0.1 port 9022\r\n",
        FaultClass::TransientHost,
        "connection reset",
    ),
    (
        "client_loop: send disconnect: Broken pipe\r\n",
        FaultClass::TransientHost,
        "the connection broke",
    ),
    (
        "Timeout, server 127.0.0.1 not responding.\r\n",
        FaultClass::TransientHost,
        "the connection broke: nothing came over it any more",
    ),
    (
        "Connection to 127.0.0.1 closed by remote host.\r\n",
        FaultClass::TransientHost,
        "the connection was closed by the other side",
    ),
    (
        "Connection closed by 127.0.0.1 port 9022\r\n",
        FaultClass::TransientHost,
        "the connection was closed by the other side",
    ),
    (
        "banner exchange: Connection to 127.0.0.1 port 9022: invalid format\r\n",
        FaultClass::TransientHost,
        "sshd did not answer: banner exchange: Connection to 127.0.0.1 port 9022: invalid format",
    ),
    (
        "kex_exchange_identification: client sent invalid protocol identifier\r\n",
        FaultClass::TransientHost,
        "sshd did not answer: kex_exchange_identification: client sent invalid protocol \
         identifier",
    ),
    (
        "ControlSocket /run/x already exists, disabling multiplexing\r\n",
        FaultClass::TransientHost,
        "another connection of ours came first",
    ),
];

#[test]
fn what_ssh_says_becomes_a_class_and_a_sentence_with_the_way_out() {
    for (said, class, text) in SAID {
        let fault = fault(said, &names()).unwrap_or_else(|| panic!("{said} is not in the table"));
        assert_eq!((fault.class, fault.text.as_str()), (*class, *text), "{said}");
    }
}

#[test]
fn every_row_of_the_table_is_shown_by_what_ssh_says() {
    for row in TABLE {
        let first = |said: &str| TABLE.iter().find(|row| row.line(said).is_some());
        let is_met =
            SAID.iter().any(|(said, ..)| first(said).is_some_and(|met| std::ptr::eq(met, row)));
        assert!(is_met, "{:?}", row.says);
    }
}

#[test]
fn no_sentence_has_a_gap_left() {
    for (said, ..) in SAID {
        let fault = fault(said, &names()).unwrap();
        assert!(!fault.text.contains(['{', '}']), "{}", fault.text);
    }
}

#[test]
fn what_is_not_known_may_pass_and_is_told_in_its_own_words() {
    let told = |log| some_fault(log, "nothing was said", &names());
    assert_eq!(told("first\r\nodd trouble.\r\n\r\n").text, "odd trouble");
    assert_eq!(told("odd trouble").class, FaultClass::TransientHost);
    assert_eq!(told("").text, "nothing was said");
}

#[test]
fn a_word_to_paste_is_quoted_where_it_must_be() {
    assert_eq!(word("pipeline@headnode"), "pipeline@headnode");
    assert_eq!(word("[::1]:22"), "'[::1]:22'");
    assert_eq!(word("it's"), r"'it'\''s'");
    assert_eq!(word(""), "''");
}
