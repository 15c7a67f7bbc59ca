//! Requirements: `/* @require … */` in a file, `--require …` on the command line.
//!
//! In: a comment or an argument. Out: [`Requirement`]s of the program; the
//! predicate of `prefers` is lowered into the program's expressions.

use progmp_ir::{Program, Requirement, RequirementKind, Span};

use crate::check::check_predicate;
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sink};
use crate::lexer::{Lexed, Mode, Tok, Token, lex};
use crate::nesting;
use crate::parser::parse_lambda;
use crate::suggest::closest;

const NAMES: [&str; 7] = [
    "work-conserving",
    "redundancy",
    "no-duplicate-push",
    "backup-only-if-needed",
    "prefers",
    "fair",
    "any-size",
];
const FORMS: &str = "the forms are `work-conserving`, `work-conserving(Q)`, `redundancy <= K`, `no-duplicate-push`, `backup-only-if-needed`, `prefers(s => PREDICATE)`, `fair <= K` and `any-size`";
const WORD: &str = "require";

/// Reads the comments of a file that start with `@require`.
pub(crate) fn of_file(comments: &[Span], text: &str, program: &mut Program, sink: &mut Sink) {
    for comment in comments {
        let Some((word, at)) = annotation(*comment, text) else {
            continue;
        };
        if word == WORD {
            let end = comment.end as usize - closing(*comment, text);
            let body = &text[at..end];
            let offset = u32::try_from(at).expect("files are limited to 1 MiB");
            let place = Span::new(comment.start, comment.end);
            list(&without_stars(body), offset, place, true, program, sink);
        } else if closest(word, [WORD]).is_some() {
            let message = format!("`@{word}` is an ordinary comment");
            let end = u32::try_from(at).expect("files are limited to 1 MiB");
            let length = u32::try_from(word.len()).expect("files are limited to 1 MiB");
            let span = Span::new(end - length - 1, end);
            sink.push(
                Diagnostic::new(Code::MisspeltAnnotation, span, message)
                    .help("did you mean `@require`?"),
            );
        }
    }
}

/// Reads the texts of the command line. Their expressions have empty spans.
pub(crate) fn of_command_line(texts: &[String], program: &mut Program, sink: &mut Sink) {
    for text in texts {
        sink.argument = Some(text.clone());
        let (exprs, vars) = (program.exprs.len(), program.vars.len());
        let length = text.len().min(crate::limits::FILE_BYTES + 1);
        let place = Span::new(0, u32::try_from(length).unwrap_or(0));
        if text.len() > crate::limits::FILE_BYTES {
            sink.push(malformed(place, "a requirement of more than 1 MiB"));
        } else {
            list(text, 0, place, false, program, sink);
        }
        for expr in &mut program.exprs[exprs..] {
            expr.span = Span::default();
        }
        for var in &mut program.vars[vars..] {
            var.span = Span::default();
        }
        sink.argument = None;
    }
}

/// The word after `@` at the start of a comment, and where it ends in the text.
fn annotation(comment: Span, text: &str) -> Option<(&str, usize)> {
    let start = comment.start as usize + 2;
    let end = comment.end as usize - closing(comment, text);
    let inside = text.get(start..end)?;
    let rest = inside.trim_start().strip_prefix('@')?;
    let from = end - rest.len();
    let length = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .unwrap_or(rest.len());
    Some((&rest[..length], from + length))
}

/// How many bytes close a comment.
fn closing(comment: Span, text: &str) -> usize {
    let whole = &text[comment.start as usize..comment.end as usize];
    let closed = whole.len() >= 4 && whole.starts_with("/*") && whole.ends_with("*/");
    if closed { 2 } else { 0 }
}

/// Blanks the `*` with which some write the lines of a comment; lengths stay.
fn without_stars(body: &str) -> String {
    let line = |line: &str| {
        let trimmed = line.trim_start();
        match trimmed.strip_prefix('*') {
            Some(rest) => format!("{} {rest}", &line[..line.len() - trimmed.len()]),
            None => line.to_owned(),
        }
    };
    let mut lines = body.split_inclusive('\n');
    let first = lines.next().unwrap_or("").to_owned();
    lines.fold(first, |text, next| text + &line(next))
}

fn malformed(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::MalformedRequirement, span, message).help(FORMS)
}

/// Requirements between commas.
fn list(
    text: &str,
    offset: u32,
    place: Span,
    in_file: bool,
    program: &mut Program,
    sink: &mut Sink,
) {
    let before = sink.errors();
    let Lexed { tokens, .. } = lex(text, offset, Mode::Requirement, sink);
    if sink.errors() > before || !nesting::check(&tokens, sink) {
        return;
    }
    if tokens.is_empty() {
        sink.push(malformed(place, "nothing is required"));
        return;
    }
    for piece in split(&tokens) {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else {
            sink.push(malformed(place, "a requirement is missing beside a comma"));
            continue;
        };
        let span = first.span.to(last.span);
        let written =
            |span: Span| &text[(span.start - offset) as usize..(span.end - offset) as usize];
        let name_length = name_length(piece);
        if name_length == 0 {
            let message = "the name of a requirement is missing";
            sink.push(malformed(first.span, message));
            continue;
        }
        let name = written(first.span.to(piece[name_length - 1].span));
        let name_span = first.span.to(piece[name_length - 1].span);
        if let Some(kind) = one(name, name_span, &piece[name_length..], span, program, sink) {
            program.requirements.push(Requirement {
                kind,
                text: written(span).to_owned(),
                span: in_file.then_some(span),
            });
        }
    }
}

/// At the commas outside of parentheses.
fn split<'t, 's>(tokens: &'t [Token<'s>]) -> Vec<&'t [Token<'s>]> {
    let mut depth = 0_usize;
    let separates = |token: &Token<'s>| {
        match token.tok {
            Tok::OpenParen => depth += 1,
            Tok::CloseParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.tok == Tok::Comma
    };
    tokens.split(separates).collect()
}

/// How many tokens make a name like `no-duplicate-push`: words and `-` without space between.
fn name_length(piece: &[Token<'_>]) -> usize {
    let is_word = |tok: Tok<'_>| tok.may_be_name() || tok.keyword().is_some();
    let mut length = 0;
    for (at, token) in piece.iter().enumerate() {
        let adjacent = at == 0 || piece[at - 1].span.end == token.span.start;
        let fits = if at % 2 == 0 {
            is_word(token.tok)
        } else {
            token.tok == Tok::Minus
        };
        if !(adjacent && fits) {
            break;
        }
        length = at + 1;
    }
    length
}

/// One requirement: its name and what follows.
fn one(
    name: &str,
    name_span: Span,
    rest: &[Token<'_>],
    span: Span,
    program: &mut Program,
    sink: &mut Sink,
) -> Option<RequirementKind> {
    let simple = match name {
        "work-conserving" => {
            let tokens: Vec<Tok<'_>> = rest.iter().map(|token| token.tok).collect();
            return match tokens[..] {
                [] => Some(RequirementKind::WorkConserving),
                [Tok::OpenParen, Tok::Name("Q"), Tok::CloseParen] => {
                    Some(RequirementKind::WorkConservingQ)
                }
                _ => {
                    let message = "after `work-conserving` stands nothing or `(Q)`";
                    sink.push(malformed(span, message));
                    None
                }
            };
        }
        "redundancy" | "fair" => {
            if let [relation, bound] = rest
                && let (Tok::LessEq, Tok::Number(bound)) = (relation.tok, bound.tok)
            {
                return Some(match name {
                    "fair" => RequirementKind::Fair(bound),
                    _ => RequirementKind::Redundancy(bound),
                });
            }
            let message = format!("after `{name}` stands a bound: `{name} <= 2`");
            sink.push(malformed(span, message));
            return None;
        }
        "prefers" => return prefers(rest, span, program, sink),
        "no-duplicate-push" => RequirementKind::NoDuplicatePush,
        "backup-only-if-needed" => RequirementKind::BackupOnlyIfNeeded,
        "any-size" => RequirementKind::AnySize,
        _ => {
            let message = format!("there is no requirement `{name}`");
            let diagnostic = Diagnostic::new(Code::UnknownRequirement, name_span, message);
            sink.push(match closest(name, NAMES) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic.help(FORMS),
            });
            return None;
        }
    };
    if !rest.is_empty() {
        sink.push(malformed(span, format!("nothing stands after `{name}`")));
        return None;
    }
    Some(simple)
}

fn prefers(
    rest: &[Token<'_>],
    span: Span,
    program: &mut Program,
    sink: &mut Sink,
) -> Option<RequirementKind> {
    let [
        Token {
            tok: Tok::OpenParen,
            ..
        },
        inside @ ..,
        Token {
            tok: Tok::CloseParen,
            ..
        },
    ] = rest
    else {
        let message = "after `prefers` stands a predicate: `prefers(s => !s.IS_BACKUP)`";
        sink.push(malformed(span, message));
        return None;
    };
    if !matches!(inside, [_, arrow, ..] if arrow.tok == Tok::Arrow) {
        let message = "the predicate has the form `s => …`";
        sink.push(malformed(span, message));
        return None;
    }
    let lambda = parse_lambda(inside, sink)?;
    let lambda = check_predicate(&lambda, program, sink)?;
    Some(RequirementKind::Prefers(lambda))
}
