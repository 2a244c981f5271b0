//! Owns where things are: the configuration file itself, the folders that its paths
//! begin at, and whether one folder lies in another. It looks, and creates nothing.

use std::path::{Component, Path, PathBuf};

use crate::config::error::{Complaint, ConfigErrors, Problems, quoted};

/// Where paths of this machine begin.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The folder of the configuration file, absolute.
    pub(super) base: PathBuf,
    pub(super) home: Option<PathBuf>,
}

impl Places {
    /// An absolute path, `~/` and the folder of the file filled in.
    pub(super) fn resolve(&self, text: &str) -> Result<PathBuf, Complaint> {
        let path = match (text.strip_prefix("~/"), text) {
            (Some(rest), _) => self.home()?.join(rest.trim_start_matches('/')),
            (None, "~") => self.home()?.to_owned(),
            (None, text) if text.starts_with('~') => {
                let user = text.split('/').next().unwrap_or(text);
                return Err(Complaint::new(format!(
                    "found {}, and only ~/ of the user that runs daylily-watch is known",
                    quoted(user)
                ))
                .hint(format!("write the path out, or ./{text} for a folder of this name")));
            }
            (None, text) => self.base.join(text),
        };
        // Collecting the components leaves out `.` and doubled slashes.
        Ok(path.components().collect())
    }

    fn home(&self) -> Result<&Path, Complaint> {
        let complaint = || {
            Complaint::new("found ~/, and HOME is not set")
                .hint("write the path out, or set HOME for the daemon")
        };
        self.home.as_deref().ok_or_else(complaint)
    }
}

/// The file made absolute, and the places of its paths.
pub(super) fn of(file: &Path) -> Result<(PathBuf, Places), Complaint> {
    let cannot = |error| Complaint::new(format!("its folder cannot be found: {error}"));
    let file = std::path::absolute(file).map_err(cannot)?;
    let base = file.parent().unwrap_or(Path::new("/")).to_owned();
    Ok((file, Places { base, home: environment("HOME").map(PathBuf::from) }))
}

pub(super) fn find(explicit: Option<&Path>) -> Result<PathBuf, ConfigErrors> {
    if let Some(file) = explicit {
        return Ok(file.to_owned());
    }
    // A file that is named must be the one: another in its place would be a surprise.
    if let Some(file) = environment("DAYLILY_WATCH_CONFIG") {
        return Ok(PathBuf::from(file));
    }
    let mut places = vec![PathBuf::from("./config.yaml")];
    if let Some(home) = environment("HOME") {
        places.push(Path::new(&home).join(".config/daylily-watch/config.yaml"));
    }
    places.push(PathBuf::from("/etc/daylily-watch/config.yaml"));
    first_of(&places)
}

/// The first that is there, readable or not: one that cannot be looked at is no reason
/// to silently take the next.
pub(super) fn first_of(places: &[PathBuf]) -> Result<PathBuf, ConfigErrors> {
    let missing = |place: &&PathBuf| {
        place.metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    if let Some(found) = places.iter().find(|place| !missing(place)) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    let mut problems = Problems::new(Path::new(""));
    problems.about_the_file(
        Complaint::new(format!(
            "no configuration found; looked at --config and $DAYLILY_WATCH_CONFIG (not given), {}",
            looked.join(", ")
        ))
        .hint("`daylily-watch init` writes one to begin with"),
    );
    Err(problems.into_errors())
}

#[allow(clippy::disallowed_methods, reason = "config/ is where the environment is read")]
fn environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The path with the symlinks of the part that exists followed, and `..` applied: two
/// paths of one folder become equal, also of one that is not there yet.
pub(super) fn real(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                real.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                real.push(component);
                if let Ok(followed) = real.canonicalize() {
                    real = followed;
                }
            }
        }
    }
    real
}
