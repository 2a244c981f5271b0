//! Owns the bytes of an answer: as many as were announced, or a fault.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::{Fault, FaultClass};

use super::fault::Chain;
use crate::adapters::objects::Chunks;

pub(super) struct Body {
    stream: ByteStream,
    /// What is read, for people.
    shown: String,
    left: u64,
}

impl Body {
    pub(super) fn new(stream: ByteStream, shown: String, announced: u64) -> Self {
        Self { stream, shown, left: announced }
    }

    /// All of it, which is known to be little.
    pub(super) async fn whole(mut self) -> Result<Bytes, Fault> {
        let mut all = Vec::with_capacity(usize::try_from(self.left).unwrap_or_default());
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }

    fn wrong(&self, what: &str) -> Fault {
        let text = format!("read {}: {what}", self.shown);
        Fault::new(FaultClass::TransientStep, text)
    }
}

#[async_trait::async_trait]
impl Chunks for Body {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        match self.stream.next().await {
            Some(Ok(chunk)) => match self.left.checked_sub(chunk.len() as u64) {
                Some(left) => {
                    self.left = left;
                    Ok(Some(chunk))
                }
                None => Err(self.wrong("more came than was announced")),
            },
            Some(Err(error)) => {
                let chain = Chain(Some(&error));
                // The SDK compares where the store tells a checksum of the whole.
                if chain.any(|cause| cause.to_string().contains("checksum mismatch")) {
                    let text = format!("{} is not what the checksum of the store says", self.shown);
                    return Err(Fault::new(FaultClass::TransientStep, text));
                }
                let said = chain.text().unwrap_or_default();
                let text = format!("read {}: {said}", self.shown);
                Err(Fault::new(FaultClass::TransientHost, text))
            }
            None if self.left == 0 => Ok(None),
            None => {
                let left = ByteCount(self.left);
                Err(self.wrong(&format!("it ended {left} before its end")))
            }
        }
    }
}
