//! Tokens to a tree, with every syntax mistake reported.
//!
//! First the whole file is given to the grammar. Only if that fails is it cut
//! into pieces that end at `;`, `{`, `}` or before a word that starts a
//! statement. Each piece is parsed alone, with braces to complete it; one that
//! fails gives one diagnostic and is replaced by a token that stands for a broken
//! statement. Then the whole file is parsed again, so that what is right around
//! a mistake is checked too. The work is linear in the size of the file.

use std::convert::Infallible;

use lalrpop_util::ParseError;
use progmp_ir::Span;

use crate::ast::{Lambda, Name, Stmt};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sink};
use crate::grammar::{BodyParser, LambdaParser};
use crate::lexer::{Lexed, Tok, Token};
use crate::nesting::too_high;
use crate::node::{Build, name};
use crate::syntax_error::{Failure, report};

/// The statements of a file. A piece that is wrong is a broken statement. `None` if so
/// much is wrong that the file was not read to its end.
pub(crate) fn parse(lexed: &Lexed<'_>, text: &str, sink: &mut Sink) -> Option<Vec<Stmt>> {
    let mut build = Build::default();
    let parsed = match body(&lexed.tokens, &build) {
        Ok(stmts) => Some(stmts),
        Err(failure) => {
            let before = sink.errors();
            let mut pieces = Pieces {
                lexed,
                text,
                sink,
                tokens: Vec::new(),
                broken: Vec::new(),
                start: 0,
                blocks: Vec::new(),
                after_if: false,
            };
            let whole = pieces.cut();
            let tokens = pieces.tokens;
            build = Build::default();
            build.broken = pieces.broken;
            if !whole {
                sink.stop();
                return None;
            }
            let mended = body(&tokens, &build);
            if mended.is_err() && sink.errors() == before {
                // Each piece parses alone, but not the whole: tell what the grammar said.
                report(&failure, &lexed.tokens, None, sink);
            }
            mended.ok()
        }
    };
    for span in build.too_high.take() {
        sink.push(too_high(span));
    }
    parsed
}

/// `x => e`, and nothing else, from the text of a requirement.
pub(crate) fn parse_lambda(tokens: &[Token<'_>], sink: &mut Sink) -> Option<Lambda> {
    let build = Build::default();
    let parsed = LambdaParser::new()
        .parse(&build, feed(tokens))
        .map_err(|error| Failure::new(error, tokens));
    let lambda = match parsed {
        Ok(lambda) => lambda,
        Err(failure) => {
            report(&failure, tokens, None, sink);
            return None;
        }
    };
    let heights = build.too_high.take();
    for span in &heights {
        sink.push(too_high(*span));
    }
    heights.is_empty().then_some(lambda)
}

fn feed<'t, 's>(
    tokens: &'t [Token<'s>],
) -> impl Iterator<Item = Result<(u32, Tok<'s>, u32), Infallible>> + use<'t, 's> {
    let triple = |token: &Token<'s>| Ok((token.span.start, token.tok, token.span.end));
    tokens.iter().map(triple)
}

fn body(tokens: &[Token<'_>], build: &Build) -> Result<Vec<Stmt>, Failure> {
    let parsed = BodyParser::new().parse(build, feed(tokens));
    parsed.map_err(|error: ParseError<u32, Tok<'_>, Infallible>| Failure::new(error, tokens))
}

/// What the grammar says to a piece.
enum Fit<'s> {
    Right,
    /// One token was missing, which has been reported; here it is added.
    Mended(Vec<Token<'s>>),
    /// Reported.
    Wrong,
}

/// The file, cut into pieces.
struct Pieces<'a, 's> {
    lexed: &'a Lexed<'s>,
    text: &'a str,
    sink: &'a mut Sink,
    /// What the second parse reads.
    tokens: Vec<Token<'s>>,
    /// For each broken piece, the names that it seems to declare.
    broken: Vec<Vec<Name>>,
    /// Where the current piece starts.
    start: usize,
    /// Open blocks: the token of `{`, and whether an ELSE may follow its `}`.
    blocks: Vec<(usize, bool)>,
    /// An ELSE may stand here.
    after_if: bool,
}

impl<'s> Pieces<'_, 's> {
    /// False if there were too many mistakes to go on.
    fn cut(&mut self) -> bool {
        let tokens = &self.lexed.tokens;
        let mut parens = 0_usize;
        for (at, token) in tokens.iter().enumerate() {
            if self.sink.is_full() {
                return false;
            }
            if at > self.start && self.starts_statement(at, parens) {
                self.statement(at);
                parens = 0;
            }
            match token.tok {
                Tok::OpenParen => parens += 1,
                Tok::CloseParen => parens = parens.saturating_sub(1),
                Tok::Semicolon => {
                    self.statement(at + 1);
                    parens = 0;
                }
                Tok::OpenBrace => {
                    let may_have_else = self.head(at);
                    self.blocks.push((at, may_have_else));
                    self.tokens.push(*token);
                    self.start = at + 1;
                    parens = 0;
                }
                Tok::CloseBrace => {
                    if self.start < at {
                        self.statement(at);
                    }
                    self.start = at + 1;
                    parens = 0;
                    match self.blocks.pop() {
                        Some((_, may_have_else)) => {
                            self.tokens.push(*token);
                            self.after_if = may_have_else;
                        }
                        None => self.sink.push(
                            Diagnostic::new(Code::StrayBrace, token.span, "a `}` without a `{`")
                                .help("remove it, or look for a missing `{` above"),
                        ),
                    }
                }
                _ => {}
            }
        }
        if self.start < tokens.len() {
            self.statement(tokens.len());
        }
        self.close_blocks();
        true
    }

    /// Whether the token at `at`, which is not the first of its piece, starts a new one.
    fn starts_statement(&self, at: usize, parens: usize) -> bool {
        let tokens = &self.lexed.tokens;
        let previous = tokens[at - 1];
        match tokens[at].tok {
            Tok::Else
            | Tok::Foreach
            | Tok::Set
            | Tok::Drop
            | Tok::Print
            | Tok::Return
            | Tok::Scheduler => true,
            Tok::If => previous.tok != Tok::Else,
            Tok::Var => {
                let before = tokens[self.start..at].iter().map(|token| token.tok);
                !before.clone().eq([Tok::Foreach]) && !before.eq([Tok::Foreach, Tok::OpenParen])
            }
            Tok::Define => matches!(tokens.get(at + 1), Some(next) if next.tok.may_be_name()),
            // Two operands side by side, on two lines: a `;` is missing between them.
            tok if parens == 0 && (tok.may_be_name() || tok == Tok::OpenParen) => {
                let operand = previous.tok.may_be_name() && tok != Tok::OpenParen
                    || matches!(
                        previous.tok,
                        Tok::CloseParen | Tok::Number(_) | Tok::String(_)
                    );
                let first = tokens[self.start].tok;
                let gap = previous.span.end as usize..tokens[at].span.start as usize;
                operand
                    && !matches!(first, Tok::Define | Tok::If | Tok::Foreach | Tok::Else)
                    && self.text[gap].contains('\n')
            }
            _ => false,
        }
    }

    /// A statement without a block ends before the token at `end`.
    fn statement(&mut self, end: usize) {
        let range = self.start..end;
        let piece = &self.lexed.tokens[range.clone()];
        let after_if = std::mem::take(&mut self.after_if);
        self.start = end;
        let is_else = piece[0].tok == Tok::Else;
        match self.fit(piece, &[], is_else, after_if, end) {
            Fit::Right => self.tokens.extend_from_slice(piece),
            Fit::Mended(mended) => self.tokens.extend(mended),
            Fit::Wrong => self.replace(piece),
        }
    }

    /// The head of a block ends before the `{` at `brace`; whether an ELSE may follow the block.
    fn head(&mut self, brace: usize) -> bool {
        let piece = &self.lexed.tokens[self.start..brace];
        let after_if = std::mem::take(&mut self.after_if);
        let here = self.lexed.tokens[brace].span;
        let block = [Tok::OpenBrace, Tok::CloseBrace].map(|tok| Token { tok, span: here });
        let first = piece.first().map(|token| token.tok);
        let is_else = first == Some(Tok::Else);
        match self.fit(piece, &block, is_else, after_if, brace) {
            Fit::Right => self.tokens.extend_from_slice(piece),
            Fit::Mended(mended) => self.tokens.extend(mended),
            Fit::Wrong => {
                self.replace(piece);
                self.tokens.push(Token {
                    tok: Tok::BrokenHead,
                    span: piece.first().map_or(here, |first| first.span),
                });
                return true;
            }
        }
        match first {
            Some(Tok::If) => true,
            Some(Tok::Else) => piece.len() > 1,
            _ => false,
        }
    }

    /// Whether the grammar takes the piece, completed by `block`; if not, says why.
    fn fit(
        &mut self,
        piece: &[Token<'s>],
        block: &[Token<'s>],
        is_else: bool,
        after_if: bool,
        next: usize,
    ) -> Fit<'s> {
        if piece.iter().any(|token| token.tok == Tok::Error) {
            return Fit::Wrong;
        }
        if is_else && !after_if {
            self.sink.push(
                Diagnostic::new(
                    Code::ElseWithoutIf,
                    piece[0].span,
                    "an ELSE without an IF before it",
                )
                .help("ELSE follows the `}` of an IF directly"),
            );
            return Fit::Wrong;
        }
        let at = piece.first().or(block.first()).map(|token| token.span);
        let place = at.map_or(Span::default(), |span| Span::new(span.start, span.start));
        let mut completed = Vec::with_capacity(piece.len() + 8);
        if is_else {
            let head = [
                Tok::If,
                Tok::OpenParen,
                Tok::True,
                Tok::CloseParen,
                Tok::OpenBrace,
                Tok::CloseBrace,
            ];
            completed.extend(head.map(|tok| Token { tok, span: place }));
        }
        let added = completed.len();
        completed.extend_from_slice(piece);
        completed.extend_from_slice(block);
        let Err(mut failure) = body(&completed, &Build::default()) else {
            return Fit::Right;
        };
        if self.lexed.cut && next == self.lexed.tokens.len() {
            return Fit::Wrong;
        }
        let at = failure.at;
        failure.at -= added;
        let next = self.lexed.tokens.get(next);
        let missing = match report(&failure, piece, next, self.sink) {
            Code::MissingSemicolon => Tok::Semicolon,
            Code::UnclosedParenthesis => Tok::CloseParen,
            _ => return Fit::Wrong,
        };
        // With what is missing, the rest of the piece can be checked.
        let before = completed[at - 1].span.end;
        completed.insert(
            at,
            Token {
                tok: missing,
                span: Span::new(before, before),
            },
        );
        match body(&completed, &Build::default()) {
            Ok(_) => {
                completed.truncate(completed.len() - block.len());
                Fit::Mended(completed.split_off(added))
            }
            Err(_) => Fit::Wrong,
        }
    }

    fn replace(&mut self, piece: &[Token<'s>]) {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else {
            return;
        };
        let number = u32::try_from(self.broken.len()).expect("pieces are fewer than bytes");
        self.broken.push(declared(piece));
        self.tokens.push(Token {
            tok: Tok::Broken(number),
            span: first.span.to(last.span),
        });
    }

    /// At the end of the file.
    fn close_blocks(&mut self) {
        let Some(&(outermost, _)) = self.blocks.first() else {
            return;
        };
        let end = self.lexed.tokens.last().map_or(0, |token| token.span.end);
        let span = Span::new(end, end);
        if !self.lexed.cut {
            let count = self.blocks.len();
            let open = self.lexed.tokens[outermost].span;
            let message = if count == 1 {
                "a `{` without a `}`".to_owned()
            } else {
                format!("{count} blocks are still open at the end of the file")
            };
            let mut diagnostic = Diagnostic::new(Code::UnclosedBlock, open, message);
            if let [.., (innermost, _)] = self.blocks[1..] {
                let span = self.lexed.tokens[innermost].span;
                diagnostic = diagnostic.label(span, "the innermost of them");
            }
            self.sink
                .push(diagnostic.help("add a `}` where the block ends"));
        }
        let close = Token {
            tok: Tok::CloseBrace,
            span,
        };
        self.tokens.extend(self.blocks.drain(..).map(|_| close));
    }
}

/// The names that a broken piece seems to declare: what follows VAR or AS, and in
/// a VAR statement what stands before `=`.
fn declared(piece: &[Token<'_>]) -> Vec<Name> {
    let is_var = piece[0].tok == Tok::Var;
    let mut names = Vec::new();
    for (at, token) in piece.iter().enumerate() {
        let Tok::Name(text) = token.tok else { continue };
        let before = at.checked_sub(1).map(|before| piece[before].tok);
        let after = piece.get(at + 1).map(|after| after.tok);
        let declares = matches!(before, Some(Tok::Var | Tok::UpperAs | Tok::LowerAs))
            || is_var && after == Some(Tok::Assign);
        if declares {
            names.push(name(text, token.span.start, token.span.end));
        }
    }
    names
}
