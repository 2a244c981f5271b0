//! What is tested of hosts behind ssh, against real sshds.

mod fixture;
