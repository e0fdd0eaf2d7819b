//! Names with a meaning of their own in Lake Formation's row filters.

/// Columns that break a filter, in quotes too (Lake Formation, `data-filtering`).
const SYSTEM_COLUMNS: [&str; 11] = [
    "cmax",
    "cmin",
    "ctid",
    "deletexid",
    "importoid",
    "insertxid",
    "oid",
    "redcatuniqueid",
    "tableoid",
    "xmax",
    "xmin",
];

/// PartiQL's keywords (lexer grammar of `partiql-lang-kotlin`). A column of such a name must stand
/// in double quotes (Lake Formation, `partiql-support`).
const KEYWORDS: &str = "
    absolute action add all allocate alter and any are as asc assertion at authorization avg bag
    begin between bigint bit bit_length blob bool boolean by can_cast can_lossless_cast cascade
    cascaded case cast catalog char char_length character character_length check clob close coalesce
    collate collation column commit conflict connect connection constraint constraints continue
    convert corresponding count create cross current current_date current_time current_timestamp
    current_user cursor date date_add date_diff deallocate dec decimal declare default deferrable
    deferred delete desc describe descriptor diagnostics disconnect distinct do domain double drop
    else end escape every except exception excluded exec execute exists explain external extract
    false fetch first float for foreign found from full get global go goto grant group having
    identity immediate in index indicator initially inner input insensitive insert int int2 int4
    int8 integer integer2 integer4 integer8 intersect interval into is isolation join key lag
    language last lateral lead left let level like limit list local lower match max min missing
    modified module names national natural nchar new next no not nothing null nullif nulls numeric
    octet_length of offset old on only open option or order outer output over overlaps overlay pad
    partial partition pivot placing position precision prepare preserve primary prior privileges
    procedure public read real references relative remove replace restrict returning revoke right
    rollback rows schema scroll section select session session_user set sexp shortest size smallint
    some space sql sqlcode sqlerror sqlstate string struct substring sum symbol system_user table
    temporary then time timestamp to transaction translate translation trim true tuple union unique
    unknown unpivot update upper upsert usage user using value values varchar varying view when
    whenever where with work write zone";

/// True when the name must stand in double quotes.
pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS.split_ascii_whitespace().any(|keyword| keyword.eq_ignore_ascii_case(name))
}

/// True when no filter may use the column.
pub(super) fn is_system_column(name: &str) -> bool {
    SYSTEM_COLUMNS.contains(&name)
}
