//! What the grammar refused, in words.
//!
//! In: the parser's list of tokens that it would have taken. Out: one
//! diagnostic that says what is missing, and where it can, what was meant.

use std::convert::Infallible;

use lalrpop_util::ParseError;
use progmp_ir::Span;

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sink};
use crate::lexer::{KEYWORDS, Tok, Token};
use crate::suggest::closest;

/// Where the grammar stopped.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The token that it did not take; one past the last at the end.
    pub at: usize,
    /// The tokens that it would have taken, as the grammar spells them.
    expected: Vec<String>,
}

impl Failure {
    pub(crate) fn new(error: ParseError<u32, Tok<'_>, Infallible>, tokens: &[Token<'_>]) -> Self {
        let place = |start: u32, tok: Tok<'_>| {
            let from = tokens.partition_point(|token| token.span.start < start);
            let rest = tokens[from..].iter().position(|token| token.tok == tok);
            rest.map_or(tokens.len(), |found| from + found)
        };
        match error {
            ParseError::UnrecognizedEof { expected, .. } => Self {
                at: tokens.len(),
                expected,
            },
            ParseError::UnrecognizedToken {
                token: (start, tok, _),
                expected,
            } => Self {
                at: place(start, tok),
                expected,
            },
            ParseError::ExtraToken {
                token: (start, tok, _),
            } => Self {
                at: place(start, tok),
                expected: Vec::new(),
            },
            ParseError::InvalidToken { .. } => {
                unreachable!("the lexer gives tokens, never errors")
            }
            ParseError::User { error } => match error {},
        }
    }

    fn takes(&self, token: &str) -> bool {
        self.expected.iter().any(|expected| {
            let spelling = expected
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            spelling.unwrap_or(expected) == token
        })
    }
}

/// Reports that the grammar refuses `piece`, which ends before `next` (`None`: the end of the
/// text), and returns what kind of mistake it is.
pub(crate) fn report(
    failure: &Failure,
    piece: &[Token<'_>],
    next: Option<&Token<'_>>,
    sink: &mut Sink,
) -> Code {
    let diagnostic = diagnose(failure, piece, next);
    let code = diagnostic.code;
    sink.push(diagnostic);
    code
}

fn diagnose(failure: &Failure, piece: &[Token<'_>], next: Option<&Token<'_>>) -> Diagnostic {
    let inside = piece.get(failure.at);
    let found = inside.or(next);
    let previous = failure.at.checked_sub(1).and_then(|at| piece.get(at));
    let end = previous.map_or(0, |token| token.span.end);
    let gap = Span::new(end, end);
    let ends_here = matches!(
        found.map(|token| token.tok),
        None | Some(Tok::Semicolon | Tok::OpenBrace | Tok::CloseBrace)
    ) || inside.is_none();

    if ends_here
        && failure.takes(")")
        && let Some(open) = innermost_open(&piece[..failure.at.min(piece.len())])
    {
        let diagnostic = Diagnostic::new(Code::UnclosedParenthesis, gap, "a `)` is missing")
            .label(open, "this `(` is open");
        return with_hints(diagnostic, failure, piece, found);
    }
    let block = found.is_some_and(|token| token.tok == Tok::OpenBrace);
    if inside.is_none() && !block && failure.takes(";") {
        let diagnostic = Diagnostic::new(Code::MissingSemicolon, gap, "a `;` is missing");
        return with_hints(diagnostic, failure, piece, found);
    }
    let name_wanted = failure.takes("NAME") && !failure.takes("NUMBER");
    if name_wanted
        && let Some(token) = inside
        && let Some(keyword) = token.tok.keyword()
    {
        let message = format!("the keyword `{keyword}` cannot be a name");
        return Diagnostic::new(Code::KeywordAsName, token.span, message);
    }
    let message = format!(
        "expected {}, found {}",
        expectation(failure),
        found.map_or("the end of the text".to_owned(), |token| describe(
            token.tok
        ))
    );
    let span = found.map_or(gap, |token| token.span);
    let diagnostic = Diagnostic::new(Code::UnexpectedToken, span, message);
    with_hints(diagnostic, failure, piece, found)
}

fn innermost_open(piece: &[Token<'_>]) -> Option<Span> {
    let mut open = Vec::new();
    for token in piece {
        match token.tok {
            Tok::OpenParen => open.push(token.span),
            Tok::CloseParen => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

const STATEMENTS: [&str; 9] = [
    "DROP",
    "FOREACH",
    "IF",
    "PRINT",
    "RETURN",
    "SCHEDULER",
    "SET",
    "VAR",
    "BROKEN",
];
const OPERANDS: [&str; 6] = ["NUMBER", "STRING", "(", "NULL", "TRUE", "FALSE"];
const OPERATORS: [&str; 13] = [
    "AND", "OR", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%",
];
const NAMES: [&str; 5] = ["NAME", "DEFINE", "AS", "as", "VOID"];

/// What could have stood there: an enumeration in words.
fn expectation(failure: &Failure) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut covered: Vec<&str> = vec!["BROKEN_HEAD", "BROKEN"];
    let statement = failure.takes("RETURN");
    let operand = failure.takes("NUMBER");
    if statement {
        words.push("a statement".to_owned());
        covered.extend(STATEMENTS);
    }
    if statement || operand {
        covered.extend(OPERANDS);
        covered.extend(NAMES);
        covered.push("!");
    }
    if operand && !statement {
        words.push("a value".to_owned());
    }
    let name = failure.takes("NAME") && !operand;
    let operator = failure.takes("+");
    if name {
        covered.extend(NAMES);
        covered.extend(["PUSH", "SET_USER"]);
    }
    if operator {
        covered.extend(OPERATORS);
        covered.push(".");
        // After a name, `(` would make it a call; the grammar has calls after a dot only.
    }
    for token in &failure.expected {
        let token = token.trim_matches('"');
        if !covered.contains(&token) {
            words.push(match token {
                "STRING" => "a string".to_owned(),
                "NUMBER" => "a number".to_owned(),
                other => format!("`{other}`"),
            });
        }
    }
    if name {
        words.push("a name".to_owned());
    }
    if operator {
        words.push("an operator".to_owned());
    }
    match words.split_last() {
        None => "nothing more".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// A token in words.
fn describe(tok: Tok<'_>) -> String {
    if let Some(keyword) = tok.keyword() {
        return format!("`{keyword}`");
    }
    match tok {
        Tok::Name(text) => format!("the name `{text}`"),
        Tok::Number(value) => format!("the number {value}"),
        Tok::String(_) => "a string".to_owned(),
        other => format!("`{}`", symbol(other)),
    }
}

/// The spelling of a token without a value.
pub(crate) const fn symbol(tok: Tok<'_>) -> &'static str {
    match tok {
        Tok::OpenParen => "(",
        Tok::CloseParen => ")",
        Tok::OpenBrace => "{",
        Tok::CloseBrace => "}",
        Tok::Comma => ",",
        Tok::Semicolon => ";",
        Tok::Dot => ".",
        Tok::Arrow => "=>",
        Tok::Assign => "=",
        Tok::Bang => "!",
        Tok::Plus => "+",
        Tok::Minus => "-",
        Tok::Star => "*",
        Tok::Slash => "/",
        Tok::Percent => "%",
        Tok::EqEq => "==",
        Tok::NotEq => "!=",
        Tok::Less => "<",
        Tok::LessEq => "<=",
        Tok::Greater => ">",
        Tok::GreaterEq => ">=",
        _ => "?",
    }
}

/// Adds what the writer may have meant.
fn with_hints(
    diagnostic: Diagnostic,
    failure: &Failure,
    piece: &[Token<'_>],
    found: Option<&Token<'_>>,
) -> Diagnostic {
    let at = failure.at;
    let previous = at.checked_sub(1).and_then(|before| piece.get(before));
    let before = previous.map(|token| token.tok);
    let found = found.map(|token| token.tok);
    let meant = [piece.get(at), previous, piece.first()]
        .into_iter()
        .flatten()
        .find_map(|token| keyword_meant(token.tok).map(|word| (token.tok, word)));
    if let Some((Tok::Name(written), keyword)) = meant {
        return diagnostic.help(format!(
            "did you mean the keyword `{keyword}`? It is not `{written}`"
        ));
    }
    match (before, found) {
        (_, Some(Tok::Assign)) if failure.takes("==") => diagnostic
            .help("`==` compares; a variable is assigned where it is declared, a register by SET"),
        (_, Some(Tok::Minus)) if failure.takes("NUMBER") => diagnostic
            .help("integers are unsigned and there is no sign; subtraction wraps: `0 - 1`"),
        (Some(Tok::Minus), Some(Tok::Greater)) => diagnostic.help("the arrow is `=>`"),
        (Some(Tok::Dot), Some(Tok::Number(_))) => diagnostic.help("numbers have no fraction"),
        (Some(Tok::Name(_)), Some(Tok::OpenParen)) => {
            diagnostic.help("a method stands after the value it applies to: `value.METHOD(…)`")
        }
        (None | Some(Tok::Semicolon), Some(Tok::OpenBrace)) => {
            diagnostic.help("a block stands only after IF, ELSE or FOREACH")
        }
        (_, Some(Tok::Arrow)) => {
            diagnostic.help("`x => …` stands only as an argument of FILTER, MIN, MAX or SUM")
        }
        (_, Some(Tok::Semicolon)) if at == 0 => {
            diagnostic.help("remove it: there is no empty statement")
        }
        _ => diagnostic,
    }
}

/// The keyword that a name was probably meant to be.
fn keyword_meant(tok: Tok<'_>) -> Option<&'static str> {
    let Tok::Name(text) = tok else { return None };
    let candidates = KEYWORDS.iter().map(|(keyword, _)| *keyword);
    let long = candidates.clone().filter(|keyword| keyword.len() > 3);
    let same = candidates
        .clone()
        .find(|keyword| keyword.eq_ignore_ascii_case(text));
    same.or_else(|| closest(text, long))
}
