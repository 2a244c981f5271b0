//! Owns the way from the SDK's answers to the contract's.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumType, EncodingType};
use daylily_lifecycle::ids::ByteCount;
use jiff::Timestamp;

use crate::adapters::objects::name::{ETag, Key, Prefix};
use crate::adapters::objects::{Checksum, Listed, Meta, Page, PageToken};

/// None: the answer lacks what every store tells, or its text cannot be undone.
pub(super) fn page(answer: &ListObjectsV2Output) -> Option<Page> {
    let encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let plain = |text: &str| if encoded { decoded(text) } else { Some(text.to_owned()) };
    let mut page = Page::default();
    for object in answer.contents() {
        page.objects.push(Listed {
            key: Key::new(plain(object.key()?)?),
            size: size(object.size())?,
            etag: object.e_tag().map(ETag::new),
            modified: instant(object.last_modified()),
        });
    }
    for folder in answer.common_prefixes() {
        page.folders.push(Prefix::as_told(&plain(folder.prefix()?)?));
    }
    if answer.is_truncated() == Some(true) {
        page.next = Some(PageToken(answer.next_continuation_token()?.to_owned()));
    }
    Some(page)
}

/// Undoes `encoding-type=url`, by which names that XML cannot hold are listed.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

macro_rules! meta_of {
    ($name:ident, $answer:ty) => {
        /// None: the answer lacks what every store tells.
        pub(super) fn $name(answer: &$answer) -> Option<Meta> {
            Some(Meta {
                size: size(answer.content_length())?,
                etag: ETag::new(answer.e_tag()?),
                modified: instant(answer.last_modified()),
                metadata: metadata(answer.metadata()),
                checksum: checksum(Checksums {
                    of: answer.checksum_type(),
                    in_parts: answer.e_tag().is_some_and(|etag| etag.contains('-')),
                    crc32: answer.checksum_crc32(),
                    crc32c: answer.checksum_crc32_c(),
                    crc64: answer.checksum_crc64_nvme(),
                    sha256: answer.checksum_sha256(),
                }),
            })
        }
    };
}

meta_of!(head, HeadObjectOutput);
meta_of!(whole, GetObjectOutput);

struct Checksums<'a> {
    of: Option<&'a ChecksumType>,
    /// By its ETag the object was uploaded in parts.
    in_parts: bool,
    crc32: Option<&'a str>,
    crc32c: Option<&'a str>,
    crc64: Option<&'a str>,
    sha256: Option<&'a str>,
}

/// The first of those that we can compute too. One of parts has a `-` and their count; where
/// a store says of an object in parts neither that nor that it is of the whole, nobody can
/// tell of what it is.
fn checksum(told: Checksums) -> Option<Checksum> {
    let unclear = told.in_parts && told.of != Some(&ChecksumType::FullObject);
    let whole =
        |text: Option<&str>| text.filter(|text| !unclear && !text.contains('-')).map(str::to_owned);
    let of_parts = told.crc32.filter(|text| text.contains('-')).map(str::to_owned);
    let first = whole(told.crc32).map(Checksum::Crc32);
    let first = first.or_else(|| whole(told.crc64).map(Checksum::Crc64Nvme));
    let first = first.or_else(|| whole(told.crc32c).map(Checksum::Crc32c));
    let first = first.or_else(|| whole(told.sha256).map(Checksum::Sha256));
    first.or_else(|| of_parts.map(Checksum::Crc32OfParts))
}

fn size(size: Option<i64>) -> Option<ByteCount> {
    u64::try_from(size?).ok().map(ByteCount)
}

fn metadata(told: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    let told = told.into_iter().flatten();
    told.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

fn instant(told: Option<&DateTime>) -> Option<Timestamp> {
    Timestamp::from_second(told?.secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_undone() {
        for (text, plain) in [("a%2Bb", "a+b"), ("a+b", "a b"), ("%E2%82%AC%0A/x", "€\n/x")] {
            assert_eq!(decoded(text).as_deref(), Some(plain));
        }
        for broken in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decoded(broken), None);
        }
    }
}
