//! Owns the record of uploads that were begun, in a file beside the folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use daylily_lifecycle::outcome::{Fault, FaultClass};

use crate::adapters::host::copy::fault::{Side, classify};
use crate::adapters::objects::Upload;
use crate::adapters::objects::name::Key;

pub(super) struct Record {
    path: PathBuf,
    file: Mutex<File>,
}

impl Record {
    pub(super) fn open(folder: &Path) -> Result<Self, Fault> {
        let (Some(parent), Some(name)) =
            (folder.parent(), folder.file_name().and_then(|name| name.to_str()))
        else {
            let text = format!("{} is no folder to export", folder.display());
            return Err(Fault::new(FaultClass::FatalCase, text));
        };
        let path = parent.join(format!(".{name}.uploads"));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|error| fault(&path, &error))?;
        Ok(Self { path, file: Mutex::new(file) })
    }

    /// Before the first part is sent.
    pub(super) fn begun(&self, upload: &Upload) -> Result<(), Fault> {
        let (key, id) = (upload.key.as_str(), upload.id.as_str());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = writeln!(file, "{id}\t{key}").and_then(|()| file.sync_data());
        written.map_err(|error| fault(&self.path, &error))
    }

    /// What an earlier run may have left.
    pub(super) fn left(&self) -> Result<Vec<Upload>, Fault> {
        let text = fs::read_to_string(&self.path).map_err(|error| fault(&self.path, &error))?;
        let upload = |line: &str| {
            let (id, key) = line.split_once('\t')?;
            Some(Upload { key: Key::new(key), id: id.to_owned() })
        };
        Ok(text.lines().filter_map(upload).collect())
    }

    pub(super) fn clear(&self) -> Result<(), Fault> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.set_len(0).map_err(|error| fault(&self.path, &error))
    }

    pub(super) fn remove(&self) -> Result<(), Fault> {
        fs::remove_file(&self.path).map_err(|error| fault(&self.path, &error))
    }
}

fn fault(path: &Path, error: &io::Error) -> Fault {
    Fault::new(classify(error, Side::Dest), format!("keep {}: {error}", path.display()))
}
