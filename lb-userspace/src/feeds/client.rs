//! A client for HTTP and HTTPS that waits for nobody for long.

use std::{sync::Arc, time::Duration};

use ureq::{
    Agent, Body,
    http::Response,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// A server must be reached, and begin to answer, within this time.
const REACHED: Duration = Duration::from_secs(10);
/// A server must not pause for longer while it sends.
const PAUSE: Duration = Duration::from_secs(20);
/// And all must be there after this.
const COMPLETE: Duration = Duration::from_secs(300);
/// How many redirections are followed.
const REDIRECTIONS: u32 = 5;

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The server could not be reached, broke off, or took too long.
    #[error("{0}")]
    Failed(String),
    /// The server refuses.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// It is too large.
    #[error("it has more than {} MB", .0 / 1_000_000)]
    TooLarge(u64),
    /// It is no list.
    #[error("{0}")]
    Format(String),
}

/// A client.
pub(crate) struct Client(Agent);

impl Client {
    /// A client that trusts the authorities that the system trusts.
    pub(crate) fn new() -> Self {
        let certificates = rustls_native_certs::load_native_certs().certs;
        let certificates: Vec<Certificate<'static>> =
            certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&certificates))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(REDIRECTIONS)
            .proxy(ureq::Proxy::try_from_env())
            .timeout_resolve(Some(REACHED))
            .timeout_connect(Some(REACHED))
            .timeout_recv_response(Some(REACHED))
            .timeout_per_read(Some(PAUSE))
            .timeout_global(Some(COMPLETE))
            .build();
        Self(config.into())
    }

    /// Asks for a URL with some headers.
    pub(crate) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, FetchError> {
        let mut request = self.0.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.call().map_err(|error| failed(&error))
    }
}

/// The whole body of an answer, if it is not larger than this.
pub(crate) fn body(answer: Response<Body>, most_bytes: u64) -> Result<Vec<u8>, FetchError> {
    let mut body = answer.into_body();
    if body.content_length().is_some_and(|length| length > most_bytes) {
        return Err(FetchError::TooLarge(most_bytes));
    }
    body.with_config().limit(most_bytes).read_to_vec().map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => FetchError::TooLarge(most_bytes),
        error => failed(&error),
    })
}

fn failed(error: &ureq::Error) -> FetchError {
    FetchError::Failed(match error {
        ureq::Error::Timeout(_) => format!("the server takes too long ({error})"),
        ureq::Error::HostNotFound => "the name of the server is not known".to_owned(),
        error => format!("it could not be fetched ({error})"),
    })
}
