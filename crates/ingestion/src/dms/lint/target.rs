//! The target endpoint.

use medallion_definition::change::DMS_TS;
use medallion_definition::contract::{Sensitivity, TableContract};
use medallion_definition::environment::is_account;
use serde_json::{Value, json};

use super::attributes::{self, Attributes};
use super::expect::{Expectation, Wanted, check, expect, same, scalar};
use super::rules::*;
use super::source::identifier;
use super::{Document, Report};

/// Where the settings stand.
const SETTINGS: &str = "/S3Settings/";
/// Settings that are judged beside the table.
const OTHER_NAMES: [&str; 3] =
    ["EnableStatistics", "ExpectedBucketOwner", "ServerSideEncryptionKmsKeyId"];
const ROLE: &str = "name bucket and role; the role trusts dms.amazonaws.com";
const DATES: &str = "DatePartitionEnabled, YYYYMMDD, SLASH, UTC";

const TABLE: [Expectation; 24] = [
    expect(TARGET_ENGINE, "/EndpointType", None, Wanted::Is(&["target"]), "this is the target"),
    expect(TARGET_ENGINE, "/EngineName", None, Wanted::Is(&["s3"]), "Bronze lies on S3"),
    expect(TARGET_ROLE, "/S3Settings/BucketName", None, Wanted::Present, ROLE),
    expect(TARGET_ROLE, "/S3Settings/ServiceAccessRoleArn", None, Wanted::Present, ROLE),
    expect(
        DATA_FORMAT,
        "/S3Settings/DataFormat",
        Some("csv"),
        Wanted::Is(&["parquet"]),
        "DataFormat=parquet",
    ),
    expect(
        OP_IN_FULL_LOAD,
        "/S3Settings/IncludeOpForFullLoad",
        Some("false"),
        Wanted::Is(&["true"]),
        "IncludeOpForFullLoad=true, with an engine from 3.4.7",
    ),
    expect(
        CHANGES_LEFT_OUT,
        "/S3Settings/CdcInsertsOnly",
        Some("false"),
        Wanted::Is(&["false"]),
        "CdcInsertsOnly=false",
    ),
    expect(
        CHANGES_LEFT_OUT,
        "/S3Settings/CdcInsertsAndUpdates",
        Some("false"),
        Wanted::Is(&["false"]),
        "CdcInsertsAndUpdates=false: with it, deletes are not written",
    ),
    expect(
        TIMESTAMP_COLUMN,
        "/S3Settings/TimestampColumnName",
        None,
        Wanted::Exactly(DMS_TS),
        "TimestampColumnName=dms_ts",
    ),
    expect(
        MILLISECONDS,
        "/S3Settings/ParquetTimestampInMillisecond",
        Some("false"),
        Wanted::Is(&["false"]),
        "ParquetTimestampInMillisecond=false; only DMS's own validation needs it, which is off",
    ),
    expect(
        DATE_PARTITION,
        "/S3Settings/DatePartitionEnabled",
        Some("false"),
        Wanted::Is(&["true"]),
        DATES,
    ),
    expect(
        DATE_PARTITION,
        "/S3Settings/DatePartitionSequence",
        Some("YYYYMMDD"),
        Wanted::Is(&["YYYYMMDD"]),
        DATES,
    ),
    expect(
        DATE_PARTITION,
        "/S3Settings/DatePartitionDelimiter",
        Some("SLASH"),
        Wanted::Is(&["SLASH"]),
        DATES,
    ),
    expect(
        DATE_PARTITION,
        "/S3Settings/DatePartitionTimezone",
        Some("UTC"),
        Wanted::Is(&["UTC", "Etc/UTC"]),
        DATES,
    ),
    expect(CDC_PATH, "/S3Settings/CdcPath", None, Wanted::Absent, "leave it unset"),
    expect(
        CDC_PATH,
        "/S3Settings/PreserveTransactions",
        Some("false"),
        Wanted::Is(&["false"]),
        "PreserveTransactions=false",
    ),
    expect(
        GLUE_CATALOG,
        "/S3Settings/GlueCatalogGeneration",
        Some("false"),
        Wanted::Is(&["false"]),
        "GlueCatalogGeneration=false",
    ),
    expect(
        ENCRYPTION,
        "/S3Settings/EncryptionMode",
        Some("sse-s3"),
        Wanted::Is(&["sse-s3", "sse-kms"]),
        "from sse-kms an endpoint can go to sse-s3, not back",
    ),
    expect(
        BUCKET_FOLDER,
        "/S3Settings/BucketFolder",
        None,
        Wanted::Exactly("bronze"),
        "BucketFolder=bronze",
    ),
    expect(
        CANNED_ACL,
        "/S3Settings/CannedAclForObjects",
        Some("none"),
        Wanted::Is(&["none", "private", "bucket-owner-read", "bucket-owner-full-control"]),
        "CannedAclForObjects=none",
    ),
    expect(
        COMPRESSION,
        "/S3Settings/CompressionType",
        Some("none"),
        Wanted::Is(&["none"]),
        "leave it unset",
    ),
    expect(
        SETTING_RANGE,
        "/S3Settings/CdcMaxBatchInterval",
        None,
        Wanted::Between(1, 3600),
        "60 to 300 seconds make files that are neither late nor tiny",
    ),
    expect(
        SETTING_RANGE,
        "/S3Settings/CdcMinFileSize",
        None,
        Wanted::Between(1, 1_048_576),
        "KB in memory; 32,000 is the default",
    ),
    expect(
        SETTING_RANGE,
        "/S3Settings/MaxFileSize",
        None,
        Wanted::Between(1, 1_048_576),
        "KB; 1 to 1,048,576",
    ),
];

/// Judges the endpoint.
///
/// Settings may also stand in `ExtraConnectionAttributes`. Which place wins is not documented, so
/// both readings have to be good.
pub(super) fn endpoint(document: &Value, contracts: &[TableContract], report: &mut Report) {
    identifier(document, "/EndpointIdentifier", 255, report);
    let hidden = hidden(&attributes::read(document, report));
    for wins in [false, true] {
        let mut one = Report { document: report.document, findings: Vec::new() };
        let (effective, from_attributes) = with_attributes(document, &hidden, wins);
        settings(&effective, contracts, &mut one);
        for mut finding in one.findings {
            let name = finding.path.strip_prefix(SETTINGS);
            if name.is_some_and(|name| from_attributes.contains(&name)) {
                finding.path = attributes::PATH.to_owned();
            }
            if !report.findings.contains(&finding) {
                report.findings.push(finding);
            }
        }
    }
}

/// True when timestamps have milliseconds, wherever that is set.
pub(super) fn writes_milliseconds(document: &Value) -> bool {
    let mut silent = Report { document: Document::TargetEndpoint, findings: Vec::new() };
    let hidden = hidden(&attributes::read(document, &mut silent));
    [false, true].into_iter().all(|wins| {
        let (effective, _) = with_attributes(document, &hidden, wins);
        let value = scalar(effective.pointer("/S3Settings/ParquetTimestampInMillisecond"));
        value.is_some_and(|value| same(&value, "true"))
    })
}

/// The attributes that are settings, under the names that they have there.
fn hidden(found: &Attributes) -> Vec<(&'static str, String)> {
    let names = TABLE.iter().filter_map(|row| row.path.strip_prefix(SETTINGS));
    let names = names.chain(OTHER_NAMES);
    names.filter_map(|name| Some((name, found.get(name)?.to_owned()))).collect()
}

/// The endpoint with the attributes as settings, and which settings these are; `wins` says whether
/// an attribute goes before a setting.
fn with_attributes(
    document: &Value,
    hidden: &[(&'static str, String)],
    wins: bool,
) -> (Value, Vec<&'static str>) {
    let mut effective = document.clone();
    let mut from_attributes = Vec::new();
    let Some(endpoint) = effective.as_object_mut().filter(|_| !hidden.is_empty()) else {
        return (effective, from_attributes);
    };
    let settings = endpoint.entry("S3Settings").or_insert_with(|| json!({}));
    if settings.is_null() {
        *settings = json!({});
    }
    for (name, value) in hidden {
        let Some(settings) = settings.as_object_mut() else { continue };
        if wins || scalar(settings.get(*name)).is_none() {
            settings.insert((*name).to_owned(), json!(value));
            from_attributes.push(*name);
        }
    }
    (effective, from_attributes)
}

fn settings(document: &Value, contracts: &[TableContract], report: &mut Report) {
    check(document, &TABLE, report);
    key(document, report);
    owner(document, report);
    statistics(document, contracts, report);
}

/// `sse-kms` without a key, or a key that is not used.
fn key(document: &Value, report: &mut Report) {
    const PATH: &str = "/S3Settings/ServerSideEncryptionKmsKeyId";
    let mode = scalar(document.pointer("/S3Settings/EncryptionMode")).unwrap_or_default();
    let key = scalar(document.pointer(PATH));
    match (same(&mode, "sse-kms"), key) {
        (true, None) => {
            let hint = "name the key in ServerSideEncryptionKmsKeyId";
            report.add(ENCRYPTION, PATH, "`EncryptionMode` is `sse-kms` without a key", hint);
        }
        (false, Some(_)) => {
            let hint = "EncryptionMode=sse-kms, or leave the key out";
            report.add(ENCRYPTION, PATH, "a key is named, and not used", hint);
        }
        (true, Some(_)) | (false, None) => {}
    }
}

fn owner(document: &Value, report: &mut Report) {
    const PATH: &str = "/S3Settings/ExpectedBucketOwner";
    let owner = scalar(document.pointer(PATH));
    if !owner.as_deref().is_some_and(is_account) {
        let is = owner.map_or("is not set".to_owned(), |o| format!("is `{o}`"));
        let hint = "the account of the bucket, 12 digits, as a string";
        report.add(BUCKET_OWNER, PATH, format!("`ExpectedBucketOwner` {is}"), hint);
    }
}

/// DMS has one switch for all columns, on by default.
fn statistics(document: &Value, contracts: &[TableContract], report: &mut Report) {
    const PATH: &str = "/S3Settings/EnableStatistics";
    let on = scalar(document.pointer(PATH)).is_none_or(|value| !same(&value, "false"));
    let personal = |c: &&TableContract| {
        c.columns.iter().any(|column| column.sensitivity == Sensitivity::Personal)
    };
    let Some(contract) = contracts.iter().find(personal).filter(|_| on) else { return };
    let message = format!("statistics are on, and `{}` has personal columns", contract.table);
    report.add(STATISTICS, PATH, message, "EnableStatistics=false; DMS knows no finer switch");
}
