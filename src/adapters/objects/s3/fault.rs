//! Owns what an error of S3 means: the table of the contract, by the code that the store
//! sent, its status, and how far the request came.

use std::error::Error;
use std::fmt::Display;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use daylily_lifecycle::outcome::{Fault, FaultClass};

/// What was asked for, as far as it decides what a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To list, or to do something that comes to the same when it is repeated.
    Bucket,
    /// To read one object.
    Object,
    /// To write what must not be written twice without looking.
    Once,
}

/// How an operation failed, before anybody has said what that means.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    message: String,
}

impl Refusal {
    /// None: there was no answer that a store could have sent. One that refuses nothing and
    /// cannot be read is none either.
    pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Self> {
        let SdkError::ServiceError(answer) = error else { return None };
        let refusal = Self {
            status: answer.raw().status().as_u16(),
            code: answer.err().code().unwrap_or_default().to_owned(),
            message: answer.err().message().unwrap_or_default().to_owned(),
        };
        let is_one = !answer.raw().status().is_success() || !refusal.code.is_empty();
        is_one.then_some(refusal)
    }
}

/// Whether an answer came that says it is one and cannot be read.
pub(super) fn is_unreadable<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ResponseError(_) => true,
        SdkError::ServiceError(_) => Refusal::of(error).is_none(),
        _ => false,
    }
}

/// `doing` is what could not be done, as `list s3://bucket/prefix/`.
pub(super) fn fault<E>(
    asked: Asked,
    doing: impl Display,
    error: &SdkError<E, HttpResponse>,
) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match Refusal::of(error) {
        Some(refusal) => of_refusal(asked, doing, &refusal),
        None => of_silence(asked, doing, error),
    }
}

pub(super) fn of_refusal(asked: Asked, doing: impl Display, refusal: &Refusal) -> Fault {
    let class = class(asked, refusal);
    let said = match (refusal.code.as_str(), refusal.message.as_str()) {
        ("", "") => format!("the store answered {}", refusal.status),
        ("", message) => format!("{message} ({})", refusal.status),
        (code, "") => format!("{code} ({})", refusal.status),
        (code, message) => format!("{message} ({code})"),
    };
    let hint = hint(class, refusal);
    Fault::new(class, format!("{doing}: {said}{hint}"))
}

fn class(asked: Asked, refusal: &Refusal) -> FaultClass {
    match (refusal.code.as_str(), refusal.status) {
        ("SlowDown" | "SlowDownRead" | "SlowDownWrite" | "TooManyRequests", _)
        | ("RequestLimitExceeded" | "BandwidthLimitExceeded", _)
        | ("", 503)
        | (_, 429) => FaultClass::Throttled,
        (code, _) if code.starts_with("Throttl") => FaultClass::Throttled,
        (
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSecurity"
            | "AuthFailure"
            | "AccountProblem"
            | "NotSignedUp"
            | "RequestTimeTooSkewed"
            | "RequestExpired"
            | "MissingSecurityHeader"
            | "UnrecognizedClientException",
            _,
        )
        | (_, 401) => FaultClass::NeedsPerson,
        ("RequestTimeout", _) => silence(asked),
        ("BadDigest" | "XAmzContentChecksumMismatch" | "IncompleteBody" | "InvalidDigest", _) => {
            FaultClass::TransientStep
        }
        ("XAmzContentSHA256Mismatch" | "NoSuchUpload" | "OperationAborted", _) => {
            FaultClass::TransientStep
        }
        ("InvalidObjectState" | "KeyTooLongError" | "EntityTooLarge", _) => FaultClass::FatalCase,
        ("NoSuchBucket" | "InvalidBucketName" | "NotImplemented" | "MethodNotAllowed", _) => {
            FaultClass::FatalHost
        }
        ("AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) => {
            FaultClass::FatalHost
        }
        (_, 403) if asked == Asked::Object => FaultClass::FatalCase,
        (_, 301 | 307 | 308 | 403 | 405 | 501) => FaultClass::FatalHost,
        (_, 500..=599) => silence(asked),
        _ => FaultClass::TransientStep,
    }
}

fn hint(class: FaultClass, refusal: &Refusal) -> &'static str {
    match (class, refusal.code.as_str(), refusal.status) {
        (_, "RequestTimeTooSkewed", _) => "\nhint: set the clock of this machine",
        (FaultClass::NeedsPerson, ..) => {
            "\nhint: renew the credentials of this profile; it goes on by itself"
        }
        (_, "NoSuchBucket", _) => "\nhint: look at the name of the bucket and at endpoint_url",
        (_, "AuthorizationHeaderMalformed" | "PermanentRedirect", _) | (_, _, 301 | 307 | 308) => {
            "\nhint: the bucket is in another region; set `region`"
        }
        (FaultClass::FatalHost, _, 403) => {
            "\nhint: the policy of the bucket or of the user must allow s3:ListBucket, \
             s3:GetObject, s3:PutObject and s3:DeleteObject there"
        }
        _ => "",
    }
}

/// What it means that nobody has told what became of a request.
fn silence(asked: Asked) -> FaultClass {
    match asked {
        Asked::Bucket | Asked::Object => FaultClass::TransientHost,
        Asked::Once => FaultClass::Ambiguous,
    }
}

fn of_silence<E>(asked: Asked, doing: impl Display, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: Error + 'static,
{
    let chain = Chain(error.source());
    let said = chain.text().unwrap_or_else(|| error.to_string());
    let (class, hint) = match error {
        _ if chain.any(|cause| cause.is::<CredentialsError>()) => (
            FaultClass::NeedsPerson,
            "\nhint: there are no credentials for this profile; it goes on by itself when there are",
        ),
        SdkError::ConstructionFailure(_) => (FaultClass::FatalHost, ""),
        SdkError::ResponseError(_) | SdkError::ServiceError(_) => {
            (FaultClass::FatalHost, "\nhint: is endpoint_url that of an S3 store?")
        }
        SdkError::DispatchFailure(_) if chain.any(never_sent) => (FaultClass::TransientHost, ""),
        SdkError::DispatchFailure(failure) if failure.is_user() => (FaultClass::FatalHost, ""),
        _ => (silence(asked), ""),
    };
    Fault::new(class, format!("{doing}: {said}{hint}"))
}

/// Whether no connection was made, so that nothing can have happened.
fn never_sent(cause: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(ConnectionRefused | HostUnreachable | NetworkUnreachable))
        || cause.to_string().starts_with("dns error")
        || cause.to_string().starts_with("HTTP connect timeout")
}

/// The causes of an error, outermost first.
#[derive(Clone, Copy)]
pub(super) struct Chain<'a>(pub(super) Option<&'a (dyn Error + 'static)>);

impl<'a> Chain<'a> {
    fn causes(self) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
        std::iter::successors(self.0, |&cause| cause.source())
    }

    pub(super) fn any(self, holds: impl Fn(&'a (dyn Error + 'static)) -> bool) -> bool {
        self.causes().any(holds)
    }

    /// The innermost two say what happened; the others say that something did.
    pub(super) fn text(self) -> Option<String> {
        let mut texts: Vec<String> = self.causes().map(ToString::to_string).collect();
        texts.dedup();
        let from = texts.len().saturating_sub(2);
        (!texts.is_empty()).then(|| texts[from..].join(": "))
    }
}

#[cfg(test)]
mod tests;
