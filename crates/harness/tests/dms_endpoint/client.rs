//! A client of the wire protocol that sends whatever it is told: boto3 refuses unknown members
//! before the endpoint sees them.

use chrono::Utc;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{ACCESS_KEY, REGION, SECRET_KEY};

/// Sends signed requests to one endpoint.
pub(crate) struct Client {
    address: String,
    /// What requests are signed with.
    pub(crate) secret_key: String,
}

/// The code and message of a refusal.
pub(crate) type Refusal = (String, String);

impl Client {
    pub(crate) fn new(endpoint: &str) -> Self {
        let address = endpoint.strip_prefix("http://").unwrap().to_owned();
        Self { address, secret_key: SECRET_KEY.to_owned() }
    }

    /// The reply, or the refusal.
    pub(crate) async fn call(&self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        let (status, body) = self.send(operation, &body.to_string()).await.expect("a reply");
        let reply: Value = serde_json::from_str(&body).unwrap();
        if status == 200 {
            return Ok(reply);
        }
        let text = |name: &str| reply[name].as_str().unwrap().to_owned();
        Err((text("__type"), text("message")))
    }

    /// The error code of a refused call.
    pub(crate) async fn code(&self, operation: &str, body: &Value) -> String {
        match self.call(operation, body).await {
            Ok(reply) => panic!("{operation} {body} must be refused, but: {reply}"),
            Err((code, _)) => code,
        }
    }

    /// Status and body; `None` when the connection ends without a reply.
    pub(crate) async fn send(&self, operation: &str, body: &str) -> Option<(u16, String)> {
        let request = self.signed(operation, body);
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, body.to_owned()))
    }

    /// An HTTP/1.1 request with AWS Signature Version 4.
    fn signed(&self, operation: &str, body: &str) -> String {
        let stamp = Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
        let date = &stamp[..8];
        let target = format!("AmazonDMSv20160101.{operation}");
        let payload = hex::encode(Sha256::digest(body));
        let headers = "host;x-amz-date;x-amz-target";
        let canonical = format!(
            "POST\n/\n\nhost:{}\nx-amz-date:{stamp}\nx-amz-target:{target}\n\n{headers}\n{payload}",
            self.address
        );
        let scope = format!("{date}/{REGION}/dms/aws4_request");
        let digest = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
        let mut key = hmac(format!("AWS4{}", self.secret_key).as_bytes(), date);
        for part in [REGION, "dms", "aws4_request"] {
            key = hmac(&key, part);
        }
        let signature = hex::encode(hmac(&key, &to_sign));
        format!(
            "POST / HTTP/1.1\r\nhost: {}\r\nx-amz-date: {stamp}\r\nx-amz-target: {target}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, \
             SignedHeaders={headers}, Signature={signature}\r\n\
             content-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
    }
}

/// HMAC-SHA256 (RFC 2104) with a key of at most one block.
fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().to_vec()
}
