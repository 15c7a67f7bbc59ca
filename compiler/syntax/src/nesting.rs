//! Limits that are checked on tokens, before anything is built.
//!
//! The parser keeps open brackets and prefix operators on its stack, and later
//! passes recurse over blocks: both are bounded here.

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sink};
use crate::lexer::{Tok, Token};
use crate::limits;

/// Reports what is nested too deep; false if there was such a thing.
pub(crate) fn check(tokens: &[Token<'_>], sink: &mut Sink) -> bool {
    let before = sink.errors();
    let (mut braces, mut parens, mut bangs) = (0_usize, 0_usize, 0_usize);
    for token in tokens {
        match token.tok {
            // Parentheses do not reach across these.
            Tok::Semicolon => parens = 0,
            Tok::OpenBrace => {
                parens = 0;
                braces += 1;
            }
            Tok::CloseBrace => {
                parens = 0;
                braces = braces.saturating_sub(1);
            }
            Tok::OpenParen => parens += 1,
            Tok::CloseParen => parens = parens.saturating_sub(1),
            _ => {}
        }
        if braces + parens > limits::NESTING {
            let message = format!("brackets are nested more than {} deep", limits::NESTING);
            sink.push(
                Diagnostic::new(Code::TooDeep, token.span, message)
                    .help("name a part with VAR, or join conditions with AND"),
            );
            return false;
        }
        bangs = if token.tok == Tok::Bang { bangs + 1 } else { 0 };
        if bangs == usize::from(limits::HEIGHT) {
            sink.push(too_high(token.span));
        }
    }
    sink.errors() == before
}

/// A tree grew past the limit at this place.
pub(crate) fn too_high(span: progmp_ir::Span) -> Diagnostic {
    let message = format!("a statement of more than {} levels", limits::HEIGHT);
    Diagnostic::new(Code::TooHigh, span, message).help("split it with VAR")
}
