//! The first pass: spellings that the parser forgets or that Spark reads as something else.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use super::{Report, rules};

const NUMBER: &str = "write whole numbers up to 9223372036854775807, decimals like 0.5, and doubles \
                      as cast(1.5 as double)";

/// Adds what the tokens tell.
pub(super) fn check(sql: &str, report: &mut Report<'_>) {
    let dialect = GenericDialect {};
    let mut tokenizer = Tokenizer::new(&dialect, sql).with_unescape(false);
    // What cannot be tokenized does not parse either, which is another finding.
    let Ok(tokens) = tokenizer.tokenize_with_location() else { return };
    let mut before_comma = None;
    for TokenWithSpan { token, span } in &tokens {
        let line = span.start.line;
        check_token(token, line, report);
        match token {
            Token::Whitespace(_) => {}
            Token::Comma => before_comma = Some(line),
            Token::Word(Word { keyword: Keyword::FROM, .. }) | Token::RParen => {
                if let Some(line) = before_comma.take() {
                    let message = "a comma stands before the end of its list";
                    report.at(line, rules::STATEMENT, message, "leave the last comma out");
                }
            }
            _ => before_comma = None,
        }
    }
}

fn check_token(token: &Token, line: u64, report: &mut Report<'_>) {
    match token {
        Token::Word(word) => check_word(word, line, report),
        Token::Number(digits, long) if *long || !is_number(digits) => {
            report.at(line, rules::LITERAL, format!("`{digits}` is no portable number"), NUMBER);
        }
        Token::SingleQuotedString(text) => check_text(text, line, report),
        Token::Whitespace(space) => check_comment(space, line, report),
        Token::DoubleColon => {
            report.at(line, rules::OPERATOR, "Spark 3.5 has no `::`", "write cast(x as type)");
        }
        Token::DoubleEq => {
            report.at(line, rules::OPERATOR, "`==` is not standard SQL", "write `=`");
        }
        Token::Placeholder(name) => {
            let message = format!("`{name}` is a parameter that nobody fills in");
            report.at(line, rules::LITERAL, message, "write the value");
        }
        Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::TripleSingleQuotedByteStringLiteral(_)
        | Token::TripleDoubleQuotedByteStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_)
        | Token::TripleSingleQuotedRawStringLiteral(_)
        | Token::TripleDoubleQuotedRawStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::QuoteDelimitedStringLiteral(_)
        | Token::NationalQuoteDelimitedStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::DoubleQuotedString(_) => {
            let message = "this form of literal does not mean the same in both engines";
            report.at(line, rules::LITERAL, message, "write 'text' in single quotes");
        }
        _ => {}
    }
}

fn check_word(word: &Word, line: u64, report: &mut Report<'_>) {
    let name = &word.value;
    match word.quote_style {
        Some('"') => report.at(
            line,
            rules::IDENTIFIER,
            format!("`\"{name}\"` is a text in Spark, not a name"),
            "leave the quotes out, and rename the column where that does not help",
        ),
        Some(_) => report.at(
            line,
            rules::IDENTIFIER,
            format!("`{name}` is quoted"),
            "leave the quotes out, and rename the column where that does not help",
        ),
        None if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => report.at(
            line,
            rules::IDENTIFIER,
            format!("`{name}` is no name in Spark"),
            "names are made of a to z, digits and _",
        ),
        None if ["isnull", "notnull"].contains(&name.to_lowercase().as_str()) => report.at(
            line,
            rules::OPERATOR,
            format!("`{name}` is not standard SQL"),
            "write `is null` or `is not null`",
        ),
        None => {}
    }
}

fn is_number(digits: &str) -> bool {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match digits.split_once('.') {
        None => plain(digits) && digits.parse::<i64>().is_ok(),
        Some((whole, fraction)) => {
            let count = whole.trim_start_matches('0').len() + fraction.len();
            plain(whole)
                && plain(fraction)
                && !whole.is_empty()
                && !fraction.is_empty()
                && count < 39
        }
    }
}

fn check_text(text: &str, line: u64, report: &mut Report<'_>) {
    if text.contains('\\') {
        let message = "Spark reads the backslash in a text as the beginning of an escape";
        report.at(line, rules::LITERAL, message, "write 'a' || chr(92) || 'b'");
    }
    if text.contains('\'') {
        let message = "Spark 3.5 drops a doubled quote from a text";
        report.at(line, rules::LITERAL, message, "write 'it' || chr(39) || 's'");
    }
    if text.contains("${") {
        let message = "Spark replaces `${` in a text by a variable";
        report.at(line, rules::LITERAL, message, "write '$' || '{'");
    }
}

fn check_comment(space: &Whitespace, line: u64, report: &mut Report<'_>) {
    match space {
        Whitespace::SingleLineComment { comment, prefix } => {
            if prefix != "--" {
                let message = format!("`{prefix}` begins no comment in Spark");
                report.at(line, rules::COMMENT, message, "begin the comment with `--`");
            }
            if comment.trim_end_matches(['\n', '\r']).ends_with('\\') {
                let message =
                    "Spark continues a comment that ends with a backslash on the next line";
                report.at(line, rules::COMMENT, message, "leave the backslash out");
            }
        }
        Whitespace::MultiLineComment(comment) => {
            if comment.starts_with(['+', '!']) {
                let message = "this comment is a hint to an engine";
                report.at(line, rules::COMMENT, message, "begin the comment with a space");
            }
            if comment.contains("/*") {
                let message = "a comment within a comment ends at different places";
                report.at(line, rules::COMMENT, message, "use comments that begin with `--`");
            }
        }
        Whitespace::Space | Whitespace::Newline | Whitespace::Tab => {}
    }
}
