//! Errors as Glue puts them on the wire.
//!
//! Source: AWS Glue API reference, "Exceptions" and "Common errors".

use hyper::StatusCode;
use serde_json::json;

use crate::aws::signature::SignatureError;

/// A refused request.
#[derive(Debug, thiserror::Error)]
pub(super) enum GlueError {
    #[error("{0}")]
    EntityNotFound(String),
    #[error("{0}")]
    AlreadyExists(String),
    #[error("{0}")]
    InvalidInput(String),
    #[error("{0}")]
    ConcurrentModification(String),
    #[error("{0}")]
    ConcurrentRunsExceeded(String),
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    Serialization(String),
    #[error("{0}")]
    UnknownOperation(String),
    #[error("Rate exceeded")]
    Throttling,
    #[error("{0}")]
    InternalService(String),
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl GlueError {
    /// The error's code.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::EntityNotFound(_) => "EntityNotFoundException",
            Self::AlreadyExists(_) => "AlreadyExistsException",
            Self::InvalidInput(_) => "InvalidInputException",
            Self::ConcurrentModification(_) => "ConcurrentModificationException",
            Self::ConcurrentRunsExceeded(_) => "ConcurrentRunsExceededException",
            Self::Validation(_) => "ValidationException",
            Self::Serialization(_) => "SerializationException",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::Throttling => "ThrottlingException",
            Self::InternalService(_) => "InternalServiceException",
            Self::Signature(SignatureError::Missing) => "MissingAuthenticationTokenException",
            Self::Signature(SignatureError::Incomplete(_)) => "IncompleteSignatureException",
            Self::Signature(SignatureError::UnknownKey) => "UnrecognizedClientException",
            Self::Signature(
                SignatureError::Scope(_) | SignatureError::Skewed | SignatureError::Mismatch,
            ) => "InvalidSignatureException",
        }
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Signature(SignatureError::Incomplete(_)) => StatusCode::BAD_REQUEST,
            Self::Signature(_) => StatusCode::FORBIDDEN,
            Self::InternalService(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The JSON body.
    pub(super) fn body(&self) -> String {
        json!({"__type": self.code(), "Message": self.to_string()}).to_string()
    }
}
