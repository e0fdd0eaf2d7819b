//! What a source endpoint says, checked: a MySQL server and how to log in.

use super::endpoint_wire::{Authentication, EndpointInput, MySqlSettings, SslMode};
use super::error::DmsError;
use super::wire::Secret;

/// How the server is reached.
#[derive(Debug, Clone)]
pub(super) enum Login {
    /// By a secret of Secrets Manager, whose URL the endpoint was given at its start.
    Secret(String),
    /// By a URL made of the endpoint's own members.
    Url(Secret),
}

const ENGINES: [&str; 3] = ["mysql", "mariadb", "aurora"];
/// Extra connection attributes that change how DMS works, not what it writes.
const ATTRIBUTES: [&str; 6] = [
    "CleanSourceMetadataOnMismatch",
    "ConnectionTimeout",
    "EventsPollInterval",
    "ExecuteTimeout",
    "IgnoreOpenXaTransactionsCheck",
    "skipTableSuspensionForPartitionDdl",
];

/// Checks a source endpoint.
///
/// # Errors
/// What DMS refuses, and what the stand-in does not do.
pub(super) fn check(endpoint: &EndpointInput) -> Result<Login, DmsError> {
    let engine = endpoint.engine_name.as_deref().unwrap_or_default();
    if !ENGINES.contains(&engine) {
        let engines = ENGINES.join(", ");
        return Err(DmsError::value(format!(
            "Engine name {engine} of a source endpoint is not served by this endpoint, which \
             replicates from {engines}"
        )));
    }
    if endpoint.s3_settings.is_some() || endpoint.service_access_role_arn.is_some() {
        return Err(DmsError::combination(format!(
            "S3Settings and ServiceAccessRoleArn are not valid for engine {engine}"
        )));
    }
    let none = MySqlSettings::default();
    let settings = endpoint.mysql_settings.as_ref().unwrap_or(&none);
    check_settings(endpoint, settings)?;
    check_attributes(endpoint.extra_connection_attributes.as_deref().unwrap_or_default())?;
    let login = login(endpoint, settings)?;
    check_tls(endpoint, &login)?;
    Ok(login)
}

fn check_settings(endpoint: &EndpointInput, settings: &MySqlSettings) -> Result<(), DmsError> {
    let target_side = [
        ("TargetDbType", settings.target_db_type.is_some()),
        ("MaxFileSize", settings.max_file_size.is_some()),
        ("ParallelLoadThreads", settings.parallel_load_threads.is_some()),
    ];
    if let Some((name, _)) = target_side.iter().find(|(_, given)| *given) {
        return Err(DmsError::combination(format!("{name} is for MySQL target endpoints only")));
    }
    if endpoint.database_name.is_some() || settings.database_name.is_some() {
        return Err(DmsError::value(
            "DatabaseName is not to be given for a MySQL endpoint: the schemas are selected by \
             the task's table mappings",
        ));
    }
    let unserved = |name: &str, why: &str| {
        Err(DmsError::value(format!("{name} is not served by this endpoint: {why}")))
    };
    if settings.after_connect_script.is_some() {
        return unserved("AfterConnectScript", "it could change what the source answers");
    }
    if settings.server_timezone.as_deref().is_some_and(|zone| zone != "UTC") {
        return unserved("ServerTimezone", "sessions are in UTC, as without the setting");
    }
    if settings.authentication_method == Some(Authentication::Iam) {
        return unserved("AuthenticationMethod iam", "the local server knows passwords only");
    }
    if settings.events_poll_interval.is_some_and(|seconds| !(1..=60).contains(&seconds)) {
        return Err(DmsError::value("EventsPollInterval must be between 1 and 60"));
    }
    if settings.execute_timeout.is_some_and(|seconds| seconds < 1) {
        return Err(DmsError::value("ExecuteTimeout must be at least 1"));
    }
    Ok(())
}

/// `key=value;key=value`.
fn check_attributes(text: &str) -> Result<(), DmsError> {
    for part in text.split(';').filter(|part| !part.trim().is_empty()) {
        let name = part.split_once('=').map(|(name, _)| name.trim()).ok_or_else(|| {
            DmsError::value("ExtraConnectionAttributes must read key=value;key=value")
        })?;
        if !ATTRIBUTES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(DmsError::value(format!(
                "The extra connection attribute {name} is not served by this endpoint"
            )));
        }
    }
    Ok(())
}

fn login(endpoint: &EndpointInput, settings: &MySqlSettings) -> Result<Login, DmsError> {
    let one = |outer: &Option<String>, inner: &Option<String>| match (outer, inner) {
        (Some(a), Some(b)) if a != b => Err(DmsError::combination(
            "The endpoint and its MySQLSettings name different servers or users",
        )),
        (outer, inner) => Ok(outer.clone().or_else(|| inner.clone())),
    };
    let server = one(&endpoint.server_name, &settings.server_name)?;
    let user = one(&endpoint.username, &settings.username)?;
    let password = endpoint.password.as_ref().or(settings.password.as_ref());
    let port = endpoint.port.or(settings.port);
    let given = server.is_some() || user.is_some() || password.is_some() || port.is_some();
    match (&settings.secrets_manager_secret_id, &settings.secrets_manager_access_role_arn) {
        (Some(_), Some(_)) if given => Err(DmsError::combination(
            "Username, Password, ServerName and Port cannot be given together with \
             SecretsManagerSecretId",
        )),
        (Some(secret), Some(_)) => Ok(Login::Secret(secret.clone())),
        (Some(_), None) | (None, Some(_)) => Err(DmsError::combination(
            "SecretsManagerSecretId and SecretsManagerAccessRoleArn must be given together",
        )),
        (None, None) => {
            let (Some(server), Some(user), Some(port)) = (server, user, port) else {
                return Err(DmsError::combination(
                    "A MySQL endpoint needs ServerName, Port and Username, or a secret",
                ));
            };
            if !(1..=65_535).contains(&port) {
                return Err(DmsError::value("Port must be between 1 and 65535"));
            }
            let password = password.map(|password| format!(":{}", escaped(password.expose())));
            let (user, password) = (escaped(&user), password.unwrap_or_default());
            let url = format!("mysql://{user}{password}@{server}:{port}");
            Ok(Login::Url(Secret::new(url)))
        }
    }
}

/// The local server speaks no TLS: what the endpoint asks for is believed only where the URL of
/// the connection comes from whoever runs the stack.
fn check_tls(endpoint: &EndpointInput, login: &Login) -> Result<(), DmsError> {
    let mode = endpoint.ssl_mode.unwrap_or(SslMode::None);
    let verifies = matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull);
    if verifies && endpoint.certificate_arn.is_none() {
        return Err(DmsError::combination(
            "CertificateArn must be given with SslMode verify-ca and verify-full",
        ));
    }
    if mode == SslMode::None && endpoint.certificate_arn.is_some() {
        return Err(DmsError::combination("CertificateArn cannot be given with SslMode none"));
    }
    match login {
        Login::Url(_) if mode != SslMode::None => Err(DmsError::value(
            "SslMode other than none is not served by this endpoint for a server that is named \
             by ServerName; name it by a secret, whose URL is set where the endpoint is started",
        )),
        Login::Url(_) | Login::Secret(_) => Ok(()),
    }
}

/// Percent-encoding of everything that could end a part of a URL.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn endpoint(changes: Value) -> EndpointInput {
        let mut endpoint = json!({"EngineName": "mysql", "ServerName": "127.0.0.1", "Port": 3306,
            "Username": "dms", "Password": "a:b@/?#%é"});
        for (key, value) in changes.as_object().unwrap() {
            endpoint[key] = value.clone();
        }
        serde_json::from_value(endpoint).unwrap()
    }

    #[test]
    fn a_password_with_any_character_survives_the_url() {
        let Login::Url(url) = check(&endpoint(json!({}))).unwrap() else { panic!("no url") };
        let opts = mysql_async::Opts::from_url(url.expose()).unwrap();
        assert_eq!((opts.user(), opts.pass()), (Some("dms"), Some("a:b@/?#%é")));
        assert_eq!((opts.ip_or_hostname(), opts.tcp_port()), ("127.0.0.1", 3306));
    }

    #[test]
    fn a_secret_excludes_the_members_that_it_holds() {
        let secret = json!({"SecretsManagerSecretId": "crm", "SecretsManagerAccessRoleArn": "arn"});
        let both = endpoint(json!({"MySQLSettings": secret}));
        assert_eq!(check(&both).unwrap_err().code(), "InvalidParameterCombinationException");
        let alone = endpoint(json!({"MySQLSettings": secret, "ServerName": null, "Port": null,
            "Username": null, "Password": null, "SslMode": "verify-ca", "CertificateArn": "arn"}));
        assert!(matches!(check(&alone).unwrap(), Login::Secret(id) if id == "crm"));
    }

    #[test]
    fn what_would_change_the_output_is_refused_by_name() {
        for (changes, named) in [
            (json!({"EngineName": "oracle"}), "oracle"),
            (json!({"DatabaseName": "crm"}), "DatabaseName"),
            (json!({"MySQLSettings": {"ServerTimezone": "Asia/Tokyo"}}), "ServerTimezone"),
            (json!({"MySQLSettings": {"AfterConnectScript": "SET x"}}), "AfterConnectScript"),
            (json!({"MySQLSettings": {"TargetDbType": "specific-database"}}), "TargetDbType"),
            (json!({"MySQLSettings": {"ServerName": "other"}}), "different servers"),
            (json!({"ExtraConnectionAttributes": "parallelLoadThreads=2"}), "parallelLoadThreads"),
            (json!({"SslMode": "verify-ca"}), "CertificateArn"),
            (json!({"SslMode": "require"}), "SslMode"),
            (json!({"Port": 0}), "Port"),
        ] {
            let refused = check(&endpoint(changes)).unwrap_err().to_string();
            assert!(refused.contains(named), "{refused}");
        }
        let harmless = json!({"ExtraConnectionAttributes": "eventsPollInterval=3;"});
        check(&endpoint(harmless)).unwrap();
    }
}
