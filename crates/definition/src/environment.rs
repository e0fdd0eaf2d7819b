//! Where a lake runs: one file per environment, without secrets.

use std::fmt;
use std::str::FromStr;

/// One environment: `local`, `dev`, `prod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// The AWS account, 12 digits.
    pub account: String,
    /// The AWS Region.
    pub region: String,
    /// The lake's bucket.
    pub bucket: String,
    /// How DMS brings the source to Bronze; environments without DMS have none.
    pub dms: Option<DmsEnvironment>,
}

/// Source and settings of DMS in one environment: `[source]` and `[dms]` of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmsEnvironment {
    /// The database.
    pub source: SourceDatabase,
    /// Where DMS runs.
    pub network: DmsNetwork,
    /// Who DMS is when it writes to the bucket.
    pub target_role: Arn,
    /// Encrypts connection data and the replication's storage; the account's own key without it.
    pub kms_key: Option<Arn>,
    /// Encrypts Bronze objects; S3's own key without it.
    pub bronze_kms_key: Option<Arn>,
    /// Seconds after which changes are written even when few have come.
    pub batch_seconds: u32,
    /// KB in memory after which changes are written even when the time has not come.
    pub batch_kb: u32,
    /// What runs the replication.
    pub form: ReplicationForm,
}

/// The source database as DMS reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceDatabase {
    /// The kind of server.
    pub engine: SourceEngine,
    /// Where the server runs.
    pub hosting: SourceHosting,
    /// The version of MySQL or MariaDB that it speaks; Aurora's own number is not meant.
    pub version: ServerVersion,
    /// The secret with host, port, user and password.
    pub secret: Arn,
    /// Who DMS is when it reads the secret.
    pub secret_role: Arn,
    /// How much of the server's certificate is verified.
    pub tls: TlsMode,
    /// The certificate authority, as imported into DMS.
    pub certificate: Arn,
}

/// The kinds of server that speak MySQL's protocol and that DMS reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceEngine {
    /// MySQL.
    MySql,
    /// Aurora MySQL.
    Aurora,
    /// MariaDB.
    MariaDb,
}

/// Where the source runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceHosting {
    /// Anywhere that the network of the replication reaches: on-premises, EC2, another cloud.
    OnPremises,
    /// Amazon RDS.
    Rds,
    /// Amazon Aurora; the endpoint of the writer.
    Aurora,
}

/// How much of the server's certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// The certificate authority.
    VerifyCa,
    /// The certificate authority and the host name.
    VerifyFull,
}

/// Where DMS runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmsNetwork {
    /// At least two, in different availability zones.
    pub subnets: Vec<String>,
    /// At least one.
    pub security_groups: Vec<String>,
}

/// What runs the replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicationForm {
    /// A replication instance with one task: it exists, and costs, until it is deleted.
    Instance {
        /// The class, such as `dms.r6i.large`.
        class: String,
        /// The engine of DMS, such as `3.5.4`.
        engine_version: ServerVersion,
        /// Storage for changes that wait and for logs.
        storage_gb: u32,
        /// A standby in another availability zone.
        multi_az: bool,
    },
    /// A serverless replication.
    Serverless {
        /// The least capacity; DMS chooses without it. One unit has 2 GB of memory.
        min_units: Option<u32>,
        /// The most capacity.
        max_units: u32,
        /// A standby in another availability zone.
        multi_az: bool,
    },
}

/// A version such as `8.4`, `8.0.36` or `3.5.4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number, when it is known.
    pub patch: Option<u32>,
}

/// Why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version: write two or three numbers, such as `8.4` or `8.0.36`")]
pub struct VersionError(pub String);

impl FromStr for ServerVersion {
    type Err = VersionError;

    /// Reads the leading numbers; what a server appends (`-log`, `-MariaDB-1`) is left out.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.').next();
        let mut parts = numbers.unwrap_or_default().split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next().transpose()) {
            (Some(Ok(major)), Some(Ok(minor)), Ok(patch)) => {
                Ok(ServerVersion { major, minor, patch })
            }
            _ => Err(VersionError(text.to_owned())),
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

impl SourceEngine {
    /// The versions that AWS lists as sources (`CHAP_Introduction.Sources` of the DMS guide), for
    /// messages.
    pub fn known_versions(self) -> &'static str {
        match self {
            SourceEngine::MySql | SourceEngine::Aurora => "5.5, 5.6, 5.7, 8.0, 8.4",
            SourceEngine::MariaDb => "10.0 (from 10.0.24), 10.2 to 10.6, 10.11, 11.4",
        }
    }

    /// True when AWS lists the version as a source of DMS.
    pub fn supports(self, version: ServerVersion) -> bool {
        let ServerVersion { major, minor, patch } = version;
        match (self, major, minor) {
            (SourceEngine::MySql | SourceEngine::Aurora, 5, 5..=7)
            | (SourceEngine::MySql | SourceEngine::Aurora, 8, 0 | 4)
            | (SourceEngine::MariaDb, 10, 2..=6 | 11)
            | (SourceEngine::MariaDb, 11, 4) => true,
            (SourceEngine::MariaDb, 10, 0) => patch.is_none_or(|p| p >= 24),
            _ => false,
        }
    }
}

/// An Amazon resource name of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn(String);

/// Why a text is no ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no ARN: write `arn:aws:<service>:<region>:<account>:<resource>`")]
pub struct ArnError(pub String);

impl Arn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, place: usize) -> &str {
        self.0.splitn(6, ':').nth(place).unwrap_or_default()
    }

    /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// The service, such as `iam`.
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// The Region; empty for global services.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The account.
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// What it names within service, Region and account, such as `role/bronze`.
    pub fn resource(&self) -> &str {
        self.part(5)
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let whole = match parts.as_slice() {
            ["arn", partition, service, _, account, resource] => {
                partition.starts_with("aws")
                    && !service.is_empty()
                    && is_account(account)
                    && !resource.is_empty()
            }
            _ => false,
        };
        if whole { Ok(Arn(text.to_owned())) } else { Err(ArnError(text.to_owned())) }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// True for 12 digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
