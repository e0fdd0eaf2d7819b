//! The rules of portable SQL. Ids are stable; `docs/portable-sql.md` lists them.

use medallion_definition::finding::RuleId;

/// A rule with what it asks, for documents.
pub type Rule = (RuleId, &'static str);

macro_rules! rules {
    ($($name:ident $id:literal $about:literal;)*) => {
        $(pub(super) const $name: RuleId = RuleId(concat!("portable/", $id));)*

        /// Every rule with what it asks.
        pub const RULES: &[Rule] = &[$(($name, $about)),*];
    };
}

rules! {
    PLAN "plan" "The query parses, plans and can be executed in DataFusion.";
    STATEMENT "statement" "A model is one query.";
    COMMENT "comment" "Comments are comments in both engines: no hints, no nesting, no backslash at the end of a line comment.";
    IDENTIFIER "identifier" "Names are plain ASCII words without quotes.";
    LITERAL "literal" "Literals are whole numbers, decimals, `'texts'` without quote, backslash or `${`, `true`, `false`, `null` and `date '2024-12-31'`.";
    OPERATOR "operator" "Operators are `+ - * / % || = <> != < <= > >= and or not`, `is`, `in`, `between`, `like`.";
    CLAUSE "clause" "A query has `with`, `select`, `from`, `where`, `group by`, `having` and nothing else.";
    ORDER "order" "No `order by` and no `limit`: a table has no order, and a limit without a total order picks rows by chance.";
    JOIN "join" "Joins are inner, left, right, full with `on`, or cross.";
    TABLE "table" "Tables are `layer.table` or the name of a `with` query.";
    SET_OPERATION "set-operation" "Set operations are `union all` and `union`.";
    SUBQUERY "subquery" "`exists` and `in` stand in `where` as conditions of their own; a subquery used as a value is an aggregate over all rows and not correlated.";
    GROUP_BY "group-by" "Groups are expressions, not positions, sets or names given in `select`.";
    EXPRESSION "expression" "Expressions are of the kinds that both engines evaluate alike.";
    FUNCTION "function" "Functions are those of the table, with as many arguments.";
    ARGUMENT "argument" "Arguments have the types and, where the engines differ beyond, the values of the table.";
    NOT_DETERMINISTIC "not-deterministic" "The same inputs give the same table.";
    WINDOW "window" "Windows have a plain frame in rows, and an order where the function needs one.";
    WINDOW_ORDER "window-order" "Partition and order of a window that looks at single rows hold a key, so that there are no ties.";
    NULLS_ORDER "nulls-order" "An order over values that may be NULL says `nulls first` or `nulls last`.";
    TYPE_NAME "type-name" "Types in casts are `int`, `bigint`, `smallint`, `double`, `decimal(p, s)`, `string`, `boolean` and `date`.";
    CAST "cast" "Casts are those that both engines do alike.";
    LIKE "like" "`like` compares a text with a literal pattern.";
    INT_DIVISION "int-division" "Whole numbers are divided as decimals.";
    INT_OVERFLOW "int-overflow" "Whole numbers are added and multiplied as `bigint`.";
    DECIMAL_DIVISION "decimal-division" "A decimal quotient is cast at once to a decimal whose digits both engines get right.";
    DECIMAL_PRECISION "decimal-precision" "Decimals never need more than 38 digits.";
    DOUBLE_DIVISION "double-division" "Doubles are divided by literals.";
    FLOAT "float" "Floats and doubles are not compared, ordered, grouped or aggregated: NaN, -0.0 and the order of additions decide over the result.";
    TYPES "types" "Both sides of a comparison, and all branches of a value, have one type.";
    TIME "time" "Times are compared, taken apart and cut to dates, but not computed with.";
    COLUMN_TYPE "column-type" "A result column fits its declared type without a conversion that the engines do differently.";
}
