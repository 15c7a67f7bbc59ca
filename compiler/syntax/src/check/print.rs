//! PRINT: the conversions of a format and the arguments they take
//! (LANGUAGE: section 4, rule 10).

use progmp_ir::{PrintArg, Span, Type};

use super::Checker;
use super::expr::{Value, with_article};
use crate::ast::{Expr, ExprKind, Text};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Conversion {
    /// `%d`, `%u`
    Number(char),
    /// `%s`
    Text,
}

impl<'a> Checker<'a, '_> {
    /// The arguments, if each fits its conversion.
    pub(super) fn print(&mut self, format: &Text, args: &'a [Expr]) -> Vec<PrintArg> {
        let conversions = self.conversions(format);
        if let Some(conversions) = &conversions
            && conversions.len() != args.len()
        {
            let message = format!(
                "the format takes {}, and there {}",
                count(conversions.len()),
                match args.len() {
                    0 => "is none".to_owned(),
                    1 => "is 1".to_owned(),
                    more => format!("are {more}"),
                }
            );
            let span = args
                .get(conversions.len())
                .map_or(format.span, |extra| extra.span);
            self.sink
                .push(Diagnostic::new(Code::FormatArguments, span, message));
        }
        let mut conversions = conversions.into_iter().flatten();
        args.iter()
            .filter_map(|arg| self.print_argument(conversions.next(), arg))
            .collect()
    }

    /// `None` if the format is wrong.
    fn conversions(&mut self, format: &Text) -> Option<Vec<Conversion>> {
        let mut found = Vec::new();
        let mut right = true;
        let mut chars = format.value.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                continue;
            }
            let message = match chars.next() {
                Some('%') => continue,
                Some(c @ ('d' | 'u')) => {
                    found.push(Conversion::Number(c));
                    continue;
                }
                Some('s') => {
                    found.push(Conversion::Text);
                    continue;
                }
                Some(other) => format!("`%{}` is not a conversion", other.escape_debug()),
                None => "a single `%` at the end of a format".to_owned(),
            };
            right = false;
            self.sink.push(
                Diagnostic::new(Code::BadFormat, format.span, message)
                    .help("the conversions are `%d`, `%u`, `%s` and `%%`"),
            );
        }
        right.then_some(found)
    }

    fn print_argument(
        &mut self,
        conversion: Option<Conversion>,
        arg: &'a Expr,
    ) -> Option<PrintArg> {
        if let ExprKind::Text(text) = &arg.without_parens().kind {
            if let Some(Conversion::Number(c)) = conversion {
                self.misfit(arg.span, format!("`%{c}` takes a number, not a string"));
            }
            return Some(PrintArg::Text(text.clone()));
        }
        let value = match self.expr(arg) {
            Value::Typed(value) => value,
            Value::Null(at) => self.arena.null(Type::Int, at),
            Value::Text(_) | Value::Broken => return None,
        };
        match conversion {
            Some(Conversion::Text) => {
                self.misfit(arg.span, "`%s` takes a string literal".to_owned());
            }
            Some(Conversion::Number(c)) => {
                let ty = self.arena.ty(value);
                if let Type::List(_) = ty {
                    let message = format!("`%{c}` does not print {}", with_article(ty));
                    self.misfit(arg.span, message);
                }
            }
            None => {}
        }
        Some(PrintArg::Value(value))
    }

    fn misfit(&mut self, span: Span, message: String) {
        self.sink.push(
            Diagnostic::new(Code::FormatArguments, span, message).help(
                "`%d` and `%u` print an int, a bool, a subflow, a packet or NULL; `%s` a string literal",
            ),
        );
    }
}

fn count(arguments: usize) -> String {
    match arguments {
        0 => "no argument".to_owned(),
        1 => "1 argument".to_owned(),
        more => format!("{more} arguments"),
    }
}
