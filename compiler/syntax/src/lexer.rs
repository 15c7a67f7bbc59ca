//! Text to tokens (LANGUAGE: specs/grammar.md, section 1).
//!
//! In: the text of a file or of a requirement. Out: its tokens, its comments
//! and a diagnostic for all that is neither. A mistake that leaves no doubt
//! about the token (a bad escape, too long a name) keeps the token; any other
//! becomes [`Tok::Error`], which the grammar never accepts.

use logos::Logos;
use progmp_ir::Span;

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sink};
use crate::limits;
use crate::source::BYTE_ORDER_MARK;

/// A token of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tok<'s> {
    And,
    Drop,
    Else,
    Foreach,
    If,
    In,
    Null,
    Or,
    Print,
    Push,
    Return,
    Scheduler,
    Set,
    SetUser,
    Var,
    Define,
    UpperAs,
    LowerAs,
    Void,
    True,
    False,
    OpenParen,
    CloseParen,
    OpenBrace,
    CloseBrace,
    Comma,
    Semicolon,
    Dot,
    Arrow,
    Assign,
    Bang,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    EqEq,
    NotEq,
    Less,
    LessEq,
    Greater,
    GreaterEq,
    Name(&'s str),
    Number(u64),
    /// Without its quotes, escapes as written.
    String(&'s str),
    /// Not a token; already reported.
    Error,
    /// Stands for a statement that did not parse; the number finds its names.
    Broken(u32),
    /// Stands for the head of a block that did not parse.
    BrokenHead,
}

/// The words with a meaning of their own.
pub(crate) const KEYWORDS: [(&str, Tok<'static>); 21] = [
    ("AND", Tok::And),
    ("DROP", Tok::Drop),
    ("ELSE", Tok::Else),
    ("FOREACH", Tok::Foreach),
    ("IF", Tok::If),
    ("IN", Tok::In),
    ("NULL", Tok::Null),
    ("OR", Tok::Or),
    ("PRINT", Tok::Print),
    ("PUSH", Tok::Push),
    ("RETURN", Tok::Return),
    ("SCHEDULER", Tok::Scheduler),
    ("SET", Tok::Set),
    ("SET_USER", Tok::SetUser),
    ("VAR", Tok::Var),
    ("DEFINE", Tok::Define),
    ("AS", Tok::UpperAs),
    ("as", Tok::LowerAs),
    ("VOID", Tok::Void),
    ("TRUE", Tok::True),
    ("FALSE", Tok::False),
];

impl Tok<'_> {
    /// Whether it may stand where a name is wanted.
    pub(crate) const fn may_be_name(self) -> bool {
        matches!(
            self,
            Self::Name(_) | Self::Define | Self::UpperAs | Self::LowerAs | Self::Void
        )
    }

    /// The spelling of a keyword.
    pub(crate) fn keyword(self) -> Option<&'static str> {
        let found = KEYWORDS.iter().find(|(_, tok)| *tok == self);
        found.map(|(text, _)| *text)
    }
}

/// A token and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'s> {
    pub tok: Tok<'s>,
    pub span: Span,
}

/// What a text consists of.
#[derive(Debug, Default)]
pub(crate) struct Lexed<'s> {
    pub tokens: Vec<Token<'s>>,
    /// With delimiters, in order.
    pub comments: Vec<Span>,
    /// A comment without end has hidden the rest of the file.
    pub cut: bool,
}

/// What is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A scheduler.
    File,
    /// The text of a requirement, where `≤` may be written.
    Requirement,
}

#[derive(Logos, Clone, Copy, PartialEq, Eq)]
#[logos(skip r"[ \t\r\n]+")]
enum Raw {
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*")]
    Word,
    #[regex(r"[0-9]+")]
    Number,
    #[regex(r"[0-9]+[A-Za-z_][A-Za-z0-9_]*")]
    BadNumber,
    #[regex(r#""([^"\\\n\r]|\\[^\n\r])*""#)]
    String,
    #[regex(r#""([^"\\\n\r]|\\[^\n\r])*"#)]
    OpenString,
    #[regex(r"//[^\n]*", allow_greedy = true)]
    LineComment,
    #[regex(r"/\*([^*]|\*+[^*/])*\*+/")]
    BlockComment,
    #[token("/*")]
    OpenComment,
    #[token("(")]
    OpenParen,
    #[token(")")]
    CloseParen,
    #[token("{")]
    OpenBrace,
    #[token("}")]
    CloseBrace,
    #[token(",")]
    Comma,
    #[token(";")]
    Semicolon,
    #[token(".")]
    Dot,
    #[token("=>")]
    Arrow,
    #[token("=")]
    Assign,
    #[token("!")]
    Bang,
    #[token("+")]
    Plus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("==")]
    EqEq,
    #[token("!=")]
    NotEq,
    #[token("<")]
    Less,
    #[token("<=")]
    LessEq,
    #[token(">")]
    Greater,
    #[token(">=")]
    GreaterEq,
    #[token("&&")]
    AndAnd,
    #[token("||")]
    OrOr,
    #[token("≤")]
    LessEqSign,
    #[token("≥")]
    GreaterEqSign,
    #[token("≠")]
    NotEqSign,
}

/// Reads `text`; `offset` is where it starts in the file, for its spans.
pub(crate) fn lex<'s>(text: &'s str, offset: u32, mode: Mode, sink: &mut Sink) -> Lexed<'s> {
    let mut out = Lexed::default();
    let mark = if mode == Mode::File && text.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    let mut lexer = Raw::lexer(&text[mark..]);
    let at = |byte: usize| offset + small(mark + byte);
    let mut stray: Option<Span> = None;
    // A string without end has been reported in this statement.
    let mut open_string = false;
    while let Some(raw) = lexer.next() {
        if let Ok(Raw::OpenString) = raw {
            let rest = lexer.remainder();
            lexer.bump(rest.find(['\n', '\r']).unwrap_or(rest.len()));
        }
        if let Ok(Raw::OpenComment) = raw {
            lexer.bump(lexer.remainder().len());
        }
        let span = Span::new(at(lexer.span().start), at(lexer.span().end));
        let slice = lexer.slice();
        let Ok(raw) = raw else {
            match &mut stray {
                Some(run) if run.end == span.start => run.end = span.end,
                _ => {
                    report_stray(stray.replace(span), text, offset, sink);
                    out.tokens.push(Token {
                        tok: Tok::Error,
                        span,
                    });
                }
            }
            continue;
        };
        let tok = match raw {
            Raw::LineComment | Raw::BlockComment => {
                out.comments.push(span);
                continue;
            }
            Raw::OpenComment => {
                let mut open = span;
                open.end = open.start + 2;
                sink.push(
                    Diagnostic::new(Code::UnterminatedComment, open, "a comment without end")
                        .help("close it with `*/`; comments do not nest"),
                );
                out.comments.push(span);
                out.cut = true;
                continue;
            }
            // `= >` is `=>`.
            Raw::Greater if matches!(out.tokens.last(), Some(last) if last.tok == Tok::Assign) => {
                let start = out.tokens.pop().map_or(span, |last| last.span);
                out.tokens.push(Token {
                    tok: Tok::Arrow,
                    span: start.to(span),
                });
                continue;
            }
            // A string over several lines: this is the quote that was to close it.
            Raw::OpenString if open_string => Tok::Error,
            other => token(other, slice, span, mode, sink),
        };
        if raw == Raw::OpenString {
            open_string = !open_string;
        } else if separates(tok) {
            open_string = false;
        }
        out.tokens.push(Token { tok, span });
    }
    report_stray(stray, text, offset, sink);
    out
}

/// Whether it stands between two statements.
const fn separates(tok: Tok<'_>) -> bool {
    matches!(
        tok,
        Tok::Semicolon
            | Tok::OpenBrace
            | Tok::CloseBrace
            | Tok::Drop
            | Tok::Foreach
            | Tok::If
            | Tok::Print
            | Tok::Return
            | Tok::Set
            | Tok::Var
    )
}

/// Offsets fit: a file is at most 1 MiB.
fn small(byte: usize) -> u32 {
    u32::try_from(byte).expect("texts are limited to 1 MiB")
}

fn token<'s>(raw: Raw, slice: &'s str, span: Span, mode: Mode, sink: &mut Sink) -> Tok<'s> {
    match raw {
        Raw::Word => word(slice, span, sink),
        Raw::Number => number(slice, span, sink),
        Raw::BadNumber => bad_number(slice, span, sink),
        Raw::String => string(slice, span, sink),
        Raw::OpenString => {
            sink.push(
                Diagnostic::new(Code::UnterminatedString, span, "a string without end")
                    .help("close it with `\"` on the same line"),
            );
            Tok::Error
        }
        Raw::OpenParen => Tok::OpenParen,
        Raw::CloseParen => Tok::CloseParen,
        Raw::OpenBrace => Tok::OpenBrace,
        Raw::CloseBrace => Tok::CloseBrace,
        Raw::Comma => Tok::Comma,
        Raw::Semicolon => Tok::Semicolon,
        Raw::Dot => Tok::Dot,
        Raw::Arrow => Tok::Arrow,
        Raw::Assign => Tok::Assign,
        Raw::Bang => Tok::Bang,
        Raw::Plus => Tok::Plus,
        Raw::Minus => Tok::Minus,
        Raw::Star => Tok::Star,
        Raw::Slash => Tok::Slash,
        Raw::Percent => Tok::Percent,
        Raw::EqEq => Tok::EqEq,
        Raw::NotEq => Tok::NotEq,
        Raw::Less => Tok::Less,
        Raw::LessEq => Tok::LessEq,
        Raw::Greater => Tok::Greater,
        Raw::GreaterEq => Tok::GreaterEq,
        Raw::AndAnd => instead(slice, "AND", Tok::And, span, sink),
        Raw::OrOr => instead(slice, "OR", Tok::Or, span, sink),
        Raw::LessEqSign if mode == Mode::Requirement => Tok::LessEq,
        Raw::LessEqSign => instead(slice, "<=", Tok::LessEq, span, sink),
        Raw::GreaterEqSign => instead(slice, ">=", Tok::GreaterEq, span, sink),
        Raw::NotEqSign => instead(slice, "!=", Tok::NotEq, span, sink),
        Raw::LineComment | Raw::BlockComment | Raw::OpenComment => {
            unreachable!("comments are not tokens")
        }
    }
}

/// Another language's spelling of one of our tokens.
fn instead<'s>(slice: &str, ours: &str, tok: Tok<'s>, span: Span, sink: &mut Sink) -> Tok<'s> {
    sink.push(
        Diagnostic::new(
            Code::StrayCharacter,
            span,
            format!("`{slice}` is not an operator of ProgMP"),
        )
        .help(format!("write `{ours}`")),
    );
    tok
}

fn word<'s>(slice: &'s str, span: Span, sink: &mut Sink) -> Tok<'s> {
    if let Some((_, tok)) = KEYWORDS.iter().find(|(text, _)| *text == slice) {
        return *tok;
    }
    if slice.len() > limits::NAME_BYTES {
        sink.push(
            Diagnostic::new(
                Code::NameTooLong,
                span,
                format!("a name of {} bytes", slice.len()),
            )
            .help(format!("a name has at most {} bytes", limits::NAME_BYTES)),
        );
    }
    Tok::Name(slice)
}

fn number<'s>(slice: &str, span: Span, sink: &mut Sink) -> Tok<'s> {
    let value = slice.parse().unwrap_or_else(|_| {
        sink.push(
            Diagnostic::new(
                Code::NumberTooLarge,
                span,
                "this number does not fit in 64 bits",
            )
            .help(format!("the largest number is {}", u64::MAX)),
        );
        0
    });
    Tok::Number(value)
}

fn bad_number<'s>(slice: &str, span: Span, sink: &mut Sink) -> Tok<'s> {
    let shown: String = slice.chars().take(limits::NAME_BYTES).collect();
    let diagnostic = Diagnostic::new(
        Code::BadNumber,
        span,
        format!("`{shown}` is neither a number nor a name"),
    );
    sink.push(if slice.starts_with("0x") || slice.starts_with("0X") {
        diagnostic.help("numbers are decimal")
    } else {
        diagnostic.help("a name does not start with a digit, and a number has digits only")
    });
    Tok::Number(0)
}

fn string<'s>(slice: &'s str, span: Span, sink: &mut Sink) -> Tok<'s> {
    let raw = &slice[1..slice.len() - 1];
    let mut chars = raw.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        let Some((_, escaped)) = chars.next() else {
            break;
        };
        if unescape_char(escaped).is_none() {
            let start = span.start + small(1 + at);
            let escape = Span::new(start, start + small(1 + escaped.len_utf8()));
            let shown = escaped.escape_debug();
            sink.push(
                Diagnostic::new(
                    Code::BadEscape,
                    escape,
                    format!("`\\{shown}` is not an escape"),
                )
                .help("the escapes are `\\\\`, `\\\"`, `\\n`, `\\r` and `\\t`"),
            );
        }
    }
    let length = unescape(raw).len();
    if length > limits::STRING_BYTES {
        sink.push(
            Diagnostic::new(
                Code::StringTooLong,
                span,
                format!("a string of {length} bytes"),
            )
            .help(format!(
                "a string has at most {} bytes",
                limits::STRING_BYTES
            )),
        );
    }
    Tok::String(raw)
}

fn unescape_char(c: char) -> Option<char> {
    match c {
        '\\' | '"' => Some(c),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        _ => None,
    }
}

/// Resolves the escapes of a string without its quotes; those it does not know stay.
pub(crate) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(next) => match unescape_char(next) {
                Some(meant) => out.push(meant),
                None => out.extend(['\\', next]),
            },
            None => out.push('\\'),
        }
    }
    out
}

fn report_stray(run: Option<Span>, text: &str, offset: u32, sink: &mut Sink) {
    let Some(span) = run else { return };
    let found = &text[(span.start - offset) as usize..(span.end - offset) as usize];
    let shown: String = found.chars().take(16).map(visible).collect();
    let one = found.chars().nth(1).is_none();
    let message = if one {
        format!("`{shown}` has no meaning in ProgMP")
    } else {
        format!("`{shown}` have no meaning in ProgMP")
    };
    let diagnostic = Diagnostic::new(Code::StrayCharacter, span, message);
    sink.push(match found.chars().next() {
        Some('\'') => diagnostic.help("strings stand between double quotes: `\"…\"`"),
        Some('[' | ']') => diagnostic.help("the element at an index is `.GET(index)`"),
        Some('&') => diagnostic.help("write `AND`"),
        Some('|') => diagnostic.help("write `OR`"),
        Some('#') => diagnostic.help("a comment is `// …` or `/* … */`"),
        Some('?') => diagnostic.help("write `IF (…) { … } ELSE { … }`"),
        _ => diagnostic,
    });
}

fn visible(c: char) -> String {
    if c.is_control() || (c.is_whitespace() && c != ' ') {
        format!("U+{:04X}", u32::from(c))
    } else {
        c.to_string()
    }
}
