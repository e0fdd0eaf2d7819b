//! The documents of a CloudFormation template.

use serde_json::{Map, Value, json};

use super::DmsDocuments;

/// Why a template holds no replication.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the template has no resource that is {0}")]
pub struct TemplateError(pub &'static str);

impl DmsDocuments {
    /// Reads the resources of a template; a `Ref` to a parameter becomes its default, any other
    /// one the name of the resource.
    ///
    /// # Errors
    /// When an endpoint or the replication is missing.
    pub fn from_template(template: &Value) -> Result<DmsDocuments, TemplateError> {
        let of_type = |kind: &str| -> Vec<Value> {
            let resources = template.get("Resources").and_then(Value::as_object);
            let found = resources.into_iter().flat_map(Map::values);
            let found = found.filter(|r| r.get("Type").and_then(Value::as_str) == Some(kind));
            let properties = found.filter_map(|r| r.get("Properties"));
            properties.map(|p| resolved(p, template)).map(as_api).collect()
        };
        let endpoint = |kind: &str| {
            let mut found = of_type("AWS::DMS::Endpoint").into_iter();
            found.find(|e| e.get("EndpointType").and_then(Value::as_str) == Some(kind))
        };
        let first = |kind: &str| of_type(kind).into_iter().next();
        let replication =
            first("AWS::DMS::ReplicationTask").or_else(|| first("AWS::DMS::ReplicationConfig"));
        Ok(DmsDocuments {
            source_endpoint: endpoint("source").ok_or(TemplateError("a source endpoint"))?,
            target_endpoint: endpoint("target").ok_or(TemplateError("a target endpoint"))?,
            replication: replication.ok_or(TemplateError("a replication"))?,
            instance: first("AWS::DMS::ReplicationInstance"),
            subnet_group: first("AWS::DMS::ReplicationSubnetGroup"),
            start: None,
            server: None,
        })
    }
}

fn resolved(value: &Value, template: &Value) -> Value {
    match value {
        Value::Object(object) => match object.get("Ref").and_then(Value::as_str) {
            Some(name) => reference(name, template),
            None => {
                let pairs = object.iter().map(|(key, v)| (key.clone(), resolved(v, template)));
                Value::Object(pairs.collect())
            }
        },
        Value::Array(items) => items.iter().map(|item| resolved(item, template)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn reference(name: &str, template: &Value) -> Value {
    let Some(parameter) = template.pointer(&format!("/Parameters/{name}")) else {
        return json!(name);
    };
    let text = parameter.get("Default").and_then(Value::as_str).unwrap_or(name);
    let kind = parameter.get("Type").and_then(Value::as_str).unwrap_or_default();
    if kind.starts_with("List<") || kind == "CommaDelimitedList" {
        return text.split(',').map(|part| json!(part.trim())).collect();
    }
    json!(text)
}

/// CloudFormation spells one property differently.
fn as_api(mut properties: Value) -> Value {
    if let Some(object) = properties.as_object_mut()
        && let Some(settings) = object.remove("MySqlSettings")
    {
        object.insert("MySQLSettings".to_owned(), settings);
    }
    properties
}
