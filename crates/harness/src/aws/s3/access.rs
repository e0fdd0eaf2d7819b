//! Who may call: one key pair, signed for the server's region.

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

/// The one key pair.
pub(super) struct OneKey {
    access_key: String,
    secret_key: SecretKey,
}

impl OneKey {
    pub(super) fn new(access_key: String, secret_key: String) -> Self {
        Self { access_key, secret_key: SecretKey::from(secret_key) }
    }
}

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            return Ok(self.secret_key.clone());
        }
        Err(s3_error!(
            InvalidAccessKeyId,
            "The AWS Access Key Id you provided does not exist in our records."
        ))
    }
}

/// Refuses anonymous requests and requests signed for another region.
pub(super) struct RegionCheck {
    region: String,
}

impl RegionCheck {
    pub(super) fn new(region: String) -> Self {
        Self { region }
    }
}

#[async_trait::async_trait]
impl S3Access for RegionCheck {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let authorization = context.headers().get("authorization");
        let signed_for = authorization.and_then(|value| scope_region(value.to_str().ok()?));
        match signed_for {
            Some(region) if region != self.region => Err(s3_error!(
                AuthorizationHeaderMalformed,
                "The authorization header is malformed; the region '{region}' is wrong; \
                 expecting '{}'",
                self.region
            )),
            // A presigned request carries its scope in the query, which the signature covers.
            Some(_) | None => Ok(()),
        }
    }
}

/// The region in `Credential=<key>/<date>/<region>/s3/aws4_request`.
fn scope_region(authorization: &str) -> Option<&str> {
    let (_, scope) = authorization.split_once("Credential=")?;
    scope.split([',', ' ']).next()?.split('/').nth_back(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_the_credential_scope() {
        let header = "AWS4-HMAC-SHA256 Credential=AK/20260101/sa-east-1/s3/aws4_request, \
                      SignedHeaders=host, Signature=00";
        assert_eq!(scope_region(header), Some("sa-east-1"));
        assert_eq!(scope_region("AWS4-HMAC-SHA256 Signature=00"), None);
    }
}
