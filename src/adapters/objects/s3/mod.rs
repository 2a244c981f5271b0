//! Owns a bucket of a real store, spoken to by the SDK.

mod client;
mod body;
mod convert;
mod fault;

use std::collections::BTreeMap;
use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, EncodingType,
};
use bytes::Bytes;
use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};
use md5::{Digest as _, Md5};

use self::body::Body;
pub use self::client::{Checksums, S3, Settings};
use self::client::{once, sending, sending_once};
use self::fault::{Asked, Refusal};
use super::name::{ETag, Key, Prefix};
use super::{
    Bucket, Condition, Deleted, Depth, Head, Listing, Page, PageToken, Part, Put, Reading, Stored,
    Upload, Whole,
};

/// A body of more than this is sent with the patience of a part.
const LITTLE: usize = 1 << 20;

/// The most pages of uploads that are asked for: others may have left any number.
const MOST_PAGES: usize = 1000;

#[derive(Debug, Clone)]
pub struct S3Bucket {
    store: S3,
    name: String,
}

impl S3Bucket {
    fn shown(&self, verb: &str, key: &str) -> String {
        format!("{verb} s3://{}/{key}", self.name)
    }

    async fn failed<E>(
        &self,
        asked: Asked,
        verb: &str,
        key: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> Fault
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.store.heard(fault::fault(asked, self.shown(verb, key), error)).await
    }

    fn not_s3(&self, verb: &str, key: &str) -> Fault {
        let text = format!("{}: the answer lacks what S3 tells", self.shown(verb, key));
        Fault::new(FaultClass::FatalHost, text)
    }

    /// Why a HEAD, whose answer has no text, was refused: the same by a GET of one byte.
    async fn why(&self, key: &Key, refused: &Refusal) -> Result<Head, Fault> {
        let client = self.store.client().await;
        let request = client.get_object().bucket(&self.name).key(key.as_str()).range("bytes=0-0");
        let Err(error) = Box::pin(request.send()).await else { return Ok(Head::Forbidden) };
        let shown = self.shown("look at", key.as_str());
        match Refusal::of(&error) {
            Some(told) => match fault::of_refusal(Asked::Object, &shown, &told) {
                fault if fault.class == FaultClass::FatalCase => Ok(Head::Forbidden),
                fault => Err(self.store.heard(fault).await),
            },
            None if refused.status == 403 => Ok(Head::Forbidden),
            None => Err(self.failed(Asked::Object, "look at", key.as_str(), &error).await),
        }
    }

    /// The MD5 that goes with an upload where checksums are not wanted.
    fn md5(&self, body: &[u8]) -> Option<String> {
        let wanted = self.store.checksums() == Checksums::WhenRequired;
        wanted.then(|| aws_smithy_types::base64::encode(Md5::digest(body)))
    }

    /// CRC32 is what every store with checksums knows.
    fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        let wanted = self.store.checksums() == Checksums::WhenSupported;
        wanted.then_some(ChecksumAlgorithm::Crc32)
    }
}

#[async_trait::async_trait]
impl Bucket for S3Bucket {
    fn name(&self) -> &str {
        &self.name
    }

    async fn list(&self, what: &Listing, from: Option<&PageToken>) -> Result<Page, Fault> {
        let prefix = format!("{}{}", what.under, what.starts);
        let client = self.store.client().await;
        let request = client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(&prefix)
            .set_delimiter((what.depth == Depth::OneLevel).then(|| "/".to_owned()))
            .set_continuation_token(from.map(|token| token.0.clone()));
        let mut answer = Box::pin(request.clone().send()).await;
        // A key that XML cannot hold makes the list unreadable. Only then is it asked for
        // encoded: some stores say that they encode and do not.
        if answer.as_ref().is_err_and(fault::is_unreadable) {
            answer = Box::pin(request.encoding_type(EncodingType::Url).send()).await;
        }
        match answer {
            Ok(answer) => convert::page(&answer).ok_or_else(|| self.not_s3("list", &prefix)),
            Err(error) => Err(self.failed(Asked::Bucket, "list", &prefix, &error).await),
        }
    }

    async fn head(&self, key: &Key) -> Result<Head, Fault> {
        let client = self.store.client().await;
        let request = client.head_object().bucket(&self.name).key(key.as_str());
        let error = match Box::pin(request.checksum_mode(ChecksumMode::Enabled).send()).await {
            Ok(answer) => {
                let meta = convert::head(&answer);
                let meta = meta.ok_or_else(|| self.not_s3("look at", key.as_str()))?;
                return Ok(Head::Found(meta));
            }
            Err(error) => error,
        };
        match Refusal::of(&error) {
            Some(refused) if refused.status == 404 => Ok(Head::Missing),
            Some(refused) if matches!(refused.status, 400 | 403) => self.why(key, &refused).await,
            _ => Err(self.failed(Asked::Object, "look at", key.as_str(), &error).await),
        }
    }

    async fn get(&self, key: &Key, most: ByteCount) -> Result<Option<Whole>, Fault> {
        let client = self.store.client().await;
        let request = client.get_object().bucket(&self.name).key(key.as_str());
        let answer = match Box::pin(request.checksum_mode(ChecksumMode::Enabled).send()).await {
            Ok(answer) => answer,
            Err(error) => {
                return match Refusal::of(&error) {
                    Some(refused) if refused.code == "NoSuchKey" => Ok(None),
                    _ => Err(self.failed(Asked::Object, "read", key.as_str(), &error).await),
                };
            }
        };
        let meta = convert::whole(&answer).ok_or_else(|| self.not_s3("read", key.as_str()))?;
        let shown = format!("s3://{}/{key}", self.name);
        if meta.size > most {
            let text = format!("{shown} has {} and may have {most}", meta.size);
            return Err(Fault::new(FaultClass::FatalCase, text));
        }
        let bytes = Body::new(answer.body, shown, meta.size.0).whole().await?;
        Ok(Some(Whole { meta, bytes }))
    }

    async fn read(
        &self,
        key: &Key,
        etag: &ETag,
        first: u64,
        length: u64,
    ) -> Result<Reading, Fault> {
        let client = self.store.client().await;
        let mut request = client.get_object().bucket(&self.name).key(key.as_str());
        // An empty object has no range.
        if length > 0 {
            let last = first.saturating_add(length - 1);
            request = request.range(format!("bytes={first}-{last}"));
        }
        let answer = match Box::pin(request.if_match(etag.as_str()).send()).await {
            Ok(answer) => answer,
            Err(error) => {
                return match Refusal::of(&error) {
                    Some(refused) if refused.code == "NoSuchKey" => Ok(Reading::Missing),
                    // A range that begins behind the end: it is another, shorter version.
                    Some(refused) if matches!(refused.status, 412 | 416) => Ok(Reading::Changed),
                    _ => Err(self.failed(Asked::Object, "read", key.as_str(), &error).await),
                };
            }
        };
        // Stores that ignore the condition tell the version all the same.
        if answer.e_tag().map(ETag::new).as_ref() != Some(etag) {
            return Ok(Reading::Changed);
        }
        let announced = answer.content_length().and_then(|bytes| u64::try_from(bytes).ok());
        let announced = announced.ok_or_else(|| self.not_s3("read", key.as_str()))?;
        if announced > length {
            let text =
                format!("{}: it gave more than was asked for", self.shown("read", key.as_str()));
            return Err(Fault::new(FaultClass::FatalHost, text));
        }
        let shown = format!("s3://{}/{key}", self.name);
        Ok(Reading::Bytes(Box::new(Body::new(answer.body, shown, announced))))
    }

    async fn put(&self, put: &Put) -> Result<Stored, Fault> {
        let (absent, version) = match &put.condition {
            Condition::Always => (None, None),
            Condition::Absent => (Some("*".to_owned()), None),
            Condition::Version(etag) => (None, Some(etag.as_str().to_owned())),
        };
        let client = self.store.client().await;
        let request = client
            .put_object()
            .bucket(&self.name)
            .key(put.key.as_str())
            .set_content_md5(self.md5(&put.body))
            .set_checksum_algorithm(self.algorithm())
            .body(ByteStream::from(put.body.clone()))
            .set_metadata(
                (!put.metadata.is_empty()).then(|| put.metadata.clone().into_iter().collect()),
            )
            .set_if_none_match(absent)
            .set_if_match(version)
            .customize();
        let patience = match (&put.condition, put.body.len() > LITTLE) {
            (Condition::Always, false) => None,
            (Condition::Always, true) => Some(sending()),
            (_, false) => Some(once()),
            (_, true) => Some(sending_once()),
        };
        let request = match patience {
            Some(patience) => request.config_override(patience),
            None => request,
        };
        let error = match Box::pin(request.send()).await {
            Ok(answer) => {
                let etag = answer.e_tag().map(ETag::new);
                return etag.map(Stored::Yes).ok_or_else(|| self.not_s3("write", put.key.as_str()));
            }
            Err(error) => error,
        };
        let conditional = put.condition != Condition::Always;
        match Refusal::of(&error) {
            Some(refused) if conditional => match (refused.status, refused.code.as_str()) {
                (409 | 412, _) | (404, "NoSuchKey") => return Ok(Stored::Refused),
                (501, _) => return Ok(Stored::NoConditions),
                _ => {}
            },
            _ => {}
        }
        Err(self.failed(Asked::Once, "write", put.key.as_str(), &error).await)
    }

    async fn delete(&self, key: &Key, only: Option<&ETag>) -> Result<Deleted, Fault> {
        let client = self.store.client().await;
        let request = client.delete_object().bucket(&self.name).key(key.as_str());
        let request = request.set_if_match(only.map(|etag| etag.as_str().to_owned()));
        let Err(error) = Box::pin(request.send()).await else { return Ok(Deleted::Gone) };
        match Refusal::of(&error) {
            Some(refused) if refused.code == "NoSuchKey" => Ok(Deleted::Gone),
            Some(refused) if only.is_some() && matches!(refused.status, 409 | 412) => {
                Ok(Deleted::Refused)
            }
            _ => Err(self.failed(Asked::Bucket, "remove", key.as_str(), &error).await),
        }
    }

    async fn begin_upload(
        &self,
        key: &Key,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Upload, Fault> {
        let client = self.store.client().await;
        let request = client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(key.as_str())
            .set_checksum_algorithm(self.algorithm())
            .set_metadata((!metadata.is_empty()).then(|| metadata.clone().into_iter().collect()));
        match Box::pin(request.send()).await {
            Ok(answer) => match answer.upload_id() {
                Some(id) => Ok(Upload { key: key.clone(), id: id.to_owned() }),
                None => Err(self.not_s3("begin to upload", key.as_str())),
            },
            Err(error) => {
                let verb = "begin to upload";
                Err(self.failed(Asked::Bucket, verb, key.as_str(), &error).await)
            }
        }
    }

    async fn put_part(&self, upload: &Upload, number: i32, body: Bytes) -> Result<Part, Fault> {
        let client = self.store.client().await;
        let request = client
            .upload_part()
            .bucket(&self.name)
            .key(upload.key.as_str())
            .upload_id(&upload.id)
            .part_number(number)
            .set_content_md5(self.md5(&body))
            .set_checksum_algorithm(self.algorithm())
            .body(ByteStream::from(body))
            .customize()
            .config_override(sending());
        match Box::pin(request.send()).await {
            Ok(answer) => match answer.e_tag() {
                Some(etag) => Ok(Part {
                    number,
                    etag: ETag::new(etag),
                    crc32: answer.checksum_crc32().map(str::to_owned),
                }),
                None => Err(self.not_s3("upload a part of", upload.key.as_str())),
            },
            Err(error) => {
                let verb = "upload a part of";
                Err(self.failed(Asked::Bucket, verb, upload.key.as_str(), &error).await)
            }
        }
    }

    async fn complete_upload(&self, upload: &Upload, parts: &[Part]) -> Result<ETag, Fault> {
        let part = |part: &Part| {
            CompletedPart::builder()
                .part_number(part.number)
                .e_tag(part.etag.as_str())
                .set_checksum_crc32(part.crc32.clone())
                .build()
        };
        let parts = parts.iter().map(part).collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let client = self.store.client().await;
        let request = client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(upload.key.as_str())
            .upload_id(&upload.id)
            .multipart_upload(parts)
            .customize()
            .config_override(sending_once());
        let (verb, key) = ("complete the upload of", upload.key.as_str());
        match Box::pin(request.send()).await {
            Ok(answer) => {
                let etag = answer.e_tag().map(ETag::new);
                etag.ok_or_else(|| self.not_s3(verb, key))
            }
            Err(error) => {
                let mut fault = self.failed(Asked::Once, verb, key, &error).await;
                if Refusal::of(&error).is_some_and(|refused| refused.code == "NoSuchUpload") {
                    fault.class = FaultClass::Ambiguous;
                }
                Err(fault)
            }
        }
    }

    async fn abort_upload(&self, upload: &Upload) -> Result<(), Fault> {
        let client = self.store.client().await;
        let request = client
            .abort_multipart_upload()
            .bucket(&self.name)
            .key(upload.key.as_str())
            .upload_id(&upload.id);
        let Err(error) = Box::pin(request.send()).await else { return Ok(()) };
        match Refusal::of(&error) {
            Some(refused) if refused.code == "NoSuchUpload" => Ok(()),
            _ => {
                let verb = "give up the upload of";
                Err(self.failed(Asked::Bucket, verb, upload.key.as_str(), &error).await)
            }
        }
    }

    async fn uploads(&self, under: &Prefix) -> Result<Option<Vec<Upload>>, Fault> {
        let mut found = Vec::new();
        let (mut key, mut id) = (None, None);
        for _ in 0..MOST_PAGES {
            let client = self.store.client().await;
            let request = client
                .list_multipart_uploads()
                .bucket(&self.name)
                .prefix(under.as_str())
                .set_key_marker(key.take())
                .set_upload_id_marker(id.take());
            let verb = "list the uploads of";
            let answer = match Box::pin(request.send()).await {
                Ok(answer) => answer,
                Err(error) => {
                    return match Refusal::of(&error) {
                        Some(refused) if refused.status == 501 => Ok(None),
                        _ => Err(self.failed(Asked::Bucket, verb, under.as_str(), &error).await),
                    };
                }
            };
            for upload in answer.uploads() {
                let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else {
                    return Err(self.not_s3(verb, under.as_str()));
                };
                // Not every store heeds the prefix.
                if key.starts_with(under.as_str()) {
                    found.push(Upload { key: Key::new(key), id: id.to_owned() });
                }
            }
            if answer.is_truncated() != Some(true) {
                return Ok(Some(found));
            }
            key = answer.next_key_marker().map(str::to_owned);
            id = answer.next_upload_id_marker().map(str::to_owned);
        }
        let text = format!(
            "{}: there is no end of them",
            self.shown("list the uploads of", under.as_str())
        );
        Err(Fault::new(FaultClass::FatalHost, text))
    }
}
