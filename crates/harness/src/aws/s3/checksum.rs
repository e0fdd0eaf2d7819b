//! Checksums that a client sends with a body: in headers, or in trailers after the body.

use hyper::HeaderMap;
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::dto::Checksum;
use s3s::{S3Result, TrailingHeaders, s3_error};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    fn enable(self, hasher: &mut ChecksumHasher) {
        match self {
            Self::Crc32 => hasher.crc32 = Some(Default::default()),
            Self::Crc32c => hasher.crc32c = Some(Default::default()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(Default::default()),
            Self::Sha1 => hasher.sha1 = Some(Default::default()),
            Self::Sha256 => hasher.sha256 = Some(Default::default()),
        }
    }

    fn of(self, checksum: &Checksum) -> Option<&str> {
        match self {
            Self::Crc32 => checksum.checksum_crc32.as_deref(),
            Self::Crc32c => checksum.checksum_crc32c.as_deref(),
            Self::Crc64Nvme => checksum.checksum_crc64nvme.as_deref(),
            Self::Sha1 => checksum.checksum_sha1.as_deref(),
            Self::Sha256 => checksum.checksum_sha256.as_deref(),
        }
    }
}

/// What the client declared about a body that is still to be read.
#[derive(Debug)]
pub(super) struct Declared {
    in_headers: Vec<(Algorithm, String)>,
    in_trailers: Vec<Algorithm>,
    trailers: Option<TrailingHeaders>,
    content_md5: Option<String>,
}

impl Declared {
    /// Reads a request's headers.
    pub(super) fn read(headers: &HeaderMap, trailers: Option<TrailingHeaders>) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let in_headers = Algorithm::ALL
            .into_iter()
            .filter_map(|algorithm| Some((algorithm, text(algorithm.header())?.to_owned())))
            .collect();
        let announced = text("x-amz-trailer").unwrap_or_default().to_ascii_lowercase();
        let in_trailers = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| announced.split(',').any(|name| name.trim() == algorithm.header()))
            .collect();
        let content_md5 = text("content-md5").map(str::to_owned);
        Self { in_headers, in_trailers, trailers, content_md5 }
    }

    /// A digest that computes what has to be compared.
    pub(super) fn digest(&self) -> BodyDigest {
        let mut checksum = ChecksumHasher::default();
        let named = self.in_headers.iter().map(|(algorithm, _)| *algorithm);
        for algorithm in named.chain(self.in_trailers.iter().copied()) {
            algorithm.enable(&mut checksum);
        }
        BodyDigest { md5: Md5::new(), checksum }
    }

    /// Compares; call it after the body was read to its end.
    ///
    /// # Errors
    /// `BadDigest` when a declared checksum is not that of the body.
    pub(super) fn verify(&self, computed: &Digests) -> S3Result<()> {
        for (algorithm, expected) in &self.in_headers {
            compare(*algorithm, Some(expected), computed)?;
        }
        for algorithm in &self.in_trailers {
            let sent = self.trailers.as_ref().and_then(|trailers| {
                trailers.read(|map| {
                    map.get(algorithm.header())?.to_str().ok().map(|text| text.trim().to_owned())
                })
            });
            compare(*algorithm, sent.flatten().as_deref(), computed)?;
        }
        match &self.content_md5 {
            Some(expected) if *expected != BASE64.encode(computed.md5) => {
                Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match."))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn compare(algorithm: Algorithm, expected: Option<&str>, computed: &Digests) -> S3Result<()> {
    if expected.is_some() && expected == algorithm.of(&computed.checksum) {
        return Ok(());
    }
    Err(s3_error!(BadDigest, "The {} you specified did not match.", algorithm.header()))
}

/// Digests of a body that is being read.
pub(super) struct BodyDigest {
    md5: Md5,
    checksum: ChecksumHasher,
}

/// Digests of a body that was read.
#[derive(Debug, Clone)]
pub(super) struct Digests {
    pub(super) md5: [u8; 16],
    pub(super) checksum: Checksum,
}

impl BodyDigest {
    pub(super) fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        self.checksum.update(data);
    }

    pub(super) fn finish(self) -> Digests {
        Digests { md5: self.md5.finalize().into(), checksum: self.checksum.finalize() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(declared: &Declared, body: &[u8]) -> Digests {
        let mut digest = declared.digest();
        digest.update(body);
        digest.finish()
    }

    #[test]
    fn a_declared_checksum_must_be_that_of_the_body() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-checksum-crc32", "DUoRhQ==".parse().unwrap());
        let declared = Declared::read(&headers, None);
        declared.verify(&digests(&declared, b"hello world")).unwrap();
        assert!(declared.verify(&digests(&declared, b"hello worlds")).is_err());
    }

    #[test]
    fn a_content_md5_must_be_that_of_the_body() {
        let mut headers = HeaderMap::new();
        headers.insert("content-md5", "XrY7u+Ae7tCTyyK7j1rNww==".parse().unwrap());
        let declared = Declared::read(&headers, None);
        declared.verify(&digests(&declared, b"hello world")).unwrap();
        assert!(declared.verify(&digests(&declared, b"hello")).is_err());
    }

    #[test]
    fn an_announced_trailer_must_arrive() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-trailer", "x-amz-checksum-sha256".parse().unwrap());
        let declared = Declared::read(&headers, None);
        assert!(declared.verify(&digests(&declared, b"hello")).is_err());
    }
}
