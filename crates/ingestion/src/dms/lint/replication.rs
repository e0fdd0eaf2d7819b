//! The task or serverless replication, its instance, its subnets and its start.

use medallion_definition::environment::ServerVersion;
use serde_json::Value;

use super::Report;
use super::expect::{Expectation, Wanted, check, expect, integer, scalar};
use super::rules::*;
use super::source::identifier;
use crate::dms::replication::MIGRATION_TYPE as WANTED_TYPE;

/// The capacities of a serverless replication.
const UNITS: [i64; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384];
/// The first engine of the generation for which Bronze is made. `Op` in Parquet files of a full
/// load came before, with 3.4.7.
const OLDEST: ServerVersion = ServerVersion { major: 3, minor: 5, patch: Some(0) };

/// True for `CreateReplicationConfig` and what describes it.
pub(super) fn is_serverless(document: &Value) -> bool {
    ["ComputeConfig", "ReplicationConfigIdentifier"].iter().any(|key| document.get(key).is_some())
}

/// Judges the task or configuration.
pub(super) fn replication(document: &Value, report: &mut Report) {
    let serverless = is_serverless(document);
    let (kind, name) = if serverless {
        ("ReplicationType", "/ReplicationConfigIdentifier")
    } else {
        ("MigrationType", "/ReplicationTaskIdentifier")
    };
    let found = scalar(document.get(kind)).unwrap_or_default();
    if found != WANTED_TYPE {
        let message = format!("`{kind}` is `{found}`");
        let hint = format!("{kind}={WANTED_TYPE}");
        report.add(MIGRATION_TYPE, &format!("/{kind}"), message, &hint);
    }
    identifier(document, name, 255, report);
    start(document, serverless, report);
    if let Some(config) = document.get("ComputeConfig") {
        capacity(config, report);
        let group = config.get("ReplicationSubnetGroupId");
        network(group, config.get("VpcSecurityGroupIds"), "/ComputeConfig", report);
    }
}

/// Judges where a replication starts and stops; the same keys stand in the calls that create it
/// and in those that start it.
pub(super) fn start(document: &Value, serverless: bool, report: &mut Report) {
    const POSITION: &str = "/CdcStartPosition";
    let position = scalar(document.pointer(POSITION));
    let time = scalar(document.get("CdcStartTime"));
    if serverless && (position.is_some() || time.is_some()) {
        let path = if position.is_some() { POSITION } else { "/CdcStartTime" };
        let message = "a serverless replication is told where to start";
        report.add(SERVERLESS_START, path, message, "use an instance and a task for it");
    } else if let Some(position) = position.filter(|p| !is_position(p)) {
        let message = format!("`{position}` is no `file:position`");
        let hint = "write `mysql-bin.000024:373` or `checkpoint:V1#…`; GTIDs are not understood";
        report.add(START_POSITION, POSITION, message, hint);
    }
    if scalar(document.get("CdcStopPosition")).is_some() {
        let message = "the replication stops at a position";
        report.add(STOP_POSITION, "/CdcStopPosition", message, "leave it unset");
    }
}

/// `file:position`, a checkpoint, or a time.
fn is_position(text: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let file = text
        .rsplit_once(':')
        .filter(|(_, position)| digits(position))
        .and_then(|(file, _)| file.rsplit_once('.'))
        .is_some_and(|(name, number)| !name.is_empty() && !name.contains(':') && digits(number));
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    file || text.starts_with("checkpoint:") || shape == "0000-00-00T00:00:00"
}

fn capacity(config: &Value, report: &mut Report) {
    let units = |key: &str| integer(config.get(key));
    let (least, most) = (units("MinCapacityUnits"), units("MaxCapacityUnits"));
    let known = |units: &i64| UNITS.contains(units);
    if !most.as_ref().is_some_and(known)
        || !least.as_ref().is_none_or(known)
        || least.is_some_and(|least| Some(least) > most)
    {
        let hint = format!("units are {UNITS:?}");
        let message = "the capacity is none that DMS has";
        report.add(CAPACITY, "/ComputeConfig", message, &hint);
    }
}

fn network(group: Option<&Value>, groups: Option<&Value>, path: &str, report: &mut Report) {
    for (what, value) in [("subnet group", group), ("security group", groups)] {
        if scalar(value).is_none() {
            let hint = "without it DMS takes the default network, where anything may reach it";
            report.add(NETWORK, path, format!("there is no {what}"), hint);
        }
    }
}

const INSTANCE: [Expectation; 2] = [
    expect(
        PUBLIC_INSTANCE,
        "/PubliclyAccessible",
        Some("true"),
        Wanted::Is(&["false"]),
        "PubliclyAccessible=false",
    ),
    expect(
        SETTING_RANGE,
        "/AllocatedStorage",
        None,
        Wanted::Between(5, 6144),
        "GB; the default is 50",
    ),
];

/// Judges the instance.
pub(super) fn instance(document: &Value, report: &mut Report) {
    check(document, &INSTANCE, report);
    identifier(document, "/ReplicationInstanceIdentifier", 63, report);
    let group = document
        .get("ReplicationSubnetGroupIdentifier")
        .or_else(|| document.get("ReplicationSubnetGroup"));
    let groups = document.get("VpcSecurityGroupIds").or_else(|| document.get("VpcSecurityGroups"));
    network(group, groups, "", report);
    let Some(text) = scalar(document.get("EngineVersion")) else { return };
    let hint = format!("{OLDEST} or later, written with three numbers");
    let message = match text.parse::<ServerVersion>() {
        Err(error) => error.to_string(),
        Ok(version) if version.patch.is_none() => format!("`{version}` is no engine of DMS"),
        Ok(version) if version < OLDEST => format!("engine {version} is too old for Bronze"),
        Ok(_) => return,
    };
    report.add(ENGINE_VERSION, "/EngineVersion", message, &hint);
}

/// Judges the subnet group.
pub(super) fn subnet_group(document: &Value, report: &mut Report) {
    let list = document.get("SubnetIds").or_else(|| document.get("Subnets"));
    let count = list.and_then(Value::as_array).map_or(0, Vec::len);
    if count < 2 {
        let hint = "two subnets in different availability zones";
        report.add(NETWORK, "/SubnetIds", format!("the group has {count} subnets"), hint);
    }
}
