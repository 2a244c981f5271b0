//! Owns the sites on which a world can stand, and how a test is run on several of them.

/// Where cases run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// This machine, without a queue.
    Here,
    /// Over ssh, under pueue.
    SshPueue,
    /// Over ssh, without a queue.
    SshDirect,
}

impl Site {
    pub(crate) fn is_here(self) -> bool {
        self == Self::Here
    }

    pub(crate) fn has_pueue(self) -> bool {
        self == Self::SshPueue
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
    (@ssh_pueue) => { crate::system::site::Site::SshPueue };
    (@ssh_direct) => { crate::system::site::Site::SshDirect };
}
pub(crate) use on_sites;
