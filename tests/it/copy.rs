//! Shipping and fetching: one suite over the copy on this machine and over rsync.

/// Each test by either way.
macro_rules! over_both {
    ($($name:ident),+ $(,)?) => {
        mod local {
            $(#[test]
            fn $name() {
                super::$name(crate::copy::rig::Rig::Copy);
            })+
        }

        mod rsync {
            $(#[test]
            fn $name() {
                super::$name(crate::copy::rig::Rig::Rsync);
            })+
        }
    };
}

mod fetch;
mod interrupted;
mod list;
mod names;
mod random;
pub(crate) mod rig;
mod room;
mod ship;
mod verify;
pub(crate) mod world;
