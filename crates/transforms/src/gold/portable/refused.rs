//! The functions that people reach for and that are not portable, with what to write instead.

use medallion_definition::finding::RuleId;

use super::rules;

/// Names, rule, what to write instead.
const REFUSED: &[(&[&str], RuleId, &str)] = &[
    (
        &[
            "now",
            "current_date",
            "current_timestamp",
            "current_time",
            "today",
            "localtimestamp",
            "random",
            "rand",
            "randn",
            "uuid",
            "monotonically_increasing_id",
            "input_file_name",
        ],
        rules::NOT_DETERMINISTIC,
        "a model is a function of its inputs: compare with a column such as the latest _loaded_at",
    ),
    (
        &["concat"],
        rules::FUNCTION,
        "DataFusion's concat() skips NULL and Spark's does not: write a || b",
    ),
    (&["concat_ws"], rules::FUNCTION, "write a || '-' || b, with coalesce where NULL may occur"),
    (
        &["year", "month", "day", "quarter", "hour", "minute", "weekofyear", "dayofyear"],
        rules::FUNCTION,
        "write extract(year from d)",
    ),
    (&["second", "dayofweek", "weekday"], rules::FUNCTION, "the engines count differently"),
    (&["datediff", "date_diff"], rules::FUNCTION, "write unix_date(a) - unix_date(b)"),
    (
        &["date_add", "date_sub", "add_months", "months_between", "last_day"],
        rules::TIME,
        "compute with unix_date or make_date",
    ),
    (
        &[
            "to_date",
            "to_timestamp",
            "from_unixtime",
            "to_char",
            "date_format",
            "to_unixtime",
            "unix_timestamp",
        ],
        rules::TIME,
        "formats differ between the engines: let the contract type the column",
    ),
    (
        &["trunc", "date_trunc", "date_bin"],
        rules::TIME,
        "types differ, and DataFusion goes wrong from 2262 on: write cast(t as date), or \
         make_date(extract(year from d), extract(month from d), 1)",
    ),
    (&["nvl", "ifnull"], rules::FUNCTION, "write coalesce"),
    (
        &["if", "iff", "iif", "nvl2", "decode"],
        rules::FUNCTION,
        "write case when … then … else … end",
    ),
    (
        &["round", "ceil", "ceiling", "floor"],
        rules::FUNCTION,
        "types and rounding differ: write cast(x as decimal(p, s)), which rounds halves away from zero",
    ),
    (&["mod"], rules::FUNCTION, "write a % b"),
    (
        &[
            "median",
            "percentile_cont",
            "percentile_disc",
            "approx_percentile_cont",
            "approx_percentile",
            "percentile",
            "approx_distinct",
            "approx_median",
        ],
        rules::FUNCTION,
        "types and interpolation differ: number the rows with row_number() and take the middle one",
    ),
    (
        &[
            "stddev",
            "stddev_pop",
            "stddev_samp",
            "variance",
            "var_pop",
            "var_samp",
            "corr",
            "covar_pop",
            "covar_samp",
            "regr_slope",
        ],
        rules::FLOAT,
        "sums of doubles depend on their order: compute sum(x) and sum(x * x) of decimals",
    ),
    (
        &[
            "array_agg",
            "collect_list",
            "collect_set",
            "string_agg",
            "listagg",
            "group_concat",
            "first",
            "last",
            "any_value",
            "mode",
        ],
        rules::NOT_DETERMINISTIC,
        "the order within a group is nobody's: take min or max, or number the rows with row_number()",
    ),
    (
        &[
            "regexp_replace",
            "regexp_match",
            "regexp_like",
            "regexp_count",
            "regexp_extract",
            "rlike",
            "regexp",
        ],
        rules::FUNCTION,
        "the engines have different regular expressions: use like, split_part or replace, or a check in the contract",
    ),
    (&["starts_with", "startswith"], rules::FUNCTION, "write s like 'x%'"),
    (&["ends_with", "endswith"], rules::FUNCTION, "write s like '%x'"),
    (&["strpos", "instr", "locate"], rules::FUNCTION, "write position('x' in s)"),
    (
        &["initcap"],
        rules::FUNCTION,
        "the engines find words differently: write upper(left(s, 1)) || lower(substring(s, 2))",
    ),
    (
        &[
            "unnest",
            "explode",
            "posexplode",
            "generate_series",
            "sequence",
            "array",
            "make_array",
            "struct",
            "named_struct",
            "map",
        ],
        rules::EXPRESSION,
        "a model has no arrays and structs: write them as rows and columns",
    ),
    (
        &["md5", "sha1", "sha2", "sha256", "sha512", "hash", "xxhash64", "crc32"],
        rules::FUNCTION,
        "the engines return different types",
    ),
    (
        &["percent_rank", "cume_dist"],
        rules::FUNCTION,
        "write rank() over (…) and divide it as a decimal",
    ),
    (&["nth_value"], rules::FUNCTION, "write lag or lead, or number the rows with row_number()"),
];

/// Rule and hint for a function that is not in the subset.
pub(super) fn hint(name: &str) -> (RuleId, &'static str) {
    let known = REFUSED.iter().find(|(names, ..)| names.contains(&name));
    let other = "docs/portable-sql.md lists the functions that both engines have";
    known.map_or((rules::FUNCTION, other), |(_, rule, hint)| (*rule, hint))
}
