//! Errors as DMS puts them on the wire.
//!
//! Source: AWS DMS API reference, "Errors" of each action; codes that the reference leaves out
//! (`InvalidParameterValueException`, `InvalidParameterCombinationException`) are those that the
//! service answers with.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::aws::signature::SignatureError;

/// A refused request. Every variant is the client's affair except `Throttling` (retry) and
/// `Internal` (bug).
#[derive(Debug, thiserror::Error)]
pub(super) enum DmsError {
    #[error("{0}")]
    NotFound(String),
    #[error("{message}")]
    AlreadyExists { message: String, arn: String },
    #[error("{0}")]
    State(String),
    #[error("{0}")]
    AccessDenied(String),
    #[error("{0}")]
    Value(String),
    #[error("{0}")]
    Combination(String),
    #[error("{0}")]
    Subnet(String),
    #[error("{0}")]
    TooFewZones(String),
    #[error("{0}")]
    Serialization(String),
    #[error("{0}")]
    UnknownOperation(String),
    #[error("Rate exceeded")]
    Throttling,
    #[error("{0}")]
    Internal(String),
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl DmsError {
    /// The error's code.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "ResourceNotFoundFault",
            Self::AlreadyExists { .. } => "ResourceAlreadyExistsFault",
            Self::State(_) => "InvalidResourceStateFault",
            Self::AccessDenied(_) => "AccessDeniedFault",
            Self::Value(_) => "InvalidParameterValueException",
            Self::Combination(_) => "InvalidParameterCombinationException",
            Self::Subnet(_) => "InvalidSubnet",
            Self::TooFewZones(_) => "ReplicationSubnetGroupDoesNotCoverEnoughAZs",
            Self::Serialization(_) => "SerializationException",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::Throttling => "ThrottlingException",
            Self::Internal(_) => "InternalFailure",
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
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Signature(SignatureError::Incomplete(_)) => StatusCode::BAD_REQUEST,
            Self::Signature(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The JSON body.
    pub(super) fn body(&self) -> String {
        let mut body = json!({"__type": self.code(), "message": self.to_string()});
        if let Self::AlreadyExists { arn, .. } = self {
            body["resourceArn"] = Value::String(arn.clone());
        }
        body.to_string()
    }

    pub(super) fn value(message: impl Into<String>) -> Self {
        Self::Value(message.into())
    }

    pub(super) fn combination(message: impl Into<String>) -> Self {
        Self::Combination(message.into())
    }

    pub(super) fn state(message: impl Into<String>) -> Self {
        Self::State(message.into())
    }
}
