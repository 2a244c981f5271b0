//! Owns the connection to a store: where it is, who we are there, how long an answer may
//! take. It is made when it is first needed, and anew after the store has refused our
//! credentials, so that renewed ones are found without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use daylily_lifecycle::outcome::{Fault, FaultClass};
use tokio::sync::Mutex;

use super::S3Bucket;

/// What is configured of a store. Without anything it is that of AWS, with the credentials
/// and the region that the environment, the profile or the machine has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// A profile of ~/.aws/config and ~/.aws/credentials.
    pub profile: Option<String>,
    pub region: Option<String>,
    /// `http(s)://host:port` of another store than that of AWS.
    pub endpoint_url: Option<String>,
    /// The bucket is the first folder of the path, not a part of the host's name.
    pub path_style: bool,
    pub checksums: Checksums,
    /// Read instead of ~/.aws/credentials.
    pub credentials_file: Option<PathBuf>,
}

/// When requests carry a checksum beyond what S3 demands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Checksums {
    /// CRC32 wherever S3 knows one.
    #[default]
    WhenSupported,
    /// For stores that refuse those: an MD5 of what is uploaded, which all know.
    WhenRequired,
}

/// Tries of a request that may be repeated, the first among them.
const TRIES: u32 = 3;
const MOST_BETWEEN_TRIES: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(5);
/// One try of a request with little in it, and of the first byte of a large answer.
const ANSWER: Duration = Duration::from_secs(30);
/// One try of sending a part, also over a slow line.
const SENDING: Duration = Duration::from_mins(10);

/// A store. Its buckets share connections and credentials.
#[derive(Debug, Clone)]
pub struct S3 {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    http: SharedHttpClient,
    client: Mutex<Option<aws_sdk_s3::Client>>,
}

impl S3 {
    /// Does not connect yet.
    pub fn new(settings: Settings) -> Self {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
        Self { inner: Arc::new(Inner { settings, http, client: Mutex::default() }) }
    }

    /// Does not look whether it is there.
    pub fn bucket(&self, name: &str) -> S3Bucket {
        S3Bucket { store: self.clone(), name: name.to_owned() }
    }

    pub(super) fn checksums(&self) -> Checksums {
        self.inner.settings.checksums
    }

    pub(super) async fn client(&self) -> aws_sdk_s3::Client {
        let mut client = self.inner.client.lock().await;
        if client.is_none() {
            *client = Some(Box::pin(self.connect()).await);
        }
        client.clone().unwrap_or_else(|| unreachable!("it was made just now"))
    }

    /// Hands a fault on; after one about credentials they are looked for anew.
    pub(super) async fn heard(&self, fault: Fault) -> Fault {
        if fault.class == FaultClass::NeedsPerson {
            *self.inner.client.lock().await = None;
        }
        fault
    }

    async fn connect(&self) -> aws_sdk_s3::Client {
        let settings = &self.inner.settings;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.inner.http.clone())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(TRIES)
                    .with_max_backoff(MOST_BETWEEN_TRIES),
            )
            .timeout_config(timeouts(ANSWER))
            .request_checksum_calculation(match settings.checksums {
                Checksums::WhenSupported => RequestChecksumCalculation::WhenSupported,
                Checksums::WhenRequired => RequestChecksumCalculation::WhenRequired,
            })
            // What is read is compared by those who write it down.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile).credentials_provider(self.of_profile(profile));
        }
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &settings.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(file) = &settings.credentials_file {
            loader = loader.profile_files(files(file));
        }
        let loaded = loader.load().await;
        let config = Builder::from(&loaded).force_path_style(settings.path_style);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// The credentials of a profile that was asked for by name: the SDK's own chain would
    /// have those of the environment go before them.
    fn of_profile(&self, profile: &str) -> ProfileFileCredentialsProvider {
        let settings = &self.inner.settings;
        let region = settings.region.clone().map(Region::new);
        let config = ProviderConfig::without_region()
            .with_http_client(self.inner.http.clone())
            .with_region(region);
        let mut provider = ProfileFileCredentialsProvider::builder().configure(&config);
        if let Some(file) = &settings.credentials_file {
            provider = provider.profile_files(files(file));
        }
        provider.profile_name(profile).build()
    }
}

fn files(credentials: &Path) -> EnvConfigFiles {
    let files = EnvConfigFiles::builder().include_default_config_file(true);
    files.with_file(EnvConfigFileKind::Credentials, credentials).build()
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(attempt);
    timeouts.operation_attempt_timeout(attempt).operation_timeout(attempt * TRIES).build()
}

/// For what must not be sent again without looking.
pub(super) fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

/// For what takes as long as the line is slow.
pub(super) fn sending() -> Builder {
    Builder::new().timeout_config(timeouts(SENDING))
}

pub(super) fn sending_once() -> Builder {
    once().timeout_config(timeouts(SENDING))
}
