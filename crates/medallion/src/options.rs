//! Options that several commands share.

use std::path::PathBuf;

use clap::Args;

/// Which lake, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Folder of the lake definition
    #[arg(long, global = true, env = "MEDALLION_DEFINITION", default_value = "infra/lake")]
    pub(crate) definition: PathBuf,
    /// File of the environment
    #[arg(
        long,
        global = true,
        env = "MEDALLION_ENVIRONMENT",
        default_value = "infra/environments/local.toml"
    )]
    pub(crate) environment: PathBuf,
}

impl Place {
    /// This place, but for what the words of an inner command line give: words that come before
    /// its first value are taken by the outer one.
    pub(crate) fn unless_given(self, inner: Place, words: &[String]) -> Place {
        let given = |name: &str| words.iter().any(|word| word == name);
        Place {
            definition: if given("--definition") { inner.definition } else { self.definition },
            environment: if given("--environment") { inner.environment } else { self.environment },
        }
    }
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object per line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_command_line_decides_over_what_it_names() {
        let place = |definition: &str, environment: &str| Place {
            definition: definition.into(),
            environment: environment.into(),
        };
        let words = ["--table", "a.b", "--environment", "inner.toml"].map(str::to_owned);
        let outer = place("outer", "outer.toml");
        let found = outer.unless_given(place("default", "inner.toml"), &words);
        assert_eq!(found.definition, PathBuf::from("outer"));
        assert_eq!(found.environment, PathBuf::from("inner.toml"));
    }
}
