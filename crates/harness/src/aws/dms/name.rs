//! Identifiers and ARNs.

use std::fmt;

use super::error::DmsError;

/// The kinds of resources, as their ARNs name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Endpoint,
    Instance,
    SubnetGroup,
    Task,
    Config,
}

impl Kind {
    fn in_arn(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Instance => "rep",
            Self::SubnetGroup => "subgrp",
            Self::Task => "task",
            Self::Config => "replication-config",
        }
    }

    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "Endpoint",
            Self::Instance => "Replication Instance",
            Self::SubnetGroup => "Replication Subnet Group",
            Self::Task => "Replication Task",
            Self::Config => "Replication Config",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Where ARNs lie.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) region: String,
    pub(super) account: String,
}

impl Place {
    /// The ARN of a new resource; without a resource identifier DMS makes one up.
    pub(super) fn arn(&self, kind: Kind, resource: Option<&str>) -> String {
        let made_up = || uuid::Uuid::new_v4().simple().to_string().to_uppercase();
        let resource = resource.map_or_else(made_up, str::to_owned);
        format!("arn:aws:dms:{}:{}:{}:{resource}", self.region, self.account, kind.in_arn())
    }
}

/// Checks an identifier: letters, digits and hyphens, a letter first, no hyphen last, no two
/// hyphens together. DMS stores identifiers in lower case.
///
/// # Errors
/// What the identifier breaks.
pub(super) fn identifier(member: &str, text: &str, most: usize) -> Result<String, DmsError> {
    let reason = if text.is_empty() || text.len() > most {
        format!("must have 1 to {most} characters")
    } else if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        "must contain only ASCII letters, digits, and hyphens".to_owned()
    } else if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        "must begin with a letter".to_owned()
    } else if text.ends_with('-') || text.contains("--") {
        "must not end with a hyphen or contain two consecutive hyphens".to_owned()
    } else {
        return Ok(text.to_ascii_lowercase());
    };
    Err(DmsError::value(format!("The parameter {member} is not a valid identifier: it {reason}")))
}

/// Checks an optional ResourceIdentifier, the readable end of an ARN.
///
/// # Errors
/// What it breaks.
pub(super) fn resource_identifier(text: Option<&str>) -> Result<Option<&str>, DmsError> {
    if let Some(text) = text {
        identifier("ResourceIdentifier", text, 31)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_follow_the_documented_rules() {
        assert_eq!(identifier("x", "Crm-Source1", 255).unwrap(), "crm-source1");
        for wrong in ["", "1a", "a-", "a--b", "a_b", "é", &"a".repeat(256)] {
            let refused = identifier("x", wrong, 255).unwrap_err();
            assert_eq!(refused.code(), "InvalidParameterValueException", "{wrong}");
        }
    }

    #[test]
    fn an_arn_ends_in_the_resource_identifier() {
        let place = Place { region: "sa-east-1".into(), account: "111122223333".into() };
        let arn = place.arn(Kind::Instance, Some("Local"));
        assert_eq!(arn, "arn:aws:dms:sa-east-1:111122223333:rep:Local");
        assert_ne!(place.arn(Kind::Task, None), place.arn(Kind::Task, None));
    }
}
