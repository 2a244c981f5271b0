//! Owns the steps by which fetched results become the folder people look for. Until
//! the rename all is in a hidden folder of the attempt's own; after it nothing
//! changes any more. Every step finds what an earlier call did and goes on.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use daylily_lifecycle::ids::ByteCount;
use nix::unistd::{Gid, Group, geteuid};

use super::disk::{self, Renamed};
use super::{
    PROVENANCE, PlacedFile, Placement, Provenance, ResultsError, Step, Summary, plain_name,
};
use crate::tree::{Entry, Kind, Names, TreeError, walk};

impl Placement {
    /// `<to>/<intake>`.
    pub fn folder(&self) -> PathBuf {
        self.root.join(self.intake.as_str())
    }

    /// Where results are fetched to before they are placed.
    pub fn staging(&self) -> PathBuf {
        self.folder().join(format!("{}{}{PART}", self.staging_prefix(), self.attempt))
    }

    /// Where they are once they are placed.
    pub fn target(&self) -> PathBuf {
        self.folder().join(&self.remote_name)
    }

    /// Gives the staging folder its name. Answers again with the same path when it
    /// has done so before. Reads every file; call it where blocking is allowed.
    pub fn place(&self, summary: &Summary) -> Result<PathBuf, ResultsError> {
        self.place_stepwise(summary, &mut |_| Ok(()))
    }

    /// As [`Self::place`], asking after each step whether to go on.
    pub fn place_stepwise(
        &self,
        summary: &Summary,
        after: &mut dyn FnMut(Step) -> Result<(), ResultsError>,
    ) -> Result<PathBuf, ResultsError> {
        for name in [self.intake.as_str(), &self.remote_name, self.attempt.as_str()] {
            plain_name(name)?;
        }
        if let Some(marker) = &self.marker {
            plain_name(marker)?;
        }
        let target = self.target();
        if !self.is_placed()? {
            let staging = self.staging();
            self.finish_staging(summary, &staging, after)?;
            self.keep_earlier(&target)?;
            after(Step::KeptEarlier)?;
            match disk::rename_new(&staging, &target)? {
                Renamed::Yes => {}
                Renamed::Taken | Renamed::OtherFileSystem | Renamed::Gone => {
                    return Err(ResultsError::Changed { path: target });
                }
            }
            after(Step::Placed)?;
        }
        disk::sync_folder(&self.folder())?;
        after(Step::SyncedFolder)?;
        self.remove_left_overs()?;
        after(Step::RemovedLeftOvers)?;
        Ok(target)
    }

    /// Whether what has the name is of this very attempt.
    pub fn is_placed(&self) -> Result<bool, ResultsError> {
        Ok(self.placed()?.is_some())
    }

    /// What was placed, if what has the name is of this very attempt. What cannot be
    /// read as our provenance is somebody else's folder.
    pub fn placed(&self) -> Result<Option<Provenance>, ResultsError> {
        let path = self.target().join(PROVENANCE);
        match std::fs::read(&path) {
            Ok(text) => Ok(serde_json::from_slice::<Provenance>(&text)
                .ok()
                .filter(|provenance| provenance.attempt == self.attempt)),
            Err(error) => match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(ResultsError::io("read", &path, error)),
            },
        }
    }

    fn finish_staging(
        &self,
        summary: &Summary,
        staging: &Path,
        after: &mut dyn FnMut(Step) -> Result<(), ResultsError>,
    ) -> Result<(), ResultsError> {
        let group = self.group.as_deref().map(find_group).transpose()?;
        if summary.files.is_empty() {
            // Nothing was fetched, so nobody made it.
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(staging);
            made.map_err(|error| ResultsError::io("make", staging, error))?;
        }
        let files = self.take_stock(summary, staging)?;
        after(Step::RemovedStrays)?;
        if let Some(marker) = &self.marker {
            let path = staging.join(marker);
            let mut options = OpenOptions::new();
            let made = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
            made.map_err(|error| ResultsError::io("write", &path, error))?;
        }
        after(Step::WroteMarker)?;
        let provenance = Provenance {
            case: summary.case.clone(),
            intake: self.intake.clone(),
            arrival: summary.arrival,
            attempt: self.attempt.clone(),
            number: self.number,
            exit_code: summary.exit_code,
            ended: summary.ended,
            files,
        };
        let path = staging.join(PROVENANCE);
        let mut text = serde_json::to_vec_pretty(&provenance)
            .map_err(|error| ResultsError::io("write", &path, error))?;
        text.push(b'\n');
        disk::write_whole(&path, &text, 0o600)?;
        after(Step::WroteProvenance)?;
        self.set_modes(staging, group)?;
        after(Step::SetModes)?;
        each(staging, &mut |path, entry| match entry.kind {
            Kind::File | Kind::Folder => disk::sync_file(path),
            Kind::Symlink { .. } | Kind::Special => Ok(()),
        })?;
        disk::sync_folder(staging)?;
        after(Step::SyncedFiles)
    }

    /// Removes what was not fetched for this summary, and hashes what was.
    fn take_stock(
        &self,
        summary: &Summary,
        staging: &Path,
    ) -> Result<Vec<PlacedFile>, ResultsError> {
        let mut wanted: BTreeSet<&str> = summary.files.iter().map(String::as_str).collect();
        if let Some(name) = wanted.get(PROVENANCE) {
            return Err(ResultsError::Name { name: (*name).to_owned() });
        }
        let mut files = Vec::new();
        each(staging, &mut |path, entry| {
            if entry.kind == Kind::Folder {
                return Ok(());
            }
            let ours = self.marker.as_deref() == Some(entry.path.as_str());
            if entry.kind == Kind::File && wanted.remove(entry.path.as_str()) {
                files.push(PlacedFile {
                    path: entry.path.clone(),
                    bytes: ByteCount(entry.meta.len()),
                    blake3: hash(path)?,
                });
                Ok(())
            } else if ours {
                Ok(())
            } else {
                std::fs::remove_file(path).map_err(|error| ResultsError::io("remove", path, error))
            }
        })?;
        match wanted.first() {
            Some(path) => Err(ResultsError::Missing { path: staging.join(path) }),
            None => Ok(files),
        }
    }

    fn set_modes(&self, staging: &Path, group: Option<Gid>) -> Result<(), ResultsError> {
        let set = |path: &Path, mode: u32| {
            // The group first: giving a folder away clears its set-group-id bit.
            if let (Some(gid), Some(name)) = (group, &self.group) {
                let given = std::os::unix::fs::lchown(path, None, Some(gid.as_raw()));
                given.map_err(|source| ResultsError::Group {
                    path: path.to_owned(),
                    group: name.clone(),
                    source,
                })?;
            }
            std::fs::set_permissions(path, Permissions::from_mode(mode))
                .map_err(|error| ResultsError::io("set the mode of", path, error))
        };
        each(staging, &mut |path, entry| match entry.kind {
            Kind::File => set(path, self.file_mode),
            Kind::Folder => set(path, self.dir_mode),
            Kind::Symlink { .. } | Kind::Special => Ok(()),
        })?;
        set(staging, self.dir_mode)?;
        // The intake's folder is as closed as the first fetch made it. One that an
        // administrator made stays as it is.
        let folder = self.folder();
        let meta = std::fs::metadata(&folder);
        let meta = meta.map_err(|error| ResultsError::io("look at", &folder, error))?;
        if meta.uid() == geteuid().as_raw() { set(&folder, self.dir_mode) } else { Ok(()) }
    }

    /// Whatever has the name keeps its content under the next free number.
    fn keep_earlier(&self, target: &Path) -> Result<(), ResultsError> {
        if !disk::is_there(target)? {
            return Ok(());
        }
        for name in disk::numbered(&self.folder(), &self.remote_name) {
            match disk::rename_new(target, &name)? {
                Renamed::Yes | Renamed::Gone => return disk::sync_folder(&self.folder()),
                Renamed::Taken => {}
                // A folder that something is mounted on cannot be renamed.
                Renamed::OtherFileSystem => break,
            }
        }
        Err(ResultsError::Changed { path: target.to_owned() })
    }

    /// Removes the staging folders of other attempts of this case.
    fn remove_left_overs(&self) -> Result<(), ResultsError> {
        let folder = self.folder();
        let listing = std::fs::read_dir(&folder);
        for entry in listing.map_err(|error| ResultsError::io("read", &folder, error))? {
            let entry = entry.map_err(|error| ResultsError::io("read", &folder, error))?;
            let name = entry.file_name();
            let attempt = name
                .to_str()
                .and_then(|name| name.strip_prefix(&self.staging_prefix()))
                .and_then(|name| name.strip_suffix(PART));
            // Another case's name may begin as this one's; an attempt's has no dot.
            if attempt.is_some_and(|attempt| attempt.starts_with("dw-") && !attempt.contains('.')) {
                let path = entry.path();
                std::fs::remove_dir_all(&path)
                    .map_err(|error| ResultsError::io("remove", &path, error))?;
            }
        }
        Ok(())
    }

    fn staging_prefix(&self) -> String {
        let around = 2 + self.attempt.as_str().len() + PART.len();
        if self.remote_name.len() + around <= disk::NAME_MAX {
            return format!(".{}.", self.remote_name);
        }
        let hash = blake3::hash(self.remote_name.as_bytes()).to_hex();
        format!(".{}.", &hash[..32])
    }
}

const PART: &str = ".part";

fn find_group(name: &str) -> Result<Gid, ResultsError> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(ResultsError::NoGroup { name: name.to_owned() }),
        Err(errno) => Err(ResultsError::io("look up the group", Path::new(name), errno)),
    }
}

fn hash(path: &Path) -> Result<String, ResultsError> {
    let mut hasher = blake3::Hasher::new();
    File::open(path)
        .and_then(|file| hasher.update_reader(file).map(|_| ()))
        .map_err(|error| ResultsError::io("read", path, error))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Every entry below a folder, with its whole path.
fn each(
    folder: &Path,
    visit: &mut dyn FnMut(&Path, &Entry) -> Result<(), ResultsError>,
) -> Result<(), ResultsError> {
    let all = Names::new(&[]).map_err(|error| of_tree(folder, error))?;
    let mut trouble = None;
    let walked = walk(folder, &all, &mut |entry| {
        let path = folder.join(&entry.path);
        visit(&path, &entry).map_err(|error| {
            trouble = Some(error);
            TreeError::Io { path, source: std::io::Error::other("not gone on with") }
        })
    });
    match (walked, trouble) {
        (_, Some(error)) => Err(error),
        (walked, None) => walked.map_err(|error| of_tree(folder, error)),
    }
}

fn of_tree(folder: &Path, error: TreeError) -> ResultsError {
    match error {
        TreeError::Io { path, source } => ResultsError::Io { doing: "read", path, source },
        TreeError::NotUtf8 { shown, .. } => ResultsError::Name { name: shown },
        TreeError::TooLong { .. } | TreeError::Stopped | TreeError::Pattern { .. } => {
            ResultsError::io("read", folder, std::io::Error::other(error))
        }
    }
}
