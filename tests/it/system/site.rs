//! Owns the sites on which a world can stand, and how a test is run on several of them.

/// Where cases run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// This machine, without a queue.
    Here,
    /// This machine, under pueue: the daemon on the headnode itself.
    HerePueue,
    /// Over ssh, under pueue.
    SshPueue,
    /// Over ssh, without a queue.
    SshDirect,
}

impl Site {
    pub(crate) fn is_far(self) -> bool {
        matches!(self, Self::SshPueue | Self::SshDirect)
    }

    pub(crate) fn has_pueue(self) -> bool {
        matches!(self, Self::HerePueue | Self::SshPueue)
    }
}

/// Makes of each function of a [`Site`] a test on each site named: one line a test. Where
/// a site is not named the function says why.
macro_rules! on_sites {
    ($($test:ident: $($site:ident),+;)+) => {$(
        mod $test {
            $(
                #[test]
                fn $site() {
                    super::$test(crate::system::site::on_sites!(@$site));
                }
            )+
        }
    )+};
    (@here) => { crate::system::site::Site::Here };
    (@here_pueue) => { crate::system::site::Site::HerePueue };
    (@ssh_pueue) => { crate::system::site::Site::SshPueue };
    (@ssh_direct) => { crate::system::site::Site::SshDirect };
}
pub(crate) use on_sites;
