//! What a server says about itself: product, version, variables, identity, collations.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::server::{DatabaseError, Source};

const DOING: &str = "reading the server's settings";

/// Whose server it is. Both speak the same protocol; settings, GTIDs and some binlog events differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL and what is built from its source, such as Percona Server and Aurora MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Flavor {
    /// The product's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Flavor::MySql => "MySQL",
            Flavor::MariaDb => "MariaDB",
        }
    }
}

/// Major, minor and patch number.
pub(crate) type Version = (u16, u16, u16);

/// The first release whose binlog carries column names (`binlog_row_metadata`) in MySQL.
const FIRST_MYSQL: Version = (8, 0, 1);
/// The first long-term release of MariaDB that is tested.
const FIRST_MARIADB: Version = (10, 11, 0);

/// A server's product, version and global variables.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) flavor: Flavor,
    pub(crate) version: Version,
    /// As the server prints it.
    pub(crate) version_text: String,
    variables: BTreeMap<String, String>,
}

impl Server {
    pub(crate) fn new(version: &str, variables: BTreeMap<String, String>) -> Server {
        let maria = version.to_ascii_lowercase().contains("mariadb");
        Server {
            flavor: if maria { Flavor::MariaDb } else { Flavor::MySql },
            version: parse_version(version),
            version_text: version.to_owned(),
            variables,
        }
    }

    pub(crate) async fn read(source: &Source, conn: &mut Conn) -> Result<Server, DatabaseError> {
        let failed = |error| source.error(DOING, error);
        let version: Option<String> = conn.query_first("SELECT @@version").await.map_err(failed)?;
        let version = version.ok_or_else(|| source.unexpected(DOING))?;
        let rows: Vec<(String, String)> =
            conn.query("SHOW GLOBAL VARIABLES").await.map_err(failed)?;
        let lower = rows.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        Ok(Server::new(&version, lower.collect()))
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.variable(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.variable(name).and_then(|value| value.parse().ok())
    }

    /// The oldest release of this product that can be replicated.
    pub(crate) fn first_supported(&self) -> Version {
        match self.flavor {
            Flavor::MySql => FIRST_MYSQL,
            Flavor::MariaDb => FIRST_MARIADB,
        }
    }

    pub(crate) fn is_supported(&self) -> bool {
        self.version >= self.first_supported()
    }

    /// Whose binlog it is: positions mean nothing in the binlog of another server.
    ///
    /// MySQL has `@@server_uuid`. MariaDB has none; its `@@server_uid` (a hash of the machine and
    /// the port, since 10.11.9), else host name and port, together with `@@server_id`, stand in
    /// for it. They change when another server answers, and stay over restarts and upgrades.
    pub(crate) fn identity(&self) -> Option<String> {
        if self.flavor == Flavor::MySql {
            return self.variable("server_uuid").map(str::to_owned);
        }
        let id = self.variable("server_id")?;
        if let Some(uid) = self.variable("server_uid") {
            return Some(format!("mariadb-{uid}-{id}"));
        }
        let (host, port) = (self.variable("hostname")?, self.variable("port")?);
        Some(format!("mariadb-{host}-{port}-{id}"))
    }

    /// True when each transaction carries a GTID.
    pub(crate) fn gtid(&self) -> bool {
        match self.flavor {
            Flavor::MySql => self.is("gtid_mode", "ON"),
            // Every transaction of a binlog has one.
            Flavor::MariaDb => self.is("log_bin", "ON"),
        }
    }

    /// How to set a global variable for good.
    pub(crate) fn set(&self, name: &str, value: &str) -> String {
        match self.flavor {
            Flavor::MySql => format!("SET PERSIST {name} = {value}"),
            Flavor::MariaDb => {
                format!("SET GLOBAL {name} = {value}, and the same in the server's option file")
            }
        }
    }

    /// The statement that shows where the binlog ends; MySQL renamed it in 8.2.
    pub(crate) fn binlog_status(&self) -> &'static str {
        if self.flavor == Flavor::MySql && self.version >= (8, 2, 0) {
            "SHOW BINARY LOG STATUS"
        } else {
            "SHOW MASTER STATUS"
        }
    }

    /// The statement that shows from whom a replica replicates; MySQL renamed it in 8.0.22.
    pub(crate) fn replica_status(&self) -> &'static str {
        match self.flavor {
            Flavor::MySql if self.version >= (8, 0, 22) => "SHOW REPLICA STATUS",
            Flavor::MySql => "SHOW SLAVE STATUS",
            Flavor::MariaDb => "SHOW ALL REPLICAS STATUS",
        }
    }
}

/// The leading numbers of a version; what is missing counts as 0.
fn parse_version(text: &str) -> Version {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
    let mut next = || numbers.next().flatten().unwrap_or(0);
    (next(), next(), next())
}

/// The character set of every collation, by id. MariaDB's newer collations have an id per
/// character set, which stands in another table.
pub(crate) async fn collations(
    source: &Source,
    conn: &mut Conn,
    flavor: Flavor,
) -> Result<BTreeMap<u16, String>, DatabaseError> {
    let table = match flavor {
        Flavor::MySql => "collations",
        Flavor::MariaDb => "collation_character_set_applicability",
    };
    let query = format!(
        "SELECT id, character_set_name FROM information_schema.{table} \
         WHERE id IS NOT NULL AND character_set_name IS NOT NULL"
    );
    let rows: Vec<(u16, String)> =
        conn.query(query).await.map_err(|error| source.error(DOING, error))?;
    Ok(rows.into_iter().collect())
}

/// Unicode sets, whose bytes mean the same on every server.
const UNICODE: [&str; 7] = ["utf8mb4", "utf8mb3", "utf8", "ucs2", "utf16", "utf16le", "utf32"];

/// The character sets whose text can be read from the binlog: Unicode, and those with one byte per
/// character.
pub(crate) async fn readable_sets(
    source: &Source,
    conn: &mut Conn,
) -> Result<BTreeSet<String>, DatabaseError> {
    let query = "SELECT character_set_name FROM information_schema.character_sets WHERE maxlen = 1";
    let rows: Vec<String> = conn.query(query).await.map_err(|error| source.error(DOING, error))?;
    Ok(rows.into_iter().chain(UNICODE.map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version: &str, variables: &[(&str, &str)]) -> Server {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Server::new(version, variables.iter().map(text).collect())
    }

    #[test]
    fn product_and_version_are_read_from_the_version_text() {
        let cases = [
            ("9.7.4-2", Flavor::MySql, (9, 7, 4), true),
            ("8.0.36-28.1", Flavor::MySql, (8, 0, 36), true),
            ("5.7.44-log", Flavor::MySql, (5, 7, 44), false),
            ("10.11.19-MariaDB-0+deb12u1-log", Flavor::MariaDb, (10, 11, 19), true),
            ("10.6.18-MariaDB", Flavor::MariaDb, (10, 6, 18), false),
            ("nonsense", Flavor::MySql, (0, 0, 0), false),
        ];
        for (text, flavor, version, supported) in cases {
            let server = server(text, &[]);
            let found = (server.flavor, server.version, server.is_supported());
            assert_eq!(found, (flavor, version, supported), "{text}");
        }
    }

    #[test]
    fn statements_have_the_names_of_their_release() {
        let names = |version| {
            let server = server(version, &[]);
            (server.binlog_status(), server.replica_status())
        };
        assert_eq!(names("8.4.2"), ("SHOW BINARY LOG STATUS", "SHOW REPLICA STATUS"));
        assert_eq!(names("8.0.20"), ("SHOW MASTER STATUS", "SHOW SLAVE STATUS"));
        let maria = names("10.11.19-MariaDB");
        assert_eq!(maria, ("SHOW MASTER STATUS", "SHOW ALL REPLICAS STATUS"));
    }

    #[test]
    fn a_mariadb_server_is_known_by_what_it_has() {
        let maria = |variables| server("10.11.19-MariaDB", variables).identity();
        let uid = maria(&[("server_uid", "EFdX="), ("server_id", "7"), ("hostname", "db")]);
        assert_eq!(uid.as_deref(), Some("mariadb-EFdX=-7"));
        let older = maria(&[("server_id", "7"), ("hostname", "db"), ("port", "3306")]);
        assert_eq!(older.as_deref(), Some("mariadb-db-3306-7"));
        assert_eq!(maria(&[]), None);
        let mysql = server("8.4.2", &[("server_uuid", "u-1"), ("server_id", "7")]);
        assert_eq!(mysql.identity().as_deref(), Some("u-1"));
    }
}
