//! Shipping and fetching: one suite over the copy on this machine, over rsync, and over the
//! way that small cases take.

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

/// The same, and for small cases that were never there by the way that they take.
macro_rules! over_each {
    ($($name:ident),+ $(,)?) => {
        over_both!($($name),+);

        mod at_once {
            $(#[test]
            fn $name() {
                super::$name(crate::copy::rig::Rig::AtOnce);
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
