//! Verification of AWS Signature Version 4 on requests with an `Authorization` header.
//!
//! Source: IAM user guide, "Create a signed AWS API request".

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hyper::HeaderMap;
use hyper::http::request::Parts;
use sha2::{Digest, Sha256};

/// How far a client's clock may be off.
const LARGEST_SKEW: TimeDelta = TimeDelta::minutes(5);
/// Block size of SHA-256, bytes.
const BLOCK: usize = 64;

/// The credentials and scope that requests must be signed with.
#[derive(Debug, Clone)]
pub(super) struct Verifier {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) region: String,
    pub(super) service: &'static str,
}

/// Why a signature was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignatureError {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("the authorization header or a header that it needs is malformed: {0}")]
    Incomplete(&'static str),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("Credential should be scoped to a valid region and service: {0}")]
    Scope(String),
    #[error("Signature expired or not yet current")]
    Skewed,
    #[error(
        "The request signature we calculated does not match the signature you provided. \
         Check your AWS Secret Access Key and signing method."
    )]
    Mismatch,
}

struct Authorization<'a> {
    access_key: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl Verifier {
    /// Verifies a request whose body is `body` at the time `now`.
    pub(super) fn verify(
        &self,
        request: &Parts,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), SignatureError> {
        let header = text(&request.headers, "authorization").ok_or(SignatureError::Missing)?;
        let given = parse(header)?;
        if given.access_key != self.access_key {
            return Err(SignatureError::UnknownKey);
        }
        if given.region != self.region || given.service != self.service {
            return Err(SignatureError::Scope(format!("{}/{}", self.region, self.service)));
        }
        let stamp = text(&request.headers, "x-amz-date")
            .ok_or(SignatureError::Incomplete("`x-amz-date` is missing"))?;
        let signed_at = NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ")
            .map_err(|_| SignatureError::Incomplete("`x-amz-date` is not a date"))?;
        if !stamp.starts_with(given.date) {
            return Err(SignatureError::Incomplete("the dates differ"));
        }
        if (now - signed_at.and_utc()).abs() > LARGEST_SKEW {
            return Err(SignatureError::Skewed);
        }
        let canonical = canonical_request(request, body, given.signed_headers)?;
        let scope = format!("{}/{}/{}/aws4_request", given.date, self.region, self.service);
        let digest = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
        let key = self.signing_key(given.date);
        if hex::encode(hmac(&key, to_sign.as_bytes())) == given.signature {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    fn signing_key(&self, date: &str) -> [u8; 32] {
        let first = hmac(format!("AWS4{}", self.secret_key).as_bytes(), date.as_bytes());
        let region = hmac(&first, self.region.as_bytes());
        let service = hmac(&region, self.service.as_bytes());
        hmac(&service, b"aws4_request")
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn parse(header: &str) -> Result<Authorization<'_>, SignatureError> {
    let rest = header
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or(SignatureError::Incomplete("the algorithm is not AWS4-HMAC-SHA256"))?;
    let part = |name: &str| {
        rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let credential =
        part("Credential").ok_or(SignatureError::Incomplete("`Credential` is missing"))?;
    let signed_headers =
        part("SignedHeaders").ok_or(SignatureError::Incomplete("`SignedHeaders` is missing"))?;
    let signature =
        part("Signature").ok_or(SignatureError::Incomplete("`Signature` is missing"))?;
    match credential.split('/').collect::<Vec<_>>()[..] {
        [access_key, date, region, service, "aws4_request"] => {
            Ok(Authorization { access_key, date, region, service, signed_headers, signature })
        }
        _ => Err(SignatureError::Incomplete("`Credential` has not five parts")),
    }
}

fn canonical_request(
    request: &Parts,
    body: &[u8],
    signed_headers: &str,
) -> Result<String, SignatureError> {
    let mut names = signed_headers.split(';');
    if !names.clone().any(|name| name == "host") {
        return Err(SignatureError::Incomplete("`host` must be signed"));
    }
    let headers = names.try_fold(String::new(), |mut lines, name| {
        let values: Result<Vec<_>, _> =
            request.headers.get_all(name).iter().map(|value| value.to_str()).collect();
        let values = values.map_err(|_| SignatureError::Incomplete("a header is no text"))?;
        if values.is_empty() {
            return Err(SignatureError::Incomplete("a signed header is missing"));
        }
        let trimmed = values.iter().map(|value| single_spaced(value)).collect::<Vec<_>>();
        lines.push_str(&format!("{name}:{}\n", trimmed.join(",")));
        Ok(lines)
    })?;
    let payload = hex::encode(Sha256::digest(body));
    if text(&request.headers, "x-amz-content-sha256").is_some_and(|given| given != payload) {
        return Err(SignatureError::Mismatch);
    }
    let mut query: Vec<&str> = request.uri.query().unwrap_or_default().split('&').collect();
    query.sort_unstable();
    let (method, path, query) = (&request.method, request.uri.path(), query.join("&"));
    Ok(format!("{method}\n{path}\n{query}\n{headers}\n{signed_headers}\n{payload}"))
}

fn single_spaced(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message);
    let outer =
        Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner.finalize());
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the AWS general reference ("Signature Version 4 signing process").
    fn documented() -> (Verifier, Parts, DateTime<Utc>) {
        let verifier = Verifier {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".into(),
            service: "iam",
        };
        let authorization = "AWS4-HMAC-SHA256 \
            Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
            SignedHeaders=content-type;host;x-amz-date, \
            Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let request = hyper::Request::get("/?Action=ListUsers&Version=2010-05-08")
            .header("host", "iam.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("x-amz-date", "20150830T123600Z")
            .header("authorization", authorization)
            .body(())
            .unwrap();
        let now = DateTime::parse_from_rfc3339("2015-08-30T12:38:00Z").unwrap().to_utc();
        (verifier, request.into_parts().0, now)
    }

    #[test]
    fn the_documented_example_verifies() {
        let (verifier, request, now) = documented();
        assert_eq!(verifier.verify(&request, b"", now), Ok(()));
    }

    #[test]
    fn a_changed_body_secret_key_or_region_is_refused() {
        let (verifier, request, now) = documented();
        let refused = verifier.verify(&request, b"x", now);
        assert_eq!(refused, Err(SignatureError::Mismatch));
        let wrong = Verifier { secret_key: "x".into(), ..verifier.clone() };
        assert_eq!(wrong.verify(&request, b"", now), Err(SignatureError::Mismatch));
        let wrong = Verifier { access_key: "x".into(), ..verifier.clone() };
        assert_eq!(wrong.verify(&request, b"", now), Err(SignatureError::UnknownKey));
        let wrong = Verifier { region: "sa-east-1".into(), ..verifier };
        let refused = wrong.verify(&request, b"", now);
        assert_eq!(refused, Err(SignatureError::Scope("sa-east-1/iam".into())));
    }

    #[test]
    fn an_old_or_missing_signature_is_refused() {
        let (verifier, mut request, now) = documented();
        let late = now + TimeDelta::minutes(10);
        assert_eq!(verifier.verify(&request, b"", late), Err(SignatureError::Skewed));
        request.headers.remove("authorization");
        assert_eq!(verifier.verify(&request, b"", now), Err(SignatureError::Missing));
    }
}
