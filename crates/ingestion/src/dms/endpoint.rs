//! The two endpoints: MySQL, and Parquet on S3.

use medallion_definition::change::DMS_TS;
use medallion_definition::environment::{
    Arn, DmsEnvironment, Environment, SourceDatabase, SourceEngine, TlsMode,
};
use medallion_definition::name::Layer;
use serde_json::{Map, Value, json};

use super::replication::ResourceName;

/// Seconds between two looks at the binlog when nothing happens; the guide allows 1 to 60.
const EVENTS_POLL_SECONDS: u32 = 5;
/// Seconds that a connection may take.
const CONNECTION_TIMEOUT_SECONDS: u32 = 10;

/// The source: which server, how it is trusted, where its credentials lie. Host, port, user and
/// password stand in the secret and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEndpoint {
    /// Identifier and end of the ARN.
    pub name: ResourceName,
    /// The server.
    pub database: SourceDatabase,
    /// Encrypts the connection data that DMS keeps.
    pub kms_key: Option<Arn>,
}

/// `EngineName` of a source.
pub fn engine_name(engine: SourceEngine) -> &'static str {
    match engine {
        SourceEngine::MySql => "mysql",
        SourceEngine::Aurora => "aurora",
        SourceEngine::MariaDb => "mariadb",
    }
}

impl SourceEndpoint {
    pub(super) fn new(name: ResourceName, dms: &DmsEnvironment) -> SourceEndpoint {
        SourceEndpoint { name, database: dms.source.clone(), kms_key: dms.kms_key.clone() }
    }

    /// `ExtraConnectionAttributes`: what has no field of its own.
    ///
    /// * `skipTableSuspensionForPartitionDdl`: otherwise DDL on partitions suspends the table.
    /// * `IgnoreOpenXaTransactionsCheck`: a transaction prepared before the start is not missed.
    pub fn extra_attributes(&self) -> String {
        format!(
            "connectionTimeout={CONNECTION_TIMEOUT_SECONDS};IgnoreOpenXaTransactionsCheck=false;\
             skipTableSuspensionForPartitionDdl=true"
        )
    }

    /// `SslMode`.
    pub fn ssl_mode(&self) -> &'static str {
        match self.database.tls {
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyFull => "verify-full",
        }
    }

    /// `MySQLSettings`, with the secret and the role as they are written where the document goes.
    pub(super) fn mysql_settings(secret: &Value, role: &Value) -> Value {
        json!({
            "EventsPollInterval": EVENTS_POLL_SECONDS,
            "SecretsManagerAccessRoleArn": role,
            "SecretsManagerSecretId": secret,
        })
    }

    /// The parameters of `CreateEndpoint`.
    pub fn api(&self) -> Value {
        let database = &self.database;
        let (secret, role) =
            (json!(database.secret.as_str()), json!(database.secret_role.as_str()));
        let mut document = json!({
            "EndpointIdentifier": self.name.as_str(),
            "EndpointType": "source",
            "EngineName": engine_name(database.engine),
            "ResourceIdentifier": self.name.as_str(),
            "SslMode": self.ssl_mode(),
            "CertificateArn": database.certificate.as_str(),
            "ExtraConnectionAttributes": self.extra_attributes(),
            "MySQLSettings": SourceEndpoint::mysql_settings(&secret, &role),
        });
        if let Some(key) = &self.kms_key {
            document["KmsKeyId"] = json!(key.as_str());
        }
        document
    }
}

/// The target: the Parquet profile of Bronze.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetEndpoint {
    /// Identifier and end of the ARN.
    pub name: ResourceName,
    /// The lake's bucket.
    pub bucket: String,
    /// The account that owns the bucket; DMS refuses to write when it is another's.
    pub bucket_owner: String,
    /// Who DMS is when it writes.
    pub role: Arn,
    /// Encrypts objects; S3's own key without it.
    pub object_key: Option<Arn>,
    /// Encrypts the connection data that DMS keeps.
    pub kms_key: Option<Arn>,
    /// Seconds after which a file of changes is written.
    pub batch_seconds: u32,
    /// KB in memory after which a file of changes is written.
    pub batch_kb: u32,
}

/// What the rest of the stack owns and an S3 target refers to.
pub(super) struct TargetPlace {
    pub(super) bucket: Value,
    pub(super) role: Value,
    pub(super) object_key: Option<Value>,
}

impl TargetEndpoint {
    pub(super) fn new(
        name: ResourceName,
        environment: &Environment,
        dms: &DmsEnvironment,
    ) -> TargetEndpoint {
        TargetEndpoint {
            name,
            bucket: environment.bucket.clone(),
            bucket_owner: environment.account.clone(),
            role: dms.target_role.clone(),
            object_key: dms.bronze_kms_key.clone(),
            kms_key: dms.kms_key.clone(),
            batch_seconds: dms.batch_seconds,
            batch_kb: dms.batch_kb,
        }
    }

    /// `S3Settings`. Fields that only CSV knows are left out.
    ///
    /// `ParquetVersion` is 2.0. The footers of the local replicator say version 1: parquet-rs
    /// couples version 2 with data pages V2. Readers of Bronze take both.
    pub(super) fn s3_settings(&self, place: TargetPlace) -> Value {
        let mut settings = json!({
            "BucketFolder": Layer::Bronze.as_str(),
            "BucketName": place.bucket,
            "CannedAclForObjects": "none",
            "CdcInsertsAndUpdates": false,
            "CdcInsertsOnly": false,
            "CdcMaxBatchInterval": self.batch_seconds,
            "CdcMinFileSize": self.batch_kb,
            "DataFormat": "parquet",
            "DatePartitionDelimiter": "SLASH",
            "DatePartitionEnabled": true,
            "DatePartitionSequence": "YYYYMMDD",
            "DatePartitionTimezone": "UTC",
            "EnableStatistics": false,
            "EncodingType": "rle-dictionary",
            "ExpectedBucketOwner": self.bucket_owner,
            "GlueCatalogGeneration": false,
            "IncludeOpForFullLoad": true,
            "ParquetTimestampInMillisecond": false,
            "ParquetVersion": "parquet-2-0",
            "PreserveTransactions": false,
            "ServiceAccessRoleArn": place.role,
            "TimestampColumnName": DMS_TS,
            "UseTaskStartTimeForFullLoadTimestamp": false,
        });
        match place.object_key {
            Some(key) => {
                settings["EncryptionMode"] = json!("sse-kms");
                settings["ServerSideEncryptionKmsKeyId"] = key;
            }
            None => settings["EncryptionMode"] = json!("sse-s3"),
        }
        settings
    }

    /// The parameters of `CreateEndpoint`.
    pub fn api(&self) -> Value {
        let place = TargetPlace {
            bucket: json!(self.bucket),
            role: json!(self.role.as_str()),
            object_key: self.object_key.as_ref().map(|key| json!(key.as_str())),
        };
        let mut document = Map::new();
        document.insert("EndpointIdentifier".to_owned(), json!(self.name.as_str()));
        document.insert("EndpointType".to_owned(), json!("target"));
        document.insert("EngineName".to_owned(), json!("s3"));
        document.insert("ResourceIdentifier".to_owned(), json!(self.name.as_str()));
        document.insert("S3Settings".to_owned(), self.s3_settings(place));
        if let Some(key) = &self.kms_key {
            document.insert("KmsKeyId".to_owned(), json!(key.as_str()));
        }
        Value::Object(document)
    }
}
