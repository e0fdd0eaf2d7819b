//! The functions of portable SQL, each with what it takes and why it is the same in both engines.

/// Where a function stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of values of one row.
    Scalar,
    /// Of a group, or of a window with `over`.
    Aggregate,
    /// Only with `over`.
    Window,
}

/// What an argument has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arg {
    /// A text.
    Text,
    /// A text written down, not empty.
    LiteralText,
    /// A whole number written down, at least so large.
    AtLeast(i64),
    /// A whole number, a decimal or a double.
    Number,
    /// `smallint` or `int`, whose sum a double holds exactly.
    Small,
    /// A whole number or a decimal.
    Exact,
    /// A whole number, decimal, date, time, boolean or text.
    Ordered,
    /// Anything but floats.
    Countable,
    /// Anything.
    Any,
    /// Anything, of one type with the arguments before.
    Same,
    /// A boolean.
    Truth,
    /// A date.
    Date,
    /// A date or time.
    Time,
    /// `timestamptz`.
    Instant,
    /// The name of a part that both engines take out alike.
    Part,
}

impl Arg {
    /// For people.
    pub(super) fn name(self) -> String {
        match self {
            Arg::Text => "text".to_owned(),
            Arg::LiteralText => "'literal'".to_owned(),
            Arg::AtLeast(least) => format!("literal ≥ {least}"),
            Arg::Number => "number, not float".to_owned(),
            Arg::Small => "int".to_owned(),
            Arg::Exact => "integer or decimal".to_owned(),
            Arg::Ordered => "value, not float or binary".to_owned(),
            Arg::Countable => "value, distinct not of floats".to_owned(),
            Arg::Any => "value".to_owned(),
            Arg::Same => "value of that type".to_owned(),
            Arg::Truth => "boolean".to_owned(),
            Arg::Date => "date".to_owned(),
            Arg::Time => "date or time".to_owned(),
            Arg::Instant => "timestamptz".to_owned(),
            Arg::Part => "'part'".to_owned(),
        }
    }
}

/// A function of the subset.
#[derive(Debug)]
pub(super) struct Allowed {
    /// The names under which it is written.
    pub names: &'static [&'static str],
    /// The name in `DataFusion`'s plans.
    pub planned: &'static str,
    pub kind: Kind,
    /// The arguments; the last one repeats when `most` is larger.
    pub args: &'static [Arg],
    /// The fewest arguments.
    pub least: usize,
    /// The most arguments.
    pub most: usize,
    /// Why it may be used, and within which bounds.
    pub why: &'static str,
}

const MANY: usize = 64;

/// A scalar function with one name and all of its arguments.
const fn scalar(
    names: &'static [&'static str],
    planned: &'static str,
    args: &'static [Arg],
    why: &'static str,
) -> Allowed {
    let (least, most) = (args.len(), args.len());
    Allowed { names, planned, kind: Kind::Scalar, args, least, most, why }
}

const fn aggregate(
    name: &'static [&'static str],
    arg: &'static [Arg],
    why: &'static str,
) -> Allowed {
    let planned = name[0];
    Allowed { names: name, planned, kind: Kind::Aggregate, args: arg, least: 1, most: 1, why }
}

const fn window(
    name: &'static [&'static str],
    args: &'static [Arg],
    least: usize,
    why: &'static str,
) -> Allowed {
    let (planned, most) = (name[0], args.len());
    Allowed { names: name, planned, kind: Kind::Window, args, least, most, why }
}

/// The parts that both engines take out of dates and times alike.
pub(super) const DATE_PARTS: [&str; 6] = ["year", "quarter", "month", "week", "day", "doy"];
/// The same of times.
pub(super) const CLOCK_PARTS: [&str; 2] = ["hour", "minute"];

use Arg::{
    Any, AtLeast, Countable, Date, Exact, Instant, LiteralText, Number, Ordered, Part, Same, Small,
    Text, Time, Truth,
};

/// The functions of the subset.
pub(super) const FUNCTIONS: &[Allowed] = &[
    aggregate(&["count"], &[Countable], "0 without rows; also `count(*)` and `count(distinct x)`"),
    aggregate(
        &["sum"],
        &[Exact],
        "exact; whole numbers give bigint, decimals ten digits more; not of decimals beyond 28 digits",
    ),
    aggregate(
        &["avg"],
        &[Small],
        "a double, exact up to 2^53; write decimals as cast(cast(sum(x) as decimal(30, 10)) / count(x) as decimal(14, 2))",
    ),
    aggregate(&["min"], &[Ordered], "texts by their UTF-8 bytes"),
    aggregate(&["max"], &[Ordered], "as min"),
    aggregate(&["bool_and"], &[Truth], "NULL is left out"),
    aggregate(&["bool_or"], &[Truth], "NULL is left out"),
    window(&["row_number"], &[], 0, "an int in Spark: cast it before computing with it"),
    window(&["rank"], &[], 0, "as row_number; ties are equal"),
    window(&["dense_rank"], &[], 0, "as rank"),
    window(&["ntile"], &[AtLeast(1)], 1, "larger groups first"),
    window(&["lag"], &[Any, AtLeast(0), Same], 1, "NULL counts as a row"),
    window(&["lead"], &[Any, AtLeast(0), Same], 1, "as lag"),
    window(&["first_value"], &[Any], 1, "NULL counts as a value"),
    window(
        &["last_value"],
        &[Any],
        1,
        "of the frame, which ends at the current row unless said otherwise",
    ),
    Allowed {
        names: &["coalesce"],
        planned: "coalesce",
        kind: Kind::Scalar,
        args: &[Any, Same],
        least: 2,
        most: MANY,
        why: "the first that is not NULL",
    },
    scalar(&["nullif"], "nullif", &[Any, Same], "NULL when both are equal"),
    Allowed {
        names: &["greatest"],
        planned: "greatest",
        kind: Kind::Scalar,
        args: &[Ordered, Same],
        least: 2,
        most: MANY,
        why: "NULL is left out, as in both engines but not in MySQL",
    },
    Allowed {
        names: &["least"],
        planned: "least",
        kind: Kind::Scalar,
        args: &[Ordered, Same],
        least: 2,
        most: MANY,
        why: "as greatest",
    },
    scalar(&["abs"], "abs", &[Number], "the type stays"),
    scalar(&["lower"], "lower", &[Text], "Unicode, without a language"),
    scalar(&["upper"], "upper", &[Text], "Unicode, without a language; ß gives SS"),
    scalar(
        &["trim", "btrim"],
        "btrim",
        &[Text],
        "spaces only; other characters by `trim(both 'x' from s)`, also leading and trailing",
    ),
    scalar(
        &["ltrim"],
        "ltrim",
        &[Text],
        "spaces only; with two arguments the engines disagree about their order",
    ),
    scalar(&["rtrim"], "rtrim", &[Text], "as ltrim"),
    scalar(
        &["length", "char_length", "character_length"],
        "character_length",
        &[Text],
        "code points, spaces at the end too",
    ),
    Allowed {
        names: &["substring", "substr"],
        planned: "substr",
        kind: Kind::Scalar,
        args: &[Text, AtLeast(1), AtLeast(0)],
        least: 2,
        most: 3,
        why: "code points from 1; other starts differ; also `substring(s from 1 for 2)`",
    },
    scalar(&["left"], "left", &[Text, AtLeast(0)], "negative lengths differ"),
    scalar(&["right"], "right", &[Text, AtLeast(0)], "negative lengths differ"),
    scalar(&["replace"], "replace", &[Text, LiteralText, Text], "an empty pattern differs"),
    scalar(
        &["split_part"],
        "split_part",
        &[Text, LiteralText, AtLeast(1)],
        "an empty text beyond the last part",
    ),
    scalar(&["lpad"], "lpad", &[Text, AtLeast(0), LiteralText], "cuts what is longer"),
    scalar(&["rpad"], "rpad", &[Text, AtLeast(0), LiteralText], "cuts what is longer"),
    scalar(&["repeat"], "repeat", &[Text, AtLeast(0)], "no negative numbers"),
    scalar(&["reverse"], "reverse", &[Text], "by code points"),
    scalar(&["translate"], "translate", &[Text, LiteralText, Text], "by code points"),
    scalar(&["contains"], "contains", &[Text, Text], "also by `like '%x%'`"),
    scalar(
        &["position"],
        "strpos",
        &[Text, LiteralText],
        "written `position('x' in s)`; 0 when it is not there",
    ),
    scalar(&["chr"], "chr", &[AtLeast(1)], "for the quote (39) and the backslash (92); up to 127"),
    scalar(
        &["date_part", "extract"],
        "date_part",
        &[Part, Time],
        "year, quarter, month, week (ISO), day, doy; of times also hour, minute; also `extract(year from d)`",
    ),
    scalar(
        &["make_date"],
        "make_date",
        &[Small, Small, Small],
        "the first of a month: make_date(extract(year from d), extract(month from d), 1)",
    ),
    scalar(
        &["unix_date"],
        "unix_date",
        &[Date],
        "days since 1970-01-01, so that dates can be subtracted; Spark's own, here by Medallion",
    ),
    scalar(
        &["unix_micros"],
        "unix_micros",
        &[Instant],
        "microseconds since 1970-01-01 UTC, so that times can be subtracted; Spark's own, here by Medallion",
    ),
];

/// The function of this name as it is written in SQL.
pub(super) fn function(name: &str) -> Option<&'static Allowed> {
    FUNCTIONS.iter().find(|f| f.names.contains(&name))
}

/// The function of this name in `DataFusion`'s plans.
pub(super) fn planned(name: &str) -> Option<&'static Allowed> {
    FUNCTIONS.iter().find(|f| f.planned == name)
}

/// The functions as a table in Markdown.
#[cfg(test)]
pub(super) fn functions_in_markdown() -> String {
    use std::fmt::Write;

    let mut text = String::from("| Function | Arguments | Notes |\n|---|---|---|\n");
    for function in FUNCTIONS {
        let names: Vec<String> = function.names.iter().map(|n| format!("`{n}`")).collect();
        let mut args: Vec<String> = function.args.iter().map(|a| a.name()).collect();
        for arg in args.iter_mut().skip(function.least.max(1)) {
            arg.insert(0, '[');
            arg.push(']');
        }
        if function.most == MANY {
            args.push("…".to_owned());
        }
        let over = if function.kind == Kind::Window { " `over (…)`" } else { "" };
        let _ = writeln!(
            text,
            "| {}{over} | {} | {} |",
            names.join(", "),
            args.join("; "),
            function.why
        );
    }
    text
}
