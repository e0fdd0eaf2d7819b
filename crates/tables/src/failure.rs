//! What a failed AWS request means for the caller.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// The meaning of a failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The thing asked for does not exist.
    NotFound,
    /// It exists already, or a condition of the request does not hold.
    Exists,
    /// Somebody else changed it first.
    Conflict,
    /// The caller may not do this.
    Denied,
    /// Throttled, timed out, or the service is in trouble: worth trying again.
    Unavailable,
    /// The service refused the request as such.
    Refused,
}

/// A failed request, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What it means.
    pub(crate) failure: Failure,
    /// True when the service certainly did not act on the request.
    pub(crate) definite: bool,
    /// The service's error code, or what stood in the way of a reply.
    pub(crate) code: String,
}

/// Reads the error of an S3 or Glue request.
///
/// A request counts as definitely not acted upon only when the service said so with a status
/// below 500, or when it could not even be built. Glue's `OperationTimeoutException` has status
/// 400 and is still an unknown outcome.
pub(crate) fn verdict<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Verdict {
    let (failure, definite, code) = match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or_default();
            let definite = status < 500 && code != "OperationTimeoutException";
            (by_code(status, code), definite, format!("{status} {code}"))
        }
        SdkError::ConstructionFailure(_) => (Failure::Refused, true, "request not built".into()),
        // Such as credentials that cannot be had.
        SdkError::DispatchFailure(failure)
            if failure.is_user() || (failure.is_other() && failure.as_other().is_none()) =>
        {
            (Failure::Denied, false, "request not sent".into())
        }
        SdkError::DispatchFailure(_) => (Failure::Unavailable, false, "no reply".into()),
        SdkError::TimeoutError(_) => (Failure::Unavailable, false, "timeout".into()),
        SdkError::ResponseError(_) => (Failure::Unavailable, false, "broken reply".into()),
        _ => (Failure::Unavailable, false, "unknown".into()),
    };
    Verdict { failure, definite, code: code.trim().to_owned() }
}

fn by_code(status: u16, code: &str) -> Failure {
    match code {
        "NoSuchKey" | "NotFound" | "EntityNotFoundException" => Failure::NotFound,
        "AlreadyExistsException" | "PreconditionFailed" => Failure::Exists,
        "ConcurrentModificationException" => Failure::Conflict,
        "NoSuchBucket" => Failure::Refused,
        // Somebody gave the upload's parts back, or it was completed: another one may succeed.
        "NoSuchUpload"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestTimeout"
        | "ConditionalRequestConflict"
        | "OperationAborted"
        | "OperationTimeoutException"
        | "ResourceNotReadyException"
        | "FederationSourceRetryableException" => Failure::Unavailable,
        "AccessDenied"
        | "AccessDeniedException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => Failure::Denied,
        _ => by_status(status),
    }
}

fn by_status(status: u16) -> Failure {
    match status {
        404 => Failure::NotFound,
        412 => Failure::Exists,
        401 | 403 => Failure::Denied,
        408 | 429 => Failure::Unavailable,
        500.. => Failure::Unavailable,
        _ => Failure::Refused,
    }
}
