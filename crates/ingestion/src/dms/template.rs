//! The plan as a CloudFormation template: the DMS part only. What the rest of the stack owns
//! (bucket, roles, secret, network, keys) comes in as parameters, whose defaults are the
//! environment's.

use serde_json::{Map, Value, json};

use super::endpoint::{SourceEndpoint, TargetPlace, engine_name};
use super::plan::DmsPlan;
use super::replication::{MIGRATION_TYPE, Replication};
use super::text;

fn reference(name: &str) -> Value {
    json!({ "Ref": name })
}

/// The template. CloudFormation refuses `null` anywhere in it, so such keys are left out.
pub fn template(plan: &DmsPlan) -> Value {
    text::without_nulls(&json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("DMS replication {}: MySQL to Bronze", plan.replication.name),
        "Parameters": parameters(plan),
        "Resources": resources(plan),
        "Outputs": outputs(plan),
    }))
}

fn parameters(plan: &DmsPlan) -> Value {
    let database = &plan.source.database;
    let network = &plan.replication.network;
    let text = |value: &str, what: &str| json!({ "Type": "String", "Default": value, "Description": what });
    let list = |kind: &str, ids: &[String], what: &str| json!({ "Type": format!("List<{kind}>"), "Default": ids.join(","), "Description": what });
    let mut parameters = Map::new();
    let mut add = |name: &str, value: Value| parameters.insert(name.to_owned(), value);
    add("BucketName", text(&plan.target.bucket, "Bucket of the lake"));
    add("TargetRoleArn", text(plan.target.role.as_str(), "Role with which DMS writes Bronze"));
    add(
        "SourceSecretArn",
        text(database.secret.as_str(), "Secret with host, port, user, password"),
    );
    add(
        "SourceSecretRoleArn",
        text(database.secret_role.as_str(), "Role with which DMS reads the secret"),
    );
    add(
        "SourceCertificateArn",
        text(database.certificate.as_str(), "Certificate authority of the source"),
    );
    add("SubnetIds", list("AWS::EC2::Subnet::Id", &network.subnets, "At least two zones"));
    add(
        "SecurityGroupIds",
        list("AWS::EC2::SecurityGroup::Id", &network.security_groups, "Security groups of DMS"),
    );
    if let Some(key) = &plan.replication.kms_key {
        add("KmsKeyArn", text(key.as_str(), "Key for connection data and storage"));
    }
    if let Some(key) = &plan.target.object_key {
        add("BronzeKmsKeyArn", text(key.as_str(), "Key for Bronze objects"));
    }
    Value::Object(parameters)
}

fn resources(plan: &DmsPlan) -> Value {
    let mut resources = Map::new();
    let mut add = |name: &str, kind: &str, mut properties: Value, encrypted: bool| {
        if encrypted && plan.replication.kms_key.is_some() {
            properties["KmsKeyId"] = reference("KmsKeyArn");
        }
        let resource = json!({ "Type": format!("AWS::DMS::{kind}"), "Properties": properties });
        resources.insert(name.to_owned(), resource);
    };
    add("SourceEndpoint", "Endpoint", source(plan), true);
    add("TargetEndpoint", "Endpoint", target(plan), true);
    add("SubnetGroup", "ReplicationSubnetGroup", subnet_group(&plan.replication), false);
    match instance(&plan.replication) {
        Some(properties) => {
            add("ReplicationInstance", "ReplicationInstance", properties, true);
            add("Replication", "ReplicationTask", task(plan), false);
        }
        None => add("Replication", "ReplicationConfig", config(plan), false),
    }
    Value::Object(resources)
}

fn source(plan: &DmsPlan) -> Value {
    let endpoint = &plan.source;
    let (secret, role) = (reference("SourceSecretArn"), reference("SourceSecretRoleArn"));
    json!({
        "EndpointIdentifier": endpoint.name.as_str(),
        "EndpointType": "source",
        "EngineName": engine_name(endpoint.database.engine),
        "ResourceIdentifier": endpoint.name.as_str(),
        "SslMode": endpoint.ssl_mode(),
        "CertificateArn": reference("SourceCertificateArn"),
        "ExtraConnectionAttributes": endpoint.extra_attributes(),
        // CloudFormation writes the API's `MySQLSettings` so.
        "MySqlSettings": SourceEndpoint::mysql_settings(&secret, &role),
    })
}

fn target(plan: &DmsPlan) -> Value {
    let endpoint = &plan.target;
    let place = TargetPlace {
        bucket: reference("BucketName"),
        role: reference("TargetRoleArn"),
        object_key: endpoint.object_key.as_ref().map(|_| reference("BronzeKmsKeyArn")),
    };
    json!({
        "EndpointIdentifier": endpoint.name.as_str(),
        "EndpointType": "target",
        "EngineName": "s3",
        "ResourceIdentifier": endpoint.name.as_str(),
        "S3Settings": endpoint.s3_settings(place),
    })
}

fn subnet_group(replication: &Replication) -> Value {
    json!({
        "ReplicationSubnetGroupIdentifier": replication.name.as_str(),
        "ReplicationSubnetGroupDescription": replication.subnet_group_description(),
        "SubnetIds": reference("SubnetIds"),
    })
}

/// The instance with references in place of what the stack owns.
fn instance(replication: &Replication) -> Option<Value> {
    let mut properties = replication.instance()?;
    properties["ReplicationSubnetGroupIdentifier"] = reference("SubnetGroup");
    properties["VpcSecurityGroupIds"] = reference("SecurityGroupIds");
    Some(properties)
}

/// Mappings and settings of a task are JSON in a string.
fn task(plan: &DmsPlan) -> Value {
    json!({
        "MigrationType": MIGRATION_TYPE,
        "ReplicationInstanceArn": reference("ReplicationInstance"),
        "ReplicationTaskIdentifier": plan.replication.name.as_str(),
        "ReplicationTaskSettings": text::compact(&plan.settings.document()),
        "ResourceIdentifier": plan.replication.name.as_str(),
        "SourceEndpointArn": reference("SourceEndpoint"),
        "TableMappings": text::compact(&plan.mappings.document()),
        "TargetEndpointArn": reference("TargetEndpoint"),
    })
}

/// Mappings and settings of a serverless replication are JSON objects.
fn config(plan: &DmsPlan) -> Value {
    let replication = &plan.replication;
    let (group, groups) = (reference("SubnetGroup"), reference("SecurityGroupIds"));
    let mut compute = replication.compute_config(group, groups).unwrap_or_default();
    if replication.kms_key.is_some() {
        compute["KmsKeyId"] = reference("KmsKeyArn");
    }
    json!({
        "ComputeConfig": compute,
        "ReplicationConfigIdentifier": replication.name.as_str(),
        "ReplicationSettings": plan.settings.document(),
        "ReplicationType": MIGRATION_TYPE,
        "ResourceIdentifier": replication.name.as_str(),
        "SourceEndpointArn": reference("SourceEndpoint"),
        "TableMappings": plan.mappings.document(),
        "TargetEndpointArn": reference("TargetEndpoint"),
    })
}

fn outputs(plan: &DmsPlan) -> Value {
    let replication = match plan.replication.instance() {
        Some(_) => "Task: started and stopped through the API, never by CloudFormation",
        None => "Configuration: started and stopped through the API, never by CloudFormation",
    };
    json!({
        "ReplicationArn": { "Description": replication, "Value": reference("Replication") },
        "SourceEndpointArn": {
            "Description": "Endpoint of MySQL", "Value": reference("SourceEndpoint"),
        },
        "TargetEndpointArn": {
            "Description": "Endpoint of Bronze", "Value": reference("TargetEndpoint"),
        },
    })
}
