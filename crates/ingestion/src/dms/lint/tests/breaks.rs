//! One way, or several, to break each rule.

use medallion_definition::finding::RuleId;
use serde_json::{Value, json};

use super::fixture::Form;
use super::mapping_breaks::{loading, selections, transformations};
use crate::dms::lint::rules::*;
use crate::dms::lint::{DmsDocuments, Document};

/// A good document, broken in one way.
#[derive(Debug)]
pub(super) struct Break {
    pub(super) rule: RuleId,
    pub(super) form: Form,
    pub(super) document: Document,
    pub(super) edit: Edit,
}

#[derive(Debug)]
pub(super) enum Edit {
    /// The value at this pointer; its parent exists.
    Set(&'static str, Value),
    /// The value at this pointer goes.
    Remove(&'static str),
    /// One more element of this list.
    Append(&'static str, Value),
}

const SOURCE: Document = Document::SourceEndpoint;
const TARGET: Document = Document::TargetEndpoint;
const SETTINGS: Document = Document::TaskSettings;
pub(super) const MAPPINGS: Document = Document::TableMappings;
const REPLICATION: Document = Document::Replication;
const INSTANCE: Document = Document::Instance;

pub(super) fn set(rule: RuleId, document: Document, path: &'static str, value: Value) -> Break {
    Break { rule, form: Form::Instance, document, edit: Edit::Set(path, value) }
}

pub(super) fn remove(rule: RuleId, document: Document, path: &'static str) -> Break {
    Break { rule, form: Form::Instance, document, edit: Edit::Remove(path) }
}

pub(super) fn add_rule(rule: RuleId, value: Value) -> Break {
    Break { rule, form: Form::Instance, document: MAPPINGS, edit: Edit::Append("/rules", value) }
}

fn serverless(broken: Break) -> Break {
    Break { form: Form::Serverless, ..broken }
}

pub(super) fn all() -> Vec<Break> {
    [source(), target(), settings(), errors(), selections(), transformations(), loading()]
        .into_iter()
        .flatten()
        .chain(replication())
        .collect()
}

const ATTRIBUTES: &str = "/ExtraConnectionAttributes";

fn source() -> Vec<Break> {
    let xa = "IgnoreOpenXaTransactionsCheck=false";
    let partition = "skipTableSuspensionForPartitionDdl=true";
    let attributes = |more: &str| json!(format!("{xa};{partition};{more}"));
    vec![
        set(SOURCE_ENGINE, SOURCE, "/EngineName", json!("postgres")),
        set(SOURCE_ENGINE, SOURCE, "/EndpointType", json!("target")),
        set(IDENTIFIER, SOURCE, "/EndpointIdentifier", json!("shop--dev")),
        set(PLAIN_CREDENTIALS, SOURCE, "/Password", json!("x")),
        set(PLAIN_CREDENTIALS, SOURCE, "/MySQLSettings/Username", json!("dms")),
        set(PLAIN_CREDENTIALS, SOURCE, ATTRIBUTES, attributes("password=x")),
        set(PLAIN_CREDENTIALS, SOURCE, "/Port", json!(3306)),
        set(PLAIN_CREDENTIALS, SOURCE, "/MySQLSettings/Port", json!(3306)),
        remove(SECRET, SOURCE, "/MySQLSettings/SecretsManagerSecretId"),
        remove(SECRET, SOURCE, "/MySQLSettings/SecretsManagerAccessRoleArn"),
        set(SOURCE_TLS, SOURCE, "/SslMode", json!("require")),
        remove(SOURCE_TLS, SOURCE, "/SslMode"),
        remove(SOURCE_CERTIFICATE, SOURCE, "/CertificateArn"),
        set(SERVER_TIMEZONE, SOURCE, "/MySQLSettings/ServerTimezone", json!("Asia/Tokyo")),
        set(SERVER_TIMEZONE, SOURCE, ATTRIBUTES, attributes("serverTimezone=Asia/Tokyo")),
        set(AFTER_CONNECT, SOURCE, "/MySQLSettings/AfterConnectScript", json!("SET @a = 1")),
        set(PARTITION_DDL, SOURCE, ATTRIBUTES, json!(xa)),
        set(OPEN_XA, SOURCE, ATTRIBUTES, json!(partition)),
        set(EXTRA_ATTRIBUTES, SOURCE, ATTRIBUTES, attributes("fast")),
        set(SETTING_RANGE, SOURCE, "/MySQLSettings/EventsPollInterval", json!(61)),
        set(SOURCE_VERSION, Document::Server, "/version", json!("9.7.0")),
        set(SOURCE_VERSION, Document::Server, "/version", json!("5.1.73-log")),
        set(SOURCE_VERSION, Document::Server, "/version", json!("unknown")),
        set(BINLOG_COMPRESSION, Document::Server, "/binlog_transaction_compression", json!(true)),
    ]
}

fn target() -> Vec<Break> {
    let at = |rule, path, value| set(rule, TARGET, path, value);
    vec![
        at(TARGET_ENGINE, "/EngineName", json!("redshift")),
        at(TARGET_ENGINE, "/EndpointType", json!("source")),
        at(IDENTIFIER, "/ResourceIdentifier", json!("shop-dev-bronze-with-a-very-long-name")),
        at(DATA_FORMAT, "/S3Settings/DataFormat", json!("csv")),
        remove(OP_IN_FULL_LOAD, TARGET, "/S3Settings/IncludeOpForFullLoad"),
        at(OP_IN_FULL_LOAD, "/S3Settings/IncludeOpForFullLoad", json!(false)),
        at(CHANGES_LEFT_OUT, "/S3Settings/CdcInsertsOnly", json!(true)),
        at(CHANGES_LEFT_OUT, "/S3Settings/CdcInsertsAndUpdates", json!(true)),
        at(TIMESTAMP_COLUMN, "/S3Settings/TimestampColumnName", json!("ts")),
        at(TIMESTAMP_COLUMN, "/S3Settings/TimestampColumnName", json!("DMS-TS")),
        at(MILLISECONDS, "/S3Settings/ParquetTimestampInMillisecond", json!(true)),
        at(DATE_PARTITION, "/S3Settings/DatePartitionEnabled", json!(false)),
        at(DATE_PARTITION, "/S3Settings/DatePartitionSequence", json!("YYYYMMDDHH")),
        at(DATE_PARTITION, "/S3Settings/DatePartitionDelimiter", json!("DASH")),
        at(DATE_PARTITION, "/S3Settings/DatePartitionTimezone", json!("America/Sao_Paulo")),
        at(CDC_PATH, "/S3Settings/CdcPath", json!("cdc")),
        at(CDC_PATH, "/S3Settings/PreserveTransactions", json!(true)),
        at(GLUE_CATALOG, "/S3Settings/GlueCatalogGeneration", json!(true)),
        at(STATISTICS, "/S3Settings/EnableStatistics", json!(true)),
        at(ENCRYPTION, "/S3Settings/EncryptionMode", json!("sse-s3")),
        remove(ENCRYPTION, TARGET, "/S3Settings/ServerSideEncryptionKmsKeyId"),
        remove(BUCKET_OWNER, TARGET, "/S3Settings/ExpectedBucketOwner"),
        at(BUCKET_OWNER, "/S3Settings/ExpectedBucketOwner", json!("me")),
        at(BUCKET_FOLDER, "/S3Settings/BucketFolder", json!("raw")),
        at(BUCKET_FOLDER, "/S3Settings/BucketFolder", json!("Bronze")),
        at(CHANGES_LEFT_OUT, ATTRIBUTES, json!("cdcInsertsOnly=true")),
        at(DATA_FORMAT, ATTRIBUTES, json!("maxFileSize=512; dataFormat=csv")),
        at(CDC_PATH, ATTRIBUTES, json!("cdcPath=changes")),
        at(STATISTICS, ATTRIBUTES, json!("enableStatistics=true")),
        at(BUCKET_OWNER, ATTRIBUTES, json!("expectedBucketOwner=me")),
        at(MILLISECONDS, ATTRIBUTES, json!("parquetTimestampInMillisecond=true")),
        at(SETTING_RANGE, ATTRIBUTES, json!("cdcMinFileSize=0")),
        at(EXTRA_ATTRIBUTES, ATTRIBUTES, json!("fast")),
        at(CANNED_ACL, "/S3Settings/CannedAclForObjects", json!("public-read")),
        at(COMPRESSION, "/S3Settings/CompressionType", json!("gzip")),
        remove(TARGET_ROLE, TARGET, "/S3Settings/ServiceAccessRoleArn"),
        at(SETTING_RANGE, "/S3Settings/CdcMaxBatchInterval", json!(0)),
    ]
}

fn settings() -> Vec<Break> {
    let at = |rule, path, value| set(rule, SETTINGS, path, value);
    vec![
        set(JSON, SETTINGS, "", json!([])),
        remove(SETTINGS_INCOMPLETE, SETTINGS, "/StreamBufferSettings"),
        at(SETTINGS_UNKNOWN, "/ErrorBehaviour", json!({})),
        at(SETTING_RANGE, "/FullLoadSettings/MaxFullLoadSubTasks", json!(50)),
        at(SETTING_RANGE, "/FullLoadSettings/CommitRate", json!(50_001)),
        at(SETTING_RANGE, "/TargetMetadata/LobMaxSize", json!(200_000)),
        at(LOBS_LEFT_OUT, "/TargetMetadata/SupportLobs", json!(false)),
        at(FULL_LOB_MODE, "/TargetMetadata/FullLobMode", json!(true)),
        at(FULL_LOB_MODE, "/TargetMetadata/LimitedSizeLobMode", json!(false)),
        at(FULL_LOB_MODE, "/TargetMetadata/InlineLobMaxSize", json!(16)),
        at(LOB_SIZE, "/TargetMetadata/LobMaxSize", json!(299)),
        remove(LOB_SIZE, SETTINGS, "/TargetMetadata/LobMaxSize"),
        at(BATCH_APPLY, "/TargetMetadata/BatchApplyEnabled", json!(true)),
        at(PARALLEL_THREADS, "/TargetMetadata/ParallelLoadThreads", json!(4)),
        at(PARALLEL_THREADS, "/TargetMetadata/ParallelApplyThreads", json!(4)),
        at(TARGET_SCHEMA, "/TargetMetadata/TargetSchema", json!("raw")),
        at(PREPARATION, "/FullLoadSettings/TargetTablePrepMode", json!("DROP_AND_CREATE")),
        at(STOP_AFTER_LOAD, "/FullLoadSettings/StopTaskCachedChangesApplied", json!(true)),
        at(LOGGING, "/Logging/EnableLogging", json!(false)),
        at(
            LOG_DETAIL,
            "/Logging/LogComponents/0/Severity",
            json!("LOGGER_SEVERITY_DETAILED_DEBUG"),
        ),
        at(CONTROL_TABLES, "/ControlTablesSettings/HistoryTableEnabled", json!(true)),
        at(CONTROL_TABLES, "/ControlTablesSettings/StatusTableEnabled", json!(true)),
        at(CONTROL_TABLES, "/ControlTablesSettings/CommitPositionTableEnabled", json!(true)),
        at(VALIDATION, "/ValidationSettings/EnableValidation", json!(true)),
        at(VALIDATION_ONLY, "/ValidationSettings/ValidationOnly", json!(true)),
        at(BEFORE_IMAGE_SETTINGS, "/BeforeImageSettings", json!({ "EnableBeforeImage": true })),
        at(TIME_TRAVEL, "/TTSettings", json!({ "EnableTT": true })),
    ]
}

fn errors() -> Vec<Break> {
    let at = |rule, path, value| set(rule, SETTINGS, path, value);
    let ddl = |rule, path| remove(rule, SETTINGS, path);
    vec![
        at(ERROR_POLICY, "/ErrorBehavior/DataErrorPolicy", json!("LOG_ERROR")),
        remove(ERROR_POLICY, SETTINGS, "/ErrorBehavior/DataTruncationErrorPolicy"),
        at(ERROR_POLICY, "/ErrorBehavior/EventErrorPolicy", json!("IGNORE")),
        at(ERROR_POLICY, "/ErrorBehavior/EventErrorPolicy", json!("SUSPEND_TABLE")),
        at(ERROR_POLICY, "/ErrorBehavior/TableErrorEscalationPolicy", json!("SUSPEND_TABLE")),
        at(ERROR_POLICY, "/ErrorBehavior/ApplyErrorDeletePolicy", json!("IGNORE_RECORD")),
        at(ERROR_POLICY, "/ErrorBehavior/ApplyErrorInsertPolicy", json!("LOG_ERROR")),
        at(ERROR_POLICY, "/ErrorBehavior/ApplyErrorUpdatePolicy", json!("LOG_ERROR")),
        at(ERROR_POLICY, "/ErrorBehavior/ApplyErrorEscalationPolicy", json!("LOG_ERROR")),
        at(CONFLICTS_IGNORED, "/ErrorBehavior/FullLoadIgnoreConflicts", json!(true)),
        remove(NO_TABLES_CAPTURED, SETTINGS, "/ErrorBehavior/FailOnNoTablesCaptured"),
        at(TRUNCATE_UNNOTICED, "/ErrorBehavior/ApplyErrorFailOnTruncationDdl", json!(false)),
        ddl(TRUNCATE_HANDLED, "/ChangeProcessingDdlHandlingPolicy/HandleSourceTableTruncated"),
        ddl(DROP_HANDLED, "/ChangeProcessingDdlHandlingPolicy/HandleSourceTableDropped"),
        at(
            ALTER_IGNORED,
            "/ChangeProcessingDdlHandlingPolicy/HandleSourceTableAltered",
            json!(false),
        ),
    ]
}

fn replication() -> Vec<Break> {
    let start = |value: &str| json!({ "CdcStartPosition": value });
    let gtid = "3E11FA47-71CA-11E1-9E33-C80AA9429562:23";
    let config = "/ComputeConfig/MaxCapacityUnits";
    vec![
        set(MIGRATION_TYPE, REPLICATION, "/MigrationType", json!("cdc")),
        serverless(set(MIGRATION_TYPE, REPLICATION, "/ReplicationType", json!("full-load"))),
        set(IDENTIFIER, REPLICATION, "/ReplicationTaskIdentifier", json!("1st")),
        set(START_POSITION, REPLICATION, "/CdcStartPosition", json!(gtid)),
        set(START_POSITION, REPLICATION, "/CdcStartPosition", json!("0-1-100")),
        set(START_POSITION, Document::Start, "", start(gtid)),
        serverless(set(SERVERLESS_START, Document::Start, "", start("mysql-bin.000024:373"))),
        serverless(set(
            SERVERLESS_START,
            REPLICATION,
            "/CdcStartTime",
            json!("2026-01-01T00:00:00"),
        )),
        set(
            STOP_POSITION,
            REPLICATION,
            "/CdcStopPosition",
            json!("server_time:2026-01-01T00:00:00"),
        ),
        serverless(set(CAPACITY, REPLICATION, config, json!(12))),
        serverless(set(CAPACITY, REPLICATION, "/ComputeConfig/MinCapacityUnits", json!(16))),
        serverless(remove(NETWORK, REPLICATION, "/ComputeConfig/ReplicationSubnetGroupId")),
        remove(NETWORK, INSTANCE, "/VpcSecurityGroupIds"),
        set(NETWORK, Document::SubnetGroup, "/SubnetIds", json!(["subnet-1"])),
        remove(PUBLIC_INSTANCE, INSTANCE, "/PubliclyAccessible"),
        set(SETTING_RANGE, INSTANCE, "/AllocatedStorage", json!(4)),
        set(ENGINE_VERSION, INSTANCE, "/EngineVersion", json!("3.6")),
        set(ENGINE_VERSION, INSTANCE, "/EngineVersion", json!("3.4.7")),
    ]
}

impl Break {
    pub(super) fn apply(&self, documents: &mut DmsDocuments) {
        let replication = &mut documents.replication;
        match self.document {
            Document::SourceEndpoint => self.edit.apply(&mut documents.source_endpoint),
            Document::TargetEndpoint => self.edit.apply(&mut documents.target_endpoint),
            Document::Replication => self.edit.apply(replication),
            Document::TableMappings => self.inside(replication, "TableMappings"),
            Document::TaskSettings if self.form == Form::Instance => {
                self.inside(replication, "ReplicationTaskSettings");
            }
            Document::TaskSettings => self.inside(replication, "ReplicationSettings"),
            Document::Instance => self.edit.apply(documents.instance.as_mut().unwrap()),
            Document::SubnetGroup => self.edit.apply(documents.subnet_group.as_mut().unwrap()),
            Document::Start => self.edit.apply(documents.start.insert(json!({}))),
            Document::Server => {
                let server = documents.server.as_mut().unwrap();
                let Edit::Set(path, value) = &self.edit else { panic!("{self:?}") };
                match *path {
                    "/version" => server.version = value.as_str().unwrap().to_owned(),
                    _ => server.binlog_transaction_compression = value.as_bool(),
                }
            }
        }
    }

    /// Edits JSON in a string.
    fn inside(&self, replication: &mut Value, key: &str) {
        let mut inner: Value = serde_json::from_str(replication[key].as_str().unwrap()).unwrap();
        match self.edit {
            Edit::Remove("selections") => {
                let rules = inner["rules"].as_array_mut().unwrap();
                rules.retain(|rule| rule["rule-type"] != "selection");
            }
            _ => self.edit.apply(&mut inner),
        }
        replication[key] = Value::from(inner.to_string());
    }
}

/// The parent of the place, and the last part of its pointer.
fn parent<'v>(value: &'v mut Value, path: &'static str) -> (&'v mut Value, &'static str) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    (value.pointer_mut(parent).unwrap_or_else(|| panic!("{path}")), key)
}

impl Edit {
    fn apply(&self, document: &mut Value) {
        match self {
            Edit::Set("", value) => *document = value.clone(),
            Edit::Set(path, value) => {
                let (parent, key) = parent(document, path);
                match parent {
                    Value::Array(list) => list[key.parse::<usize>().unwrap()] = value.clone(),
                    other => other[key] = value.clone(),
                }
            }
            Edit::Remove(path) => match parent(document, path) {
                (Value::Array(list), key) => drop(list.remove(key.parse().unwrap())),
                (Value::Object(object), key) => {
                    assert!(object.remove(key).is_some(), "{path} is not there");
                }
                (other, _) => panic!("{path}: {other}"),
            },
            Edit::Append(path, value) => {
                document.pointer_mut(path).unwrap().as_array_mut().unwrap().push(value.clone());
            }
        }
    }
}
