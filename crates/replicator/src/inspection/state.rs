//! What is read of a server before the rules look at it.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::{Conn, Row};

use super::attempt::{Attempt, attempt, number, text};
use super::server::{Flavor, Server, readable_sets};
use crate::server::{DatabaseError, Source};

/// The server and what it answers to whom is asking.
#[derive(Debug)]
pub(super) struct ServerState {
    pub(super) server: Server,
    /// `binlog_do_db` and `binlog_ignore_db`; no row without a binlog.
    pub(super) filters: Attempt<Option<(String, String)>>,
    /// The binlog files and their sizes in bytes.
    pub(super) binlogs: Attempt<BTreeMap<String, u64>>,
    /// True when the server replicates from another one.
    pub(super) is_replica: Attempt<bool>,
    /// How many XA transactions are prepared and neither committed nor rolled back.
    pub(super) prepared_xa: Attempt<usize>,
    /// Whether the user may read the binlog.
    pub(super) reads_binlog: Attempt<()>,
    /// The user's privileges on the whole server, upper case.
    pub(super) global_privileges: BTreeSet<String>,
    /// `binlog retention hours` of Amazon RDS; absent elsewhere.
    pub(super) rds_retention: Attempt<Option<u64>>,
    /// Character sets whose text can be read from the binlog.
    pub(super) readable_sets: BTreeSet<String>,
}

const ASKING: &str = "inspecting the server";

impl ServerState {
    pub(super) async fn read(
        source: &Source,
        conn: &mut Conn,
    ) -> Result<ServerState, DatabaseError> {
        let server = Server::read(source, conn).await?;
        let status = attempt(source, conn, ASKING, server.binlog_status()).await?;
        let binlogs = attempt(source, conn, ASKING, "SHOW BINARY LOGS").await?;
        let replica = attempt(source, conn, ASKING, server.replica_status()).await?;
        let xa = attempt(source, conn, ASKING, "XA RECOVER").await?;
        let rds = attempt(source, conn, ASKING, RDS_RETENTION).await?;
        let global_privileges = global_privileges(source, conn).await?;
        let reads_binlog = reads_binlog(source, conn, &server, &global_privileges).await?;
        let readable_sets = readable_sets(source, conn).await?;
        Ok(ServerState {
            filters: status.map(|rows| rows.first().map(filters)),
            binlogs: binlogs.map(|rows| sizes(&rows)),
            is_replica: replica.map(|rows| !rows.is_empty()),
            prepared_xa: xa.map(|rows| rows.len()),
            rds_retention: rds.map(|rows| rows.first().and_then(|row| text(row, 0)?.parse().ok())),
            global_privileges,
            reads_binlog,
            readable_sets,
            server,
        })
    }

    /// True when the user has one of these privileges on the whole server.
    pub(super) fn has_privilege(&self, names: &[&str]) -> bool {
        has(&self.global_privileges, names)
    }
}

const RDS_RETENTION: &str =
    "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'";

fn filters(row: &Row) -> (String, String) {
    (text(row, 2).unwrap_or_default(), text(row, 3).unwrap_or_default())
}

fn sizes(rows: &[Row]) -> BTreeMap<String, u64> {
    rows.iter().filter_map(|row| Some((text(row, 0)?, number(row, 1)?))).collect()
}

fn has(privileges: &BTreeSet<String>, names: &[&str]) -> bool {
    ["ALL PRIVILEGES"].iter().chain(names).any(|name| privileges.contains(*name))
}

/// In MySQL a harmless statement needs the same privilege as the binlog itself; MariaDB's asks for
/// another one, so the grants have to tell.
async fn reads_binlog(
    source: &Source,
    conn: &mut Conn,
    server: &Server,
    privileges: &BTreeSet<String>,
) -> Result<Attempt<()>, DatabaseError> {
    let statement = match server.flavor {
        Flavor::MySql if server.version >= (8, 0, 22) => "SHOW REPLICAS",
        Flavor::MySql => "SHOW SLAVE HOSTS",
        Flavor::MariaDb if has(privileges, &["REPLICATION SLAVE"]) => {
            return Ok(Attempt::Answer(()));
        }
        Flavor::MariaDb => return Ok(Attempt::Denied),
    };
    Ok(attempt(source, conn, ASKING, statement).await?.map(drop))
}

/// The privileges on `*.*`, those of active roles included.
async fn global_privileges(
    source: &Source,
    conn: &mut Conn,
) -> Result<BTreeSet<String>, DatabaseError> {
    let roles = attempt(source, conn, ASKING, "SELECT CURRENT_ROLE()").await?;
    let roles = roles.answer().and_then(|rows| text(rows.first()?, 0));
    let using = roles.filter(|roles| roles != "NONE");
    let mut grants = match using {
        // MariaDB shows the active role's grants by itself and knows no USING.
        Some(roles) => {
            let statement = format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}");
            attempt(source, conn, ASKING, &statement).await?
        }
        None => Attempt::Absent,
    };
    if grants.answer().is_none() {
        grants = attempt(source, conn, ASKING, "SHOW GRANTS").await?;
    }
    let lines = grants.answer().into_iter().flatten().filter_map(|row| text(row, 0));
    Ok(lines.flat_map(|line| on_everything(&line)).collect())
}

/// The privileges of one line of SHOW GRANTS, if it speaks of the whole server.
fn on_everything(line: &str) -> Vec<String> {
    let privileges = line
        .strip_prefix("GRANT ")
        .and_then(|rest| rest.split_once(" ON *.* TO "))
        .map(|(privileges, _)| privileges);
    let names = privileges.into_iter().flat_map(|names| names.split(','));
    names.map(|name| name.trim().to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_are_those_on_the_whole_server() {
        let line = "GRANT SELECT, RELOAD, REPLICATION SLAVE ON *.* TO `dms`@`%`";
        assert_eq!(on_everything(line), ["SELECT", "RELOAD", "REPLICATION SLAVE"]);
        let all = "GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION";
        let all = on_everything(all).into_iter().collect();
        assert!(has(&all, &["RELOAD"]) && has(&all, &[]));
        assert!(on_everything("GRANT ALL PRIVILEGES ON `crm`.* TO `dms`@`%`").is_empty());
        assert!(on_everything("GRANT `role`@`%` TO `dms`@`%`").is_empty());
    }
}
