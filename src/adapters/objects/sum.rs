//! Owns comparing content with the checksum that a store keeps of it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use aws_smithy_types::base64;
use crc_fast::{CrcAlgorithm, Digest};
use sha2::{Digest as _, Sha256};

use super::Checksum;

/// A checksum in the making.
enum Sum {
    Crc(Box<Digest>, usize),
    Sha256(Box<Sha256>),
}

impl Sum {
    /// None: of what kind it is cannot be computed without knowing the parts.
    fn of(kind: &Checksum) -> Option<Self> {
        let crc = |algorithm, width| Self::Crc(Box::new(Digest::new(algorithm)), width);
        Some(match kind {
            Checksum::Crc32(_) => crc(CrcAlgorithm::Crc32IsoHdlc, 4),
            Checksum::Crc32c(_) => crc(CrcAlgorithm::Crc32Iscsi, 4),
            Checksum::Crc64Nvme(_) => crc(CrcAlgorithm::Crc64Nvme, 8),
            Checksum::Sha256(_) => Self::Sha256(Box::default()),
            Checksum::Crc32OfParts(_) => return None,
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(digest, _) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Crc(digest, width) => {
                let bytes = digest.finalize().to_be_bytes();
                base64::encode(&bytes[bytes.len() - width..])
            }
            Self::Sha256(digest) => base64::encode(digest.finalize()),
        }
    }
}

impl Checksum {
    fn text(&self) -> &str {
        match self {
            Self::Crc32(text)
            | Self::Crc32c(text)
            | Self::Crc64Nvme(text)
            | Self::Sha256(text)
            | Self::Crc32OfParts(text) => text,
        }
    }
}

/// Whether these bytes have this checksum. None: it cannot be told.
pub(super) fn holds_of(checksum: &Checksum, bytes: &[u8]) -> Option<bool> {
    let mut sum = Sum::of(checksum)?;
    sum.update(bytes);
    Some(sum.finish() == checksum.text())
}

/// The same for a file, which is read once more.
pub(super) fn holds_of_file(checksum: &Checksum, path: &Path) -> io::Result<Option<bool>> {
    let Some(mut sum) = Sum::of(checksum) else { return Ok(None) };
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Some(sum.finish() == checksum.text())),
            read => sum.update(&buffer[..read]),
        }
    }
}

/// CRC32 as four bytes, the highest first.
pub(super) fn crc32(bytes: &[u8]) -> [u8; 4] {
    let [.., a, b, c, d] = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, bytes).to_be_bytes();
    [a, b, c, d]
}

/// The checksum of an object whose parts have these.
pub(super) fn crc32_of_parts(parts: &[[u8; 4]]) -> String {
    format!("{}-{}", base64::encode(crc32(&parts.concat())), parts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_s3() {
        let nine = b"123456789";
        for checksum in [
            Checksum::Crc32("y/Q5Jg==".to_owned()),
            Checksum::Crc32c("4waSgw==".to_owned()),
            Checksum::Crc64Nvme("rosUhgp5mIg=".to_owned()),
            Checksum::Sha256("FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=".to_owned()),
        ] {
            assert_eq!(holds_of(&checksum, nine), Some(true), "{checksum:?}");
            assert_eq!(holds_of(&checksum, b"12345678"), Some(false), "{checksum:?}");
        }
        assert_eq!(holds_of(&Checksum::Crc32OfParts("y/Q5Jg==-1".to_owned()), nine), None);
        assert_eq!(base64::encode(crc32(nine)), "y/Q5Jg==");
    }
}
