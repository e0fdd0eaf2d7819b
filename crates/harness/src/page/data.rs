//! What a page tells: plain values, collected elsewhere.

/// A run of the whole lake.
#[derive(Clone, Debug)]
pub struct PageData {
    /// The lake's name.
    pub lake: String,
    /// What the lake is for.
    pub about: String,
    /// How the run ended.
    pub verdict: PageVerdict,
    /// When it began, RFC 3339.
    pub began: String,
    /// How long it took.
    pub seconds: f64,
    /// What it ran on and with: names and values.
    pub facts: Vec<(String, String)>,
    /// Its steps.
    pub steps: Vec<StepRow>,
    /// The tables and what flows between them.
    pub graph: Graph,
    /// The runs of its jobs, in the order in which they began.
    pub runs: Vec<RunRow>,
    /// The checks of the jobs' last runs that checked something.
    pub checks: Vec<CheckRow>,
    /// Who sees what, if it is known.
    pub access: Option<AccessMatrix>,
    /// What is not as it must be.
    pub differences: Vec<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageVerdict {
    /// The lake is as it must be.
    Equal,
    /// It is not; the differences tell where.
    Different,
    /// A step failed: nothing is proved.
    Failed(String),
}

/// One step of a run.
#[derive(Clone, Debug)]
pub struct StepRow {
    /// Its name.
    pub name: String,
    /// Rows moved or compared.
    pub rows: u64,
    /// Files written.
    pub files: u64,
    /// How long it took.
    pub seconds: f64,
    /// In words.
    pub about: String,
}

/// Tables and what flows between them.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The titles of the columns, from left to right.
    pub columns: Vec<String>,
    /// The tables; in each column in the order in which they would stand.
    pub nodes: Vec<Node>,
    /// Indices of tables: the second is made of the first, which stands further left.
    pub edges: Vec<(usize, usize)>,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The column in which it stands, from 0.
    pub column: usize,
    /// What it is.
    pub kind: NodeKind,
    /// Its rows.
    pub rows: Option<u64>,
    /// How long the run took that wrote it last.
    pub seconds: Option<f64>,
    /// How its last run ended.
    pub state: NodeState,
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A table of the source.
    Source,
    /// Files of changes.
    Bronze,
    /// Current states, or all states.
    Silver,
    /// Rejected rows.
    Quarantine,
    /// A business table.
    Gold,
}

/// How the last run of a table's job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// No job of ours writes it, or none ran.
    Unknown,
    /// Well.
    Good,
    /// Well, but a check warns.
    Warned,
    /// It waits for something.
    Waiting,
    /// It failed, or a check did.
    Bad,
}

/// One run of a job.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// The job, such as `gold.customer_360`.
    pub job: String,
    /// When it began, without the day.
    pub began: String,
    /// `committed`, `published`, `up_to_date`, `waiting`, `red` or `failed`.
    pub outcome: String,
    /// Why it failed or what it waits for.
    pub message: String,
    /// `merge`, `replace`, `full` or `incremental`.
    pub mode: String,
    /// The table's rows after it.
    pub rows: Option<u64>,
    /// Rows that it added.
    pub inserted: Option<u64>,
    /// Rows that it removed.
    pub deleted: Option<u64>,
    /// How long it took.
    pub seconds: f64,
    /// The table's snapshot after it.
    pub snapshot: Option<i64>,
}

impl RunRow {
    /// True when it made a snapshot.
    pub fn wrote(&self) -> bool {
        matches!(self.outcome.as_str(), "committed" | "published")
    }

    /// True when it did not do what it should.
    pub fn is_bad(&self) -> bool {
        matches!(self.outcome.as_str(), "red" | "failed")
    }
}

/// A check and its verdict.
#[derive(Clone, Debug)]
pub struct CheckRow {
    /// The job that checked.
    pub job: String,
    /// The check.
    pub name: String,
    /// What it asks.
    pub kind: String,
    /// What its failure means.
    pub severity: String,
    /// The verdict.
    pub passed: bool,
    /// How many rows fail.
    pub failing: Option<u64>,
}

/// Who sees what.
#[derive(Clone, Debug)]
pub struct AccessMatrix {
    /// The tables, `gold.customer_360`.
    pub tables: Vec<String>,
    /// The personas, each with a cell per table.
    pub personas: Vec<(String, Vec<AccessCell>)>,
}

/// What a persona sees of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessCell {
    /// The table does not exist for them.
    Hidden,
    /// They see some of it.
    Visible {
        /// How many columns they see.
        columns: usize,
        /// How many there are.
        of: usize,
        /// Not all rows are returned.
        filtered: bool,
        /// How many of the columns are NULL in some rows.
        masked: usize,
    },
}
