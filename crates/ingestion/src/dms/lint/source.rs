//! The source endpoint and the server behind it.

use medallion_definition::environment::ServerVersion;
use serde_json::Value;

use super::attributes::PATH;
use super::expect::{Expectation, Wanted, check, expect, same, scalar};
use super::rules::*;
use super::{Report, SourceServer, attributes};
use crate::dms::replication::is_identifier;

/// The longest `EndpointIdentifier`.
const LONGEST_IDENTIFIER: usize = 255;

const IN_SECRET: &str = "use SecretsManagerSecretId and SecretsManagerAccessRoleArn";

const TABLE: [Expectation; 16] = [
    expect(SOURCE_ENGINE, "/EndpointType", None, Wanted::Is(&["source"]), "this is the source"),
    expect(
        SOURCE_ENGINE,
        "/EngineName",
        None,
        Wanted::Is(&["mysql", "aurora", "mariadb"]),
        "the lake reads servers that speak MySQL's protocol",
    ),
    expect(PLAIN_CREDENTIALS, "/Username", None, Wanted::Absent, IN_SECRET),
    expect(PLAIN_CREDENTIALS, "/Password", None, Wanted::Absent, IN_SECRET),
    expect(PLAIN_CREDENTIALS, "/ServerName", None, Wanted::Absent, IN_SECRET),
    // DescribeEndpoints may show 0 where there is none.
    expect(PLAIN_CREDENTIALS, "/Port", Some("0"), Wanted::Is(&["0"]), IN_SECRET),
    expect(PLAIN_CREDENTIALS, "/MySQLSettings/Port", Some("0"), Wanted::Is(&["0"]), IN_SECRET),
    expect(PLAIN_CREDENTIALS, "/MySQLSettings/Username", None, Wanted::Absent, IN_SECRET),
    expect(PLAIN_CREDENTIALS, "/MySQLSettings/Password", None, Wanted::Absent, IN_SECRET),
    expect(PLAIN_CREDENTIALS, "/MySQLSettings/ServerName", None, Wanted::Absent, IN_SECRET),
    expect(
        SECRET,
        "/MySQLSettings/SecretsManagerSecretId",
        None,
        Wanted::Present,
        "name the secret with host, port, username and password",
    ),
    expect(
        SECRET,
        "/MySQLSettings/SecretsManagerAccessRoleArn",
        None,
        Wanted::Present,
        "name the role with which DMS reads the secret",
    ),
    expect(
        SOURCE_TLS,
        "/SslMode",
        Some("none"),
        Wanted::Is(&["verify-ca", "verify-full"]),
        "import the certificate authority and verify it",
    ),
    expect(
        SERVER_TIMEZONE,
        "/MySQLSettings/ServerTimezone",
        None,
        Wanted::Absent,
        "leave it unset: values are UTC, and Silver knows which columns are instants",
    ),
    expect(
        AFTER_CONNECT,
        "/MySQLSettings/AfterConnectScript",
        None,
        Wanted::Absent,
        "leave it unset; DMS sets up its connections itself",
    ),
    expect(
        SETTING_RANGE,
        "/MySQLSettings/EventsPollInterval",
        None,
        Wanted::Between(1, 60),
        "DMS allows 1 to 60 seconds",
    ),
];

/// Judges the endpoint.
pub(super) fn endpoint(document: &Value, report: &mut Report) {
    check(document, &TABLE, report);
    identifier(document, "/EndpointIdentifier", LONGEST_IDENTIFIER, report);
    let mode = scalar(document.get("SslMode")).unwrap_or_default();
    if mode.starts_with("verify") && scalar(document.get("CertificateArn")).is_none() {
        let message = format!("`SslMode` is `{mode}` without a certificate authority");
        let hint = "import it into DMS and give its ARN";
        report.add(SOURCE_CERTIFICATE, "/CertificateArn", message, hint);
    }
    extra_attributes(document, report);
}

/// Judges what stands in `ExtraConnectionAttributes`, where the same settings may hide.
fn extra_attributes(document: &Value, report: &mut Report) {
    let attributes = attributes::read(document, report);
    let find = |name: &str| attributes.get(name);
    for name in ["password", "pwd", "username", "user", "uid", "server", "port"] {
        if find(name).is_some() {
            report.add(PLAIN_CREDENTIALS, PATH, format!("`{name}` is set"), IN_SECRET);
        }
    }
    if find("serverTimezone").is_some() {
        report.add(SERVER_TIMEZONE, PATH, "`ServerTimezone` is set", "leave it unset");
    }
    if find("afterConnectScript").is_some() || find("initstmt").is_some() {
        report.add(AFTER_CONNECT, PATH, "a script runs after connecting", "leave it unset");
    }
    if find("skipTableSuspensionForPartitionDdl").is_none_or(|v| !same(v, "true")) {
        let message = "DDL on partitions suspends a table, and DMS does so by default";
        report.add(PARTITION_DDL, PATH, message, "add `skipTableSuspensionForPartitionDdl=true`");
    }
    if find("IgnoreOpenXaTransactionsCheck").is_none_or(|v| !same(v, "false")) {
        let message = "open XA transactions are not waited for, and DMS does so by default";
        report.add(OPEN_XA, PATH, message, "add `IgnoreOpenXaTransactionsCheck=false`");
    }
}

/// Judges the server.
pub(super) fn server(server: &SourceServer, report: &mut Report) {
    let known = server.engine.known_versions();
    match server.version.parse::<ServerVersion>() {
        Ok(version) if server.engine.supports(version) => {}
        Ok(version) => {
            let message = format!("version {version} is none that AWS lists as a source");
            report.add(SOURCE_VERSION, "/version", message, &format!("AWS lists {known}"));
        }
        Err(error) => {
            let hint = format!("AWS lists {known}");
            report.add(SOURCE_VERSION, "/version", error.to_string(), &hint);
        }
    }
    if server.binlog_transaction_compression == Some(true) {
        let hint = "set binlog_transaction_compression (MariaDB: log_bin_compress) to OFF";
        let message = "transactions in the binlog are compressed";
        report.add(BINLOG_COMPRESSION, "/binlog_transaction_compression", message, hint);
    }
}

/// Judges an identifier.
pub(super) fn identifier(document: &Value, path: &str, longest: usize, report: &mut Report) {
    for (path, longest) in [(path, longest), ("/ResourceIdentifier", 31)] {
        let Some(name) = scalar(document.pointer(path)) else { continue };
        if !is_identifier(&name, longest) {
            let hint = format!(
                "up to {longest} letters, digits and hyphens, a letter first, no hyphen last or \
                 twice in a row"
            );
            report.add(IDENTIFIER, path, format!("`{name}` is no identifier"), &hint);
        }
    }
}
