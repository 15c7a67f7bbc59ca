//! The front end of ProgMP: text to [`Program`], or to all that is wrong with it.
//!
//! In: the bytes of a file and the requirements of the command line. Out: the
//! tree as written, the [`Program`] that every other crate reads, and
//! [`Diagnostic`]s. The language is that of specs/grammar.md, sections 1 to 3.
//! What a program means, and whether it is any good, is for others to say.

pub mod ast;
pub mod codes;
pub mod limits;

mod check;
mod diagnostic;
mod erase;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod lexer;
mod lower;
mod nesting;
mod node;
mod parser;
mod render;
mod require;
mod source;
mod suggest;
mod syntax_error;

#[allow(missing_docs, unused, unreachable_pub, clippy::all, clippy::pedantic)]
mod grammar {
    include!(concat!(env!("OUT_DIR"), "/grammar.rs"));
}

pub use codes::Code;
pub use diagnostic::{Diagnostic, Severity};
pub use format::format;
pub use progmp_ir::{Program, Span};
pub use render::render;
pub use source::{Position, SourceFile};

use ast::{Stmt, StmtKind};
use diagnostic::Sink;
use lexer::{Lexed, Mode};

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The text that spans refer to, as [`render()`] needs it; empty if the file is too large.
    pub source: SourceFile,
    /// There unless a diagnostic is an error.
    pub program: Option<Program>,
    /// There if the text follows the grammar, whether or not its names and types are right.
    pub ast: Option<ast::File>,
    /// Every mistake, in the order of the text; those of the command line last.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the scheduler in a file called `name`.
///
/// `require` are requirements beyond those of the file, as the command line gives
/// them. Spans count bytes of [`Parsed::source`].
pub fn parse(name: &str, bytes: &[u8], require: &[String]) -> Parsed {
    let mut sink = Sink::default();
    let (source, (ast, program)) = match text(bytes, &mut sink) {
        Some(text) => (SourceFile::new(name, text), read(text, require, &mut sink)),
        None if bytes.len() > limits::FILE_BYTES => (SourceFile::new(name, ""), (None, None)),
        None => (SourceFile::from_bytes(name, bytes), (None, None)),
    };
    let program = program.filter(|_| sink.errors() == 0);
    Parsed {
        source,
        program,
        ast,
        diagnostics: sink.finish(),
    }
}

fn read(text: &str, require: &[String], sink: &mut Sink) -> (Option<ast::File>, Option<Program>) {
    let lexed = lexer::lex(text, 0, Mode::File, sink);
    if lexed.tokens.is_empty() && !lexed.cut {
        let message = "there is no statement in this file";
        sink.push(
            Diagnostic::new(Code::EmptyFile, Span::default(), message)
                .help("a scheduler that does nothing is `RETURN;`"),
        );
        return (None, None);
    }
    if !nesting::check(&lexed.tokens, sink) {
        return (None, None);
    }
    let Some(file) = file(&lexed, text, sink) else {
        return (None, None);
    };
    let follows_grammar = sink.errors() == 0;
    let mut program = check::check(&file, sink);
    require::of_file(&lexed.comments, text, &mut program, sink);
    require::of_command_line(require, &mut program, sink);
    (follows_grammar.then_some(file), Some(program))
}

/// The bytes as text, if they are a text of a size that we read.
fn text<'b>(bytes: &'b [u8], sink: &mut Sink) -> Option<&'b str> {
    if bytes.len() > limits::FILE_BYTES {
        let message = format!(
            "a file of {} bytes; the limit is {}",
            bytes.len(),
            limits::FILE_BYTES
        );
        sink.push(Diagnostic::new(
            Code::FileTooLarge,
            Span::default(),
            message,
        ));
        return None;
    }
    let place = |at: usize, length: u32| {
        let start = u32::try_from(at).expect("the size is checked above");
        Span::new(start, start + length)
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let message = format!("byte {at} of this file is not UTF-8");
            // U+FFFD, which is shown there, has three bytes.
            let diagnostic = Diagnostic::new(Code::NotUtf8, place(at, 3), message);
            sink.push(match bytes {
                [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => diagnostic.help("it seems to be UTF-16"),
                [0x7f, b'E', b'L', b'F', ..] => diagnostic
                    .help("this is an object, and not the scheduler that it was made from"),
                _ => diagnostic.help("convert the file to UTF-8"),
            });
            return None;
        }
    };
    if let Some(at) = text.find('\0') {
        let message = "a NUL byte";
        sink.push(
            Diagnostic::new(Code::NulByte, place(at, 1), message)
                .help("is this a text file in UTF-8?"),
        );
        return None;
    }
    Some(text)
}

fn file(lexed: &Lexed<'_>, text: &str, sink: &mut Sink) -> Option<ast::File> {
    let mut body = parser::parse(lexed, text, sink)?;
    let mut header = None;
    if let Some(Stmt {
        kind: StmtKind::Header(name),
        ..
    }) = body.first()
    {
        header = Some(name.clone());
        body.remove(0);
    }
    Some(ast::File {
        header,
        body,
        comments: lexed.comments.clone(),
    })
}
