//! Where lineage events go: to the lake's bucket always, and to an OpenLineage server when
//! `OPENLINEAGE_URL` names one, by the variables that OpenLineage's own clients know.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use medallion_tables::store::{Bucket, StoreError};
use medallion_transforms::runs::openlineage::LineageEvent;

/// The server, such as `https://marquez.example.org`.
const URL: &str = "OPENLINEAGE_URL";
/// The path at the server.
const ENDPOINT: &str = "OPENLINEAGE_ENDPOINT";
/// Its default.
const DEFAULT_ENDPOINT: &str = "api/v1/lineage";
/// What the server knows us by; sent as bearer.
const API_KEY: &str = "OPENLINEAGE_API_KEY";
/// `true` sends nothing to the server.
const DISABLED: &str = "OPENLINEAGE_DISABLED";
/// How long one event may take on its way to one place.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Why an event did not arrive somewhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineageError {
    /// The variables name no server.
    #[error("`{URL}` with `{ENDPOINT}` is no http or https address")]
    Address,
    /// The key cannot be sent.
    #[error("`{API_KEY}` holds a character that no header may have")]
    Key,
    /// The event cannot be written to the bucket.
    #[error("the event cannot be written to the bucket")]
    Bucket(#[from] StoreError),
    /// The machine has no certificates to know servers by.
    #[error("no certificate authority is known to this machine")]
    Roots(#[source] std::io::Error),
    /// The server cannot be reached, or broke off.
    #[error("the OpenLineage server does not take the event")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The server said no.
    #[error("the OpenLineage server refuses the event: {0}")]
    Refused(StatusCode),
    /// It took too long.
    #[error("no answer came within {} s", PATIENCE.as_secs())]
    Silent,
}

/// An OpenLineage server.
#[derive(Debug)]
pub(crate) struct LineageServer {
    address: Uri,
    bearer: Option<HeaderValue>,
    patience: Duration,
}

impl LineageServer {
    /// The server that the variables name, if they name one.
    ///
    /// # Errors
    /// When they name something else.
    pub(crate) fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<LineageServer>, LineageError> {
        let variable = |name| variable(name).filter(|value: &String| !value.is_empty());
        let disabled = variable(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let Some(url) = variable(URL).filter(|_| !disabled) else { return Ok(None) };
        let endpoint = variable(ENDPOINT).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let address = format!("{}/{}", url.trim_end_matches('/'), endpoint.trim_start_matches('/'));
        let address: Uri = address.parse().map_err(|_| LineageError::Address)?;
        if !matches!(address.scheme_str(), Some("http" | "https")) {
            return Err(LineageError::Address);
        }
        let bearer = |key: String| {
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        let key = variable(API_KEY);
        let bearer = key.map(|key| bearer(key).ok_or(LineageError::Key)).transpose()?;
        Ok(Some(LineageServer { address, bearer, patience: PATIENCE }))
    }

    /// Posts an event.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses the event or takes longer than [`PATIENCE`].
    pub(crate) async fn post(&self, event: &LineageEvent) -> Result<(), LineageError> {
        let mut request = Request::post(&self.address).header(CONTENT_TYPE, "application/json");
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        let body = Full::new(Bytes::from(event.body.to_string()));
        let request =
            request.body(body).map_err(|error| LineageError::Unreachable(error.into()))?;
        let sent = async {
            if self.address.scheme_str() == Some("http") {
                return send(HttpConnector::new(), request).await;
            }
            let tls = HttpsConnectorBuilder::new();
            let tls =
                tls.with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider());
            let tls = tls.map_err(LineageError::Roots)?;
            send(tls.https_only().enable_http1().build(), request).await
        };
        tokio::time::timeout(self.patience, sent).await.unwrap_or(Err(LineageError::Silent))
    }
}

async fn send(
    connector: impl Connect + Clone + Send + Sync + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(), LineageError> {
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let reply = client.request(request).await;
    match reply.map_err(|error| LineageError::Unreachable(error.into()))?.status() {
        status if status.is_success() => Ok(()),
        status => Err(LineageError::Refused(status)),
    }
}

/// Writes an event to the bucket; its key is [`LineageEvent::key`].
///
/// # Errors
/// When the bucket refuses or takes longer than [`PATIENCE`].
pub(crate) async fn store(bucket: &Bucket, event: &LineageEvent) -> Result<(), LineageError> {
    let key = event.key();
    let text = Bytes::from(format!("{:#}\n", event.body));
    let written = tokio::time::timeout(PATIENCE, bucket.put(&key, text));
    Ok(written.await.map_err(|_| LineageError::Silent)??)
}

#[cfg(test)]
mod tests {
    use medallion_transforms::runs::openlineage::RunState;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn server(variables: &[(&str, &str)]) -> Result<Option<LineageServer>, LineageError> {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name);
        LineageServer::from_variables(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    fn event() -> LineageEvent {
        LineageEvent {
            run_id: "019b7c2f-1c00-7000-8000-0000000000a1".parse().unwrap(),
            started: chrono::DateTime::UNIX_EPOCH,
            state: RunState::Start,
            body: json!({ "eventType": "START" }),
        }
    }

    /// A server that takes one request and gives this status; returns the request.
    async fn answered(status: &str, key: Option<&str>) -> (Result<(), LineageError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut variables = vec![(URL, url.as_str())];
        variables.extend(key.map(|key| (API_KEY, key)));
        let server = server(&variables).unwrap().unwrap();
        let reply = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        let taken = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\"START\"}") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            stream.write_all(reply.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        };
        let event = event();
        tokio::join!(server.post(&event), taken)
    }

    #[tokio::test]
    async fn events_are_posted_with_the_key() {
        let (posted, request) = answered("201 Created", Some("s3cret")).await;
        posted.unwrap();
        assert!(request.starts_with("POST /api/v1/lineage HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer s3cret\r\n"), "{request}");
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        assert!(request.ends_with(r#"{"eventType":"START"}"#), "{request}");
    }

    #[tokio::test]
    async fn a_refusal_names_the_status_and_not_the_key() {
        let (posted, request) = answered("403 Forbidden", None).await;
        let error = posted.unwrap_err();
        assert!(matches!(error, LineageError::Refused(StatusCode::FORBIDDEN)), "{error:?}");
        assert!(!request.contains("authorization"), "{request}");
        let server = server(&[(URL, "https://h"), (API_KEY, "s3cret")]).unwrap().unwrap();
        assert!(!format!("{server:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn nobody_listening_is_an_error_and_no_panic() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let server = server(&[(URL, &url)]).unwrap().unwrap();
        let error = server.post(&event()).await.unwrap_err();
        assert!(matches!(error, LineageError::Unreachable(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_server_that_is_silent_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = server(&[(URL, &url)]).unwrap().unwrap();
        let server = LineageServer { patience: Duration::from_millis(50), ..server };
        let error = server.post(&event()).await.unwrap_err();
        assert!(matches!(error, LineageError::Silent), "{error:?}");
    }

    #[test]
    fn variables_are_those_of_openlineage() {
        assert!(server(&[]).unwrap().is_none() && server(&[(URL, "")]).unwrap().is_none());
        assert!(server(&[(URL, "http://h"), (DISABLED, "True")]).unwrap().is_none());
        let address = |variables: &[(&str, &str)]| server(variables).unwrap().unwrap().address;
        assert_eq!(address(&[(URL, "http://h:5000")]), "http://h:5000/api/v1/lineage");
        let other = [(URL, "https://h/base/"), (ENDPOINT, "/events")];
        assert_eq!(address(&other), "https://h/base/events");
        for url in ["h:5000", "file:///tmp", "http://h h"] {
            assert!(matches!(server(&[(URL, url)]), Err(LineageError::Address)), "{url}");
        }
        let key = server(&[(URL, "http://h"), (API_KEY, "a\nb")]);
        assert!(matches!(key, Err(LineageError::Key)));
    }
}
