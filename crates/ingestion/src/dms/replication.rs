//! What runs the replication: an instance with a task, or a serverless replication.

use std::fmt;

use medallion_definition::environment::{Arn, DmsNetwork, ReplicationForm};
use serde_json::{Value, json};

/// Full load, then changes for ever.
pub const MIGRATION_TYPE: &str = "full-load-and-cdc";

/// The longest `ResourceIdentifier`.
const LONGEST: usize = 31;

/// An identifier that DMS accepts everywhere, also as the end of an ARN: up to 31 ASCII letters,
/// digits and hyphens, begins with a letter, no hyphen at the end and no two in a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceName(String);

/// True when DMS accepts the text as an identifier.
pub fn is_identifier(text: &str, longest: usize) -> bool {
    text.len() <= longest
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--")
}

impl ResourceName {
    /// Joins the parts with hyphens, with `_` written as a hyphen too; `None` when DMS would
    /// refuse the name.
    pub fn new(parts: &[&str]) -> Option<ResourceName> {
        let text = parts.join("-").replace('_', "-");
        is_identifier(&text, LONGEST).then_some(ResourceName(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The account and Region in which the replication's ARNs lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition of AWS, such as `aws` or `aws-us-gov`.
    pub partition: String,
    /// 12 digits.
    pub account: String,
    /// The Region.
    pub region: String,
}

impl Place {
    /// The ARN of a DMS resource: `endpoint`, `rep` (an instance), `task`, `replication-config`.
    pub fn arn(&self, kind: &str, name: &ResourceName) -> String {
        format!("arn:{}:dms:{}:{}:{kind}:{name}", self.partition, self.region, self.account)
    }
}

/// The replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Name of the task or configuration, of the instance and of the subnet group.
    pub name: ResourceName,
    /// Instance or serverless.
    pub form: ReplicationForm,
    /// Subnets and security groups.
    pub network: DmsNetwork,
    /// Encrypts the replication's storage; the account's own key without it.
    pub kms_key: Option<Arn>,
}

/// References to what a replication connects, as they are written where the document goes.
pub(super) struct Connected {
    pub(super) source: Value,
    pub(super) target: Value,
    pub(super) instance: Value,
    pub(super) mappings: Value,
    pub(super) settings: Value,
}

impl Replication {
    /// What a reader of the subnet group is told.
    pub(super) fn subnet_group_description(&self) -> String {
        format!("Subnets in which the replication {} runs", self.name)
    }

    /// The parameters of `CreateReplicationSubnetGroup`.
    pub fn subnet_group(&self) -> Value {
        json!({
            "ReplicationSubnetGroupIdentifier": self.name.as_str(),
            "ReplicationSubnetGroupDescription": self.subnet_group_description(),
            "SubnetIds": self.network.subnets,
        })
    }

    /// The parameters of `CreateReplicationInstance`; `None` for a serverless replication.
    pub fn instance(&self) -> Option<Value> {
        let ReplicationForm::Instance { class, engine_version, storage_gb, multi_az } = &self.form
        else {
            return None;
        };
        let mut document = json!({
            "AllocatedStorage": storage_gb,
            "AutoMinorVersionUpgrade": false,
            "EngineVersion": engine_version.to_string(),
            "MultiAZ": multi_az,
            "PubliclyAccessible": false,
            "ReplicationInstanceClass": class,
            "ReplicationInstanceIdentifier": self.name.as_str(),
            "ReplicationSubnetGroupIdentifier": self.name.as_str(),
            "ResourceIdentifier": self.name.as_str(),
            "VpcSecurityGroupIds": self.network.security_groups,
        });
        if let Some(key) = &self.kms_key {
            document["KmsKeyId"] = json!(key.as_str());
        }
        Some(document)
    }

    /// `ComputeConfig` of a serverless replication.
    pub(super) fn compute_config(&self, subnet_group: Value, groups: Value) -> Option<Value> {
        let ReplicationForm::Serverless { min_units, max_units, multi_az } = &self.form else {
            return None;
        };
        let mut config = json!({
            "MaxCapacityUnits": max_units,
            "MultiAZ": multi_az,
            "ReplicationSubnetGroupId": subnet_group,
            "VpcSecurityGroupIds": groups,
        });
        if let Some(units) = min_units {
            config["MinCapacityUnits"] = json!(units);
        }
        Some(config)
    }

    /// The parameters of `CreateReplicationTask` or `CreateReplicationConfig`.
    pub(super) fn api(&self, connected: &Connected) -> Value {
        let group = json!(self.name.as_str());
        let groups = json!(self.network.security_groups);
        match self.compute_config(group, groups) {
            Some(mut config) => {
                if let Some(key) = &self.kms_key {
                    config["KmsKeyId"] = json!(key.as_str());
                }
                json!({
                    "ComputeConfig": config,
                    "ReplicationConfigIdentifier": self.name.as_str(),
                    "ReplicationSettings": connected.settings,
                    "ReplicationType": MIGRATION_TYPE,
                    "ResourceIdentifier": self.name.as_str(),
                    "SourceEndpointArn": connected.source,
                    "TableMappings": connected.mappings,
                    "TargetEndpointArn": connected.target,
                })
            }
            None => json!({
                "MigrationType": MIGRATION_TYPE,
                "ReplicationInstanceArn": connected.instance,
                "ReplicationTaskIdentifier": self.name.as_str(),
                "ReplicationTaskSettings": connected.settings,
                "ResourceIdentifier": self.name.as_str(),
                "SourceEndpointArn": connected.source,
                "TableMappings": connected.mappings,
                "TargetEndpointArn": connected.target,
            }),
        }
    }
}
