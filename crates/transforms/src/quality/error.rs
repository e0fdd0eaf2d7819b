use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;

/// Why quality rules cannot be compiled or applied. No variant carries a value of a row.
#[derive(Debug, thiserror::Error)]
pub enum QualityError {
    /// A check's regular expression does not compile; the operator corrects the contract.
    #[error("the regular expression of `{rule}` does not compile")]
    Regex {
        /// The rule id.
        rule: String,
        /// Where it breaks.
        #[source]
        source: Box<regex::Error>,
    },
    /// A row rule does not plan; the operator corrects the contract.
    #[error("the row rule `{rule}` does not plan over the columns of its table")]
    RowRule {
        /// The rule id.
        rule: String,
        /// DataFusion's reason.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A row rule that is no condition; the operator corrects the contract.
    #[error("the row rule `{rule}` is no condition: its type is {found}")]
    NotBoolean {
        /// The rule id.
        rule: String,
        /// The type of the expression.
        found: DataType,
    },
    /// A row rule failed on some row, as a division by zero does; the operator corrects the
    /// contract. The reason is left out, since it may quote the row.
    #[error("the row rule `{rule}` cannot be evaluated on every row; guard it with CASE")]
    Evaluation {
        /// The rule id.
        rule: String,
    },
    /// A rule names a column that the contract or the batch does not have; a bug, since contracts
    /// are validated and batches are made by their plan.
    #[error("the column `{column}` is missing")]
    MissingColumn {
        /// The column.
        column: String,
    },
    /// A column comes in another type than its contract says; a bug.
    #[error("the column `{column}` has the type {found}, wanted is {wanted}")]
    ColumnType {
        /// The column.
        column: String,
        /// The type of the array.
        found: DataType,
        /// The type of the contract.
        wanted: DataType,
    },
    /// A normaliser or check on a type that it does not fit; a bug, since contracts are validated.
    #[error("`{rule}` does not fit the type {found}")]
    RuleType {
        /// The rule.
        rule: &'static str,
        /// The type of the array.
        found: DataType,
    },
    /// Columns of different lengths or the like; a bug.
    #[error("the normalised batch cannot be put together")]
    Batch(#[source] arrow::error::ArrowError),
}
