//! Owns reading the files that a manifest names, to see whether they are what it says.
//! It blocks for as long as reading takes, one file after the other.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use md5::Md5;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Checksum, Listed, Problems, inside};

#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error("stopped while comparing {}", folder.display())]
    Stopped { folder: PathBuf },
    #[error("read {path}")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
}

/// How much is read between two looks at `stop`.
const CHUNK: usize = 256 << 10;

/// Which files are not what the manifest says; how many and how much was read is counted.
/// Those that are not there are passed over:
/// whether they may be missing is for the condition to say, and one that vanished
/// meanwhile is shown by the next scan.
pub fn compare(
    folder: &Path,
    listed: &Listed,
    (files, bytes): (&AtomicU64, &AtomicU64),
    stop: &CancellationToken,
) -> Result<Vec<String>, CompareError> {
    let mut problems = Problems::default();
    let mut buffer = vec![0; CHUNK];
    for named in &listed.named {
        let shown = crate::tree::shown(named.path.as_ref());
        let failed = |source| CompareError::Read { path: shown.clone(), source };
        let mut file = match open(folder, &named.path) {
            Ok(file) => file,
            Err(error)
                if error.kind() == io::ErrorKind::NotFound || crate::tree::vanished(&error) =>
            {
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        let mut each = |take: &mut dyn FnMut(&[u8])| -> Result<(), CompareError> {
            loop {
                if stop.is_cancelled() {
                    return Err(CompareError::Stopped { folder: folder.to_owned() });
                }
                match file.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(read) => {
                        take(&buffer[..read]);
                        bytes.fetch_add(read as u64, Ordering::Relaxed);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        };
        let (kind, said, found) = match named.checksum {
            Checksum::Sha256(said) => {
                let mut hasher = Sha256::new();
                each(&mut |some| hasher.update(some))?;
                ("SHA-256", said.to_vec(), hasher.finalize().to_vec())
            }
            Checksum::Md5(said) => {
                let mut hasher = Md5::new();
                each(&mut |some| hasher.update(some))?;
                ("MD5", said.to_vec(), hasher.finalize().to_vec())
            }
        };
        files.fetch_add(1, Ordering::Relaxed);
        if said != found {
            problems.add(|| {
                format!(
                    "{shown} is not what {} says: its {kind} begins with {}, not with {}",
                    listed.name,
                    beginning(&found),
                    beginning(&said)
                )
            });
        }
    }
    Ok(problems.finish())
}

fn open(folder: &Path, path: &str) -> io::Result<File> {
    let real = inside(folder, path)?;
    // Neither a FIFO nor a symlink that took the file's place may be followed.
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags).open(real)
}

/// Enough to tell two checksums apart.
fn beginning(bytes: &[u8]) -> String {
    bytes.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
