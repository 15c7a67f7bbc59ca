//! `progmp fmt`: one way to lay a scheduler out.
//!
//! In: a tree and its text. Out: the same tokens and comments with the spaces and
//! line breaks of the house: four spaces for a block, one statement on a line,
//! lines of at most 100 columns where there is a place to break them. What comes
//! out depends on the tokens, on which comments stand beside something and on where
//! blank lines are, and all of that is kept: formatting twice changes nothing more.

use std::fmt::Write;

use crate::ast::{File, Span};
use crate::diagnostic::Sink;
use crate::lexer::{Mode, Tok, Token, lex};
use crate::syntax_error::symbol;

/// Columns of a line.
const WIDTH: usize = 100;
/// Columns of one level.
const INDENT: usize = 4;

/// Lays out the text that `ast` was parsed from.
///
/// # Panics
/// If `ast` was parsed from another text.
pub fn format(ast: &File, source: &str) -> String {
    let tokens = lex(source, 0, Mode::File, &mut Sink::default()).tokens;
    let mut writer = Writer {
        out: String::new(),
        line: Vec::new(),
        level: 0,
        blank: false,
        may_blank: false,
    };
    let elements = elements(&tokens, &ast.comments, source);
    for (at, element) in elements.iter().enumerate() {
        writer.element(element, elements.get(at + 1));
    }
    writer.end_line();
    writer.out
}

/// A token or a comment with its text.
struct Element<'s> {
    /// `None` for a comment.
    tok: Option<Tok<'s>>,
    text: String,
    /// Line breaks before it in the source.
    breaks: usize,
}

impl Element<'_> {
    fn is(&self, tok: Tok<'_>) -> bool {
        self.tok == Some(tok)
    }
}

fn elements<'s>(tokens: &[Token<'s>], comments: &[Span], source: &'s str) -> Vec<Element<'s>> {
    let tokens = tokens.iter().map(|token| (token.span, Some(token.tok)));
    let comments = comments.iter().map(|span| (*span, None));
    let mut all: Vec<_> = tokens.chain(comments).collect();
    all.sort_by_key(|(span, _)| span.start);
    let mut end = 0;
    let mut element = |(span, tok): (Span, Option<Tok<'s>>)| {
        let (start, stop) = (span.start as usize, span.end as usize);
        // A comment in the middle of `= >` comes after it.
        let before = source.get(end..start).unwrap_or("");
        end = end.max(stop);
        let text = match tok {
            Some(tok) => text_of(tok),
            None => source[start..stop].trim_end().to_owned(),
        };
        let breaks = before.matches('\n').count();
        Element { tok, text, breaks }
    };
    all.drain(..).map(&mut element).collect()
}

fn text_of(tok: Tok<'_>) -> String {
    if let Some(keyword) = tok.keyword() {
        return keyword.to_owned();
    }
    match tok {
        Tok::Name(name) => name.to_owned(),
        Tok::Number(value) => value.to_string(),
        Tok::String(raw) => format!("\"{raw}\""),
        other => symbol(other).to_owned(),
    }
}

/// One element of a line, and how it may be set.
struct Piece<'s> {
    tok: Option<Tok<'s>>,
    text: String,
    space: bool,
    /// Parentheses open before it.
    depth: usize,
    /// It stands on a new line whatever the width.
    forced: bool,
}

struct Writer<'s> {
    out: String,
    line: Vec<Piece<'s>>,
    /// Blocks around the line.
    level: usize,
    /// The source has a blank line before this line.
    blank: bool,
    /// A blank line may stand here: not at the start of the file or of a block.
    may_blank: bool,
}

impl<'s> Writer<'s> {
    fn element(&mut self, element: &Element<'s>, next: Option<&Element<'s>>) {
        let is_comment = element.tok.is_none();
        if self.line.is_empty() {
            if is_comment && element.breaks == 0 && !self.out.is_empty() {
                // Beside what stands before it.
                self.out.truncate(self.out.trim_end().len());
                let _ = writeln!(self.out, " {}", element.text);
                return;
            }
            self.blank = element.breaks > 1;
        }
        if element.is(Tok::CloseBrace) {
            self.level = self.level.saturating_sub(1);
            self.blank = false;
        }
        self.push(element);
        let next_is = |tok: Tok<'_>| next.is_some_and(|next| next.is(tok));
        let ends = match element.tok {
            // A comment between statements has its own line.
            None => self.line.len() == 1,
            Some(Tok::Semicolon) => true,
            Some(Tok::OpenBrace) => !next_is(Tok::CloseBrace),
            Some(Tok::CloseBrace) => !next_is(Tok::Else),
            Some(_) => false,
        };
        if ends {
            self.end_line();
        }
        if element.is(Tok::OpenBrace) {
            self.level += 1;
            self.may_blank = false;
        }
    }

    fn push(&mut self, element: &Element<'s>) {
        let previous = self.line.last();
        let depth = previous.map_or(0, |previous| {
            previous.depth + usize::from(previous.tok == Some(Tok::OpenParen))
        });
        let depth = depth.saturating_sub(usize::from(element.is(Tok::CloseParen)));
        self.line.push(Piece {
            tok: element.tok,
            text: element.text.clone(),
            space: previous.is_some_and(|previous| spaced(previous.tok, element.tok)),
            depth,
            forced: previous
                .is_some_and(|previous| previous.tok.is_none() && previous.text.starts_with("//")),
        });
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return;
        }
        if self.blank && self.may_blank {
            self.out.push('\n');
        }
        // `{` has raised the level only after its line is written.
        self.set(&line, self.level);
        self.out.push('\n');
        self.may_blank = true;
    }

    /// Writes pieces at this level, on one line if they fit.
    fn set(&mut self, pieces: &[Piece<'_>], level: usize) {
        let mut stack = vec![(pieces, level, true)];
        while let Some((pieces, level, first)) = stack.pop() {
            if !first {
                self.out.push('\n');
            }
            let parts = breaks(pieces, level);
            if parts.is_empty() {
                self.out.extend(std::iter::repeat_n(' ', level * INDENT));
                for (at, piece) in pieces.iter().enumerate() {
                    if piece.space && at > 0 {
                        self.out.push(' ');
                    }
                    self.out.push_str(&piece.text);
                }
                continue;
            }
            let starts = std::iter::once(0).chain(parts.iter().copied());
            let ends = parts.iter().copied().chain([pieces.len()]);
            let lines: Vec<_> = starts.zip(ends).collect();
            for (at, (start, end)) in lines.into_iter().enumerate().rev() {
                let level = level + usize::from(at > 0);
                stack.push((&pieces[start..end], level, first && at == 0));
            }
        }
    }
}

/// Where a line is broken: nowhere if it fits, else at the outermost places of one kind.
fn breaks(pieces: &[Piece<'_>], level: usize) -> Vec<usize> {
    let forced = |at: usize| (pieces[at].forced).then_some(at);
    let all_forced: Vec<usize> = (1..pieces.len()).filter_map(forced).collect();
    if !all_forced.is_empty() {
        return all_forced;
    }
    let width = |piece: &Piece<'_>| piece.text.chars().count() + usize::from(piece.space);
    let total: usize = level * INDENT + pieces.iter().map(width).sum::<usize>();
    if total <= WIDTH {
        return Vec::new();
    }
    let kinds: Vec<_> = (1..pieces.len())
        .filter_map(|at| Some((pieces[at].depth, kind(pieces, at)?, at)))
        .collect();
    let mut classes: Vec<_> = kinds
        .iter()
        .map(|(depth, kind, _)| (*depth, *kind))
        .collect();
    classes.sort_unstable();
    classes.dedup();
    let places = |class: (usize, Kind)| -> Vec<usize> {
        let of_class = kinds
            .iter()
            .filter(|(depth, kind, _)| (*depth, *kind) == class);
        of_class.map(|(.., at)| *at).collect()
    };
    let mut options = classes.into_iter().map(|class| (class.1, places(class)));
    // One method alone is not worth a line.
    let chosen = options.find(|(kind, places)| *kind != Kind::Method || places.len() > 1);
    chosen.map_or(Vec::new(), |(_, places)| places)
}

/// Places where a line may be broken, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    AfterComma,
    Or,
    And,
    Method,
}

fn kind(pieces: &[Piece<'_>], at: usize) -> Option<Kind> {
    match pieces[at].tok {
        Some(Tok::Or) => Some(Kind::Or),
        Some(Tok::And) => Some(Kind::And),
        Some(Tok::Dot) if pieces.get(at + 2)?.tok == Some(Tok::OpenParen) => Some(Kind::Method),
        Some(_) if pieces[at - 1].tok == Some(Tok::Comma) => Some(Kind::AfterComma),
        _ => None,
    }
}

/// Whether a space stands between two neighbours on a line.
fn spaced(left: Option<Tok<'_>>, right: Option<Tok<'_>>) -> bool {
    let Some(right) = right else {
        return left != Some(Tok::OpenParen);
    };
    let Some(left) = left else {
        return !matches!(right, Tok::CloseParen | Tok::Comma | Tok::Semicolon);
    };
    match (left, right) {
        (Tok::OpenParen | Tok::Dot | Tok::Bang, _)
        | (_, Tok::CloseParen | Tok::Comma | Tok::Semicolon | Tok::Dot)
        | (Tok::OpenBrace, Tok::CloseBrace)
        | (Tok::Push | Tok::SetUser | Tok::Set | Tok::Drop | Tok::Print, Tok::OpenParen) => false,
        (left, Tok::OpenParen) => !left.may_be_name(),
        _ => true,
    }
}
