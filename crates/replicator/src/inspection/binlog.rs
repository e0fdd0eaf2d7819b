//! The server variables that decide what stands in the binlog.

use medallion_definition::finding::RuleId;

use super::server::{Flavor, Server};

/// One variable and the only value with which nothing is lost.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) rule: RuleId,
    pub(crate) name: &'static str,
    pub(crate) wanted: &'static str,
    /// What another value means.
    pub(crate) meaning: &'static str,
    /// The product that has it; `None` for both.
    flavor: Option<Flavor>,
    /// True when a server that does not know it behaves as with another value.
    needed: bool,
    /// True when the replicator can do without, but DMS cannot.
    pub(crate) dms_only: bool,
}

const BOTH: Setting = Setting {
    rule: RuleId("source/binlog-off"),
    name: "log_bin",
    wanted: "ON",
    meaning: "without a binlog no change can be followed",
    flavor: None,
    needed: true,
    dms_only: false,
};

/// The variables, in the order in which they are told.
pub(crate) const SETTINGS: [Setting; 7] = [
    BOTH,
    Setting {
        rule: RuleId("source/binlog-format"),
        name: "binlog_format",
        wanted: "ROW",
        meaning: "statements in the binlog do not tell the rows that they changed",
        needed: false,
        ..BOTH
    },
    Setting {
        rule: RuleId("source/binlog-row-image"),
        name: "binlog_row_image",
        wanted: "FULL",
        meaning: "columns that a statement did not touch are missing in the changes",
        ..BOTH
    },
    Setting {
        rule: RuleId("source/binlog-row-metadata"),
        name: "binlog_row_metadata",
        wanted: "FULL",
        meaning: "the binlog has no column names, so that changes around a DDL are misread",
        ..BOTH
    },
    Setting {
        rule: RuleId("source/partial-json"),
        name: "binlog_row_value_options",
        wanted: "",
        meaning: "updates of JSON carry differences; DMS does not promise to read them",
        flavor: Some(Flavor::MySql),
        needed: false,
        dms_only: true,
    },
    Setting {
        rule: RuleId("source/compression"),
        name: "binlog_transaction_compression",
        wanted: "OFF",
        meaning: "compressed transactions are read neither by DMS nor by the replicator",
        flavor: Some(Flavor::MySql),
        needed: false,
        ..BOTH
    },
    Setting {
        rule: RuleId("source/compression"),
        name: "log_bin_compress",
        wanted: "OFF",
        meaning: "compressed events are read neither by DMS nor by the replicator",
        flavor: Some(Flavor::MariaDb),
        needed: false,
        ..BOTH
    },
];

impl Setting {
    /// The value that does harm, if it has one.
    pub(crate) fn wrong<'a>(&self, server: &'a Server) -> Option<&'a str> {
        if self.flavor.is_some_and(|flavor| flavor != server.flavor) {
            return None;
        }
        match server.variable(self.name) {
            Some(value) if value.eq_ignore_ascii_case(self.wanted) => None,
            Some(value) => Some(value),
            // A release that no longer has a variable knows one form only.
            None => self.needed.then_some(""),
        }
    }

    pub(crate) fn hint(&self, server: &Server) -> String {
        if self.name == "log_bin" {
            return "start the server with --log-bin".to_owned();
        }
        let wanted = if self.wanted.is_empty() { "''" } else { self.wanted };
        server.set(self.name, wanted)
    }
}

/// True when the binlog leaves out this schema (`binlog_do_db`, `binlog_ignore_db`).
pub(crate) fn filtered(schema: &str, do_db: &str, ignore_db: &str) -> bool {
    let lists = |list: &str| list.split(',').any(|name| name.trim() == schema);
    if do_db.trim().is_empty() { lists(ignore_db) } else { !lists(do_db) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binlog_filter_leaves_out_what_it_ignores_or_does_not_name() {
        let cases = [
            ("", "", false),
            ("", "tmp,crm", true),
            ("", "crm2", false),
            ("crm", "", false),
            ("other,more", "", true),
            ("crm", "crm", false),
        ];
        for (do_db, ignore_db, expected) in cases {
            assert_eq!(filtered("crm", do_db, ignore_db), expected, "{do_db}/{ignore_db}");
        }
    }
}
