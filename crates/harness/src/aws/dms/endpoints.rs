//! Endpoints and the tests of their connections.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::endpoint_wire::{
    Connection, ConnectionReply, ConnectionsReply, DeleteEndpoint, EndpointDescription,
    EndpointInput, EndpointReply, EndpointType, EndpointsReply, SslMode, TestConnection,
};
use super::error::DmsError;
use super::name::{Kind, identifier, resource_identifier};
use super::source::Login;
use super::store::{Records, Settling, Store, not_found};
use super::target::Target;
use super::wire::{Describe, Filters, page};
use super::{run, source, target};

/// What an endpoint leads to.
#[derive(Debug, Clone)]
pub(super) enum Side {
    Source(Login),
    Target(Target),
}

#[derive(Debug)]
pub(super) struct EndpointRecord {
    pub(super) arn: String,
    pub(super) identifier: String,
    pub(super) side: Side,
    input: EndpointInput,
    settling: Settling,
}

#[derive(Debug)]
pub(super) struct ConnectionRecord {
    instance_arn: String,
    endpoint_arn: String,
    tested: Tested,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tested {
    UnderWay,
    Successful,
    Failed(String),
}

impl ConnectionRecord {
    pub(super) fn is_of_instance(&self, arn: &str) -> bool {
        self.instance_arn == arn
    }
}

impl EndpointRecord {
    fn describe(&self, status: Option<&'static str>) -> EndpointDescription {
        let mut input = self.input.clone();
        input.password = None;
        if let Some(settings) = &mut input.mysql_settings {
            settings.password = None;
        }
        let display = match self.input.engine_name.as_deref() {
            Some("s3") => "Amazon S3",
            Some("aurora") => "Amazon Aurora MySQL",
            Some("mariadb") => "MariaDB",
            _ => "MySQL",
        };
        let settled = if self.settling.done() { "active" } else { "creating" };
        EndpointDescription {
            input,
            engine_display_name: display,
            status: status.unwrap_or(settled),
            endpoint_arn: self.arn.clone(),
        }
    }

    fn kind(&self) -> &'static str {
        match self.side {
            Side::Source(_) => "source",
            Side::Target(_) => "target",
        }
    }
}

/// Checks what an endpoint says and tells where it leads.
fn check(input: &EndpointInput, account: &str) -> Result<Side, DmsError> {
    match input.endpoint_type {
        Some(EndpointType::Source) => source::check(input).map(Side::Source),
        Some(EndpointType::Target) => target::check(input, account).map(Side::Target),
        None => Err(DmsError::value("EndpointType must be given")),
    }
}

fn forbidden(name: &str, given: bool) -> Result<(), DmsError> {
    if given { Err(DmsError::value(format!("unknown field `{name}`"))) } else { Ok(()) }
}

/// The members of the changes over those of the endpoint; settings are merged one by one unless
/// `exact` asks for their replacement.
fn merged(
    old: &EndpointInput,
    changes: &EndpointInput,
    exact: bool,
) -> Result<EndpointInput, DmsError> {
    let members = |input: &EndpointInput| match serde_json::to_value(input) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(DmsError::Internal("an endpoint is no object".to_owned())),
    };
    let (mut into, changes) = (members(old)?, members(changes)?);
    for (name, value) in changes {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) if !exact => old.extend(new),
            (_, value) => drop(into.insert(name, value)),
        }
    }
    for name in ["EndpointArn", "ExactSettings"] {
        Map::remove(&mut into, name);
    }
    serde_json::from_value(Value::Object(into)).map_err(|e| DmsError::Internal(e.to_string()))
}

impl Records {
    pub(super) fn endpoint(&self, arn: &str) -> Result<&EndpointRecord, DmsError> {
        let found = self.endpoints.iter().find(|endpoint| endpoint.arn == arn);
        found.ok_or_else(|| not_found(Kind::Endpoint, arn))
    }

    /// Source login and target of a replication.
    ///
    /// # Errors
    /// An endpoint is missing, not active, or on the wrong side.
    pub(super) fn sides(&self, source: &str, target: &str) -> Result<(Login, Target), DmsError> {
        let (source, target) = (self.endpoint(source)?, self.endpoint(target)?);
        for endpoint in [source, target] {
            if !endpoint.settling.done() {
                let name = &endpoint.identifier;
                return Err(DmsError::state(format!("Endpoint {name} is not active")));
            }
        }
        match (&source.side, &target.side) {
            (Side::Source(login), Side::Target(target)) => Ok((login.clone(), target.clone())),
            _ => Err(DmsError::combination(
                "SourceEndpointArn must name a source and TargetEndpointArn a target endpoint",
            )),
        }
    }

    /// # Errors
    /// The endpoint's connection from the instance was not tested with success.
    pub(super) fn check_tested(&self, instance: &str, endpoint: &str) -> Result<(), DmsError> {
        let tested = self.connections.iter().any(|connection| {
            connection.instance_arn == instance
                && connection.endpoint_arn == endpoint
                && connection.tested == Tested::Successful
        });
        if tested {
            return Ok(());
        }
        Err(DmsError::state(
            "Test connection for replication instance and endpoint should be successful for \
             starting the replication task",
        ))
    }

    fn is_used(&self, arn: &str, active_only: bool) -> bool {
        let tasks = self.tasks.iter().map(|it| (it.endpoints(), it.execution.is_active()));
        let configs = self.configs.iter().map(|it| (it.endpoints(), it.execution.is_active()));
        tasks.chain(configs).any(|(ends, active)| ends.contains(&arn) && (active || !active_only))
    }

    fn connection(&self, record: &ConnectionRecord) -> Option<Connection> {
        let endpoint = self.endpoint(&record.endpoint_arn).ok()?;
        let instance = self.instance(&record.instance_arn).ok()?;
        let (status, last_failure_message) = match &record.tested {
            Tested::UnderWay => ("testing", None),
            Tested::Successful => ("successful", None),
            Tested::Failed(message) => ("failed", Some(message.clone())),
        };
        Some(Connection {
            replication_instance_arn: record.instance_arn.clone(),
            endpoint_arn: record.endpoint_arn.clone(),
            status,
            last_failure_message,
            endpoint_identifier: endpoint.identifier.clone(),
            replication_instance_identifier: instance.identifier.clone(),
        })
    }
}

impl Store {
    /// # Errors
    /// The source names a secret that this endpoint was not told of.
    fn check_secret(&self, side: &Side) -> Result<(), DmsError> {
        match side {
            Side::Source(Login::Secret(id)) if !self.secrets.contains_key(id) => {
                Err(DmsError::AccessDenied(format!("The secret {id} cannot be read")))
            }
            Side::Source(Login::Secret(_) | Login::Url(_)) | Side::Target(_) => Ok(()),
        }
    }

    pub(super) fn create_endpoint(&self, input: EndpointInput) -> Result<EndpointReply, DmsError> {
        forbidden("EndpointArn", input.endpoint_arn.is_some())?;
        forbidden("ExactSettings", input.exact_settings.is_some())?;
        let given = input.endpoint_identifier.as_deref();
        let given = given.ok_or_else(|| DmsError::value("EndpointIdentifier must be given"))?;
        let identifier = identifier("EndpointIdentifier", given, 255)?;
        let resource = resource_identifier(input.resource_identifier.as_deref())?;
        let side = check(&input, &self.place.account)?;
        self.check_secret(&side)?;
        let arn = self.place.arn(Kind::Endpoint, resource);
        let mut records = self.records();
        let mut existing = records.endpoints.iter();
        if let Some(old) = existing.find(|it| it.identifier == identifier || it.arn == arn) {
            let message = format!("Endpoint {identifier} already exists.");
            return Err(DmsError::AlreadyExists { message, arn: old.arn.clone() });
        }
        records.tag(&arn, input.tags.as_deref())?;
        let mut input = input;
        input.tags = None;
        input.resource_identifier = None;
        input.endpoint_identifier = Some(identifier.clone());
        input.ssl_mode = Some(input.ssl_mode.unwrap_or(SslMode::None));
        let settling = self.settling();
        let record = EndpointRecord { arn, identifier, side, input, settling };
        let endpoint = record.describe(Some("creating"));
        records.endpoints.push(record);
        Ok(EndpointReply { endpoint })
    }

    pub(super) fn modify_endpoint(
        &self,
        changes: EndpointInput,
    ) -> Result<EndpointReply, DmsError> {
        forbidden("Tags", changes.tags.is_some())?;
        forbidden("ResourceIdentifier", changes.resource_identifier.is_some())?;
        forbidden("KmsKeyId", changes.kms_key_id.is_some())?;
        let arn = changes.endpoint_arn.clone();
        let arn = arn.ok_or_else(|| DmsError::value("EndpointArn must be given"))?;
        let mut records = self.records();
        let old = records.endpoint(&arn)?;
        let mut input = merged(&old.input, &changes, changes.exact_settings == Some(true))?;
        let given = input.endpoint_identifier.as_deref().unwrap_or_default();
        let identifier = identifier("EndpointIdentifier", given, 255)?;
        input.endpoint_identifier = Some(identifier.clone());
        let side = check(&input, &self.place.account)?;
        self.check_secret(&side)?;
        if records.is_used(&arn, true) {
            return Err(DmsError::state(format!(
                "Endpoint {identifier} is in use by a running task"
            )));
        }
        let mut others = records.endpoints.iter().filter(|it| it.arn != arn);
        if let Some(other) = others.find(|it| it.identifier == identifier) {
            let message = format!("Endpoint {identifier} already exists.");
            return Err(DmsError::AlreadyExists { message, arn: other.arn.clone() });
        }
        // What was tested is no longer what is there.
        records.connections.retain(|connection| connection.endpoint_arn != arn);
        let record = records.endpoints.iter_mut().find(|endpoint| endpoint.arn == arn);
        let record = record.ok_or_else(|| not_found(Kind::Endpoint, &arn))?;
        (record.input, record.side, record.identifier) = (input, side, identifier);
        Ok(EndpointReply { endpoint: record.describe(None) })
    }

    pub(super) fn describe_endpoints(&self, it: Describe) -> Result<EndpointsReply, DmsError> {
        let names = ["endpoint-arn", "endpoint-type", "endpoint-id", "engine-name"];
        let filters = Filters::new(it.filters.as_deref(), &names)?;
        let records = self.records();
        let found = records.endpoints.iter().filter(|endpoint| {
            filters.pass("endpoint-arn", &endpoint.arn)
                && filters.pass("endpoint-type", endpoint.kind())
                && filters.pass("endpoint-id", &endpoint.identifier)
                && filters
                    .pass("engine-name", endpoint.input.engine_name.as_deref().unwrap_or_default())
        });
        let found: Vec<_> = found.map(|endpoint| endpoint.describe(None)).collect();
        if found.is_empty() && filters.names_a_record() {
            return Err(DmsError::NotFound("No endpoints found matching the filters.".to_owned()));
        }
        let (endpoints, marker) = page(found, it.max_records, it.marker.as_deref(), 100)?;
        Ok(EndpointsReply { endpoints, marker })
    }

    pub(super) fn delete_endpoint(&self, it: DeleteEndpoint) -> Result<EndpointReply, DmsError> {
        let mut records = self.records();
        let endpoint = records.endpoint(&it.endpoint_arn)?.describe(Some("deleting"));
        if records.is_used(&it.endpoint_arn, false) {
            return Err(DmsError::state(
                "The endpoint is used by a task or replication config, which must be deleted first",
            ));
        }
        records.endpoints.retain(|endpoint| endpoint.arn != it.endpoint_arn);
        records.connections.retain(|connection| connection.endpoint_arn != it.endpoint_arn);
        records.untag(&it.endpoint_arn);
        Ok(EndpointReply { endpoint })
    }

    pub(super) fn test_connection(
        self: &Arc<Self>,
        it: TestConnection,
    ) -> Result<ConnectionReply, DmsError> {
        let mut records = self.records();
        let side = records.endpoint(&it.endpoint_arn)?.side.clone();
        records.check_available(&it.replication_instance_arn)?;
        let (instance_arn, endpoint_arn) = (it.replication_instance_arn, it.endpoint_arn);
        let same = |connection: &ConnectionRecord| {
            connection.instance_arn == instance_arn && connection.endpoint_arn == endpoint_arn
        };
        let under_way = records.connections.iter().filter(|it| same(it));
        if under_way.clone().any(|connection| connection.tested == Tested::UnderWay) {
            return Err(DmsError::state("The connection is being tested already"));
        }
        records.connections.retain(|connection| !same(connection));
        let record = ConnectionRecord {
            instance_arn: instance_arn.clone(),
            endpoint_arn: endpoint_arn.clone(),
            tested: Tested::UnderWay,
        };
        let connection = records.connection(&record);
        let connection =
            connection.ok_or_else(|| DmsError::Internal("a connection is lost".to_owned()))?;
        records.connections.push(record);
        drop(records);
        let store = self.clone();
        self.spawn(async move {
            let tested = match run::test(&store, &side).await {
                Ok(()) => Tested::Successful,
                Err(message) => Tested::Failed(message),
            };
            let mut records = store.records();
            let mut connections = records.connections.iter_mut();
            // Both may have been deleted in between.
            if let Some(found) = connections
                .find(|it| it.instance_arn == instance_arn && it.endpoint_arn == endpoint_arn)
            {
                found.tested = tested;
            }
        });
        Ok(ConnectionReply { connection })
    }

    pub(super) fn describe_connections(&self, it: Describe) -> Result<ConnectionsReply, DmsError> {
        let names = ["endpoint-arn", "replication-instance-arn"];
        let filters = Filters::new(it.filters.as_deref(), &names)?;
        let records = self.records();
        let found = records.connections.iter().filter(|connection| {
            filters.pass("endpoint-arn", &connection.endpoint_arn)
                && filters.pass("replication-instance-arn", &connection.instance_arn)
        });
        let found: Vec<_> = found.filter_map(|record| records.connection(record)).collect();
        if found.is_empty() && filters.names_a_record() {
            return Err(DmsError::NotFound(
                "No connections found matching the filters.".to_owned(),
            ));
        }
        let (connections, marker) = page(found, it.max_records, it.marker.as_deref(), 100)?;
        Ok(ConnectionsReply { connections, marker })
    }
}
