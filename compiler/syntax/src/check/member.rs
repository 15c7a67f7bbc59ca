//! What follows a dot: properties of subflows and packets, operations of lists.

use progmp_ir::{ExprId, ExprKind, Extremum, Kind, PacketInt, SubflowBool, SubflowInt, Type};

use super::expr::{Value, with_article};
use super::{Checker, Pop};
use crate::ast::{Arg, Expr, Name, Span};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::lower::element;
use crate::suggest::closest;

/// A property or method of subflows.
#[derive(Clone, Copy)]
enum OfSubflow {
    Int(SubflowInt),
    Bool(SubflowBool),
    HasWindowFor,
}

impl OfSubflow {
    fn named(name: &str) -> Option<Self> {
        let int = SubflowInt::from_name(name).map(Self::Int);
        let bool = || SubflowBool::from_name(name).map(Self::Bool);
        let method = || (name == "HAS_WINDOW_FOR").then_some(Self::HasWindowFor);
        int.or_else(bool).or_else(method)
    }

    fn names() -> impl Iterator<Item = &'static str> {
        let properties = SubflowInt::SPELLINGS.iter().chain(SubflowBool::SPELLINGS);
        properties.copied().chain(["HAS_WINDOW_FOR"])
    }
}

/// A property or method of packets.
#[derive(Clone, Copy)]
enum OfPacket {
    Int(PacketInt),
    Psh,
    SentOn,
    SentOnAll,
}

impl OfPacket {
    fn named(name: &str) -> Option<Self> {
        match name {
            "PSH" => Some(Self::Psh),
            "SENT_ON" => Some(Self::SentOn),
            "SENT_ON_ALL" => Some(Self::SentOnAll),
            other => PacketInt::from_name(other).map(Self::Int),
        }
    }

    fn names() -> impl Iterator<Item = &'static str> {
        let properties = PacketInt::SPELLINGS.iter().copied();
        properties.chain(["PSH", "SENT_ON", "SENT_ON_ALL"])
    }
}

/// An operation of lists that is an expression. (POP is none.)
#[derive(Clone, Copy)]
enum OfList {
    Empty,
    Count,
    Filter,
    Get,
    Extremum(Extremum),
    Sum,
    First,
    Last,
}

const LIST_NAMES: [&str; 10] = [
    "EMPTY", "COUNT", "FILTER", "GET", "MIN", "MAX", "SUM", "TOP", "FIRST", "LAST",
];

impl OfList {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "EMPTY" => Self::Empty,
            "COUNT" => Self::Count,
            "FILTER" => Self::Filter,
            "GET" => Self::Get,
            "MIN" => Self::Extremum(Extremum::Min),
            "MAX" => Self::Extremum(Extremum::Max),
            "SUM" => Self::Sum,
            "TOP" | "FIRST" => Self::First,
            "LAST" => Self::Last,
            _ => return None,
        })
    }
}

impl<'a> Checker<'a, '_> {
    /// `receiver.name` or `receiver.name(args)`, where the receiver is `value`.
    pub(super) fn member(
        &mut self,
        value: Value,
        receiver: &'a Expr,
        name: &'a Name,
        args: Option<&'a [Arg]>,
        span: Span,
    ) -> Value {
        if self.is_effect(name) {
            for arg in args.into_iter().flatten() {
                match arg {
                    // The POP would be right if the PUSH were.
                    Arg::Expr(expr) if !matches!(self.pop(expr), Pop::No) => {}
                    Arg::Expr(expr) => {
                        self.expr(expr);
                    }
                    Arg::Lambda(_) => {}
                }
            }
            return Value::Broken;
        }
        let text = &*name.text;
        let lowered = match value {
            Value::Broken => {
                self.arguments_of_broken(args);
                None
            }
            Value::Text(at) => {
                self.string_outside_print(at);
                None
            }
            Value::Null(at) => self.of_null(at, name, args, span),
            Value::Typed(id) => match self.arena.ty(id) {
                Type::Subflow => match OfSubflow::named(text) {
                    Some(member) => self.of_subflow(member, id, name, args, span),
                    None => self.unknown(name, receiver, Type::Subflow),
                },
                Type::Packet => match OfPacket::named(text) {
                    Some(member) => self.of_packet(member, id, name, args, span),
                    None => self.unknown(name, receiver, Type::Packet),
                },
                Type::List(source) => match OfList::named(text) {
                    Some(member) => self.of_list(member, id, name, args, span),
                    None => self.unknown(name, receiver, Type::List(source)),
                },
                ty @ (Type::Int | Type::Bool) => self.unknown(name, receiver, ty),
            },
        };
        lowered.map_or(Value::Broken, Value::Typed)
    }

    /// Reports POP, PUSH and SET_USER inside an expression.
    fn is_effect(&mut self, name: &Name) -> bool {
        let diagnostic = match &*name.text {
            "POP" => Diagnostic::new(
                Code::PopInExpression,
                name.span,
                "POP takes a packet, and an expression must not",
            )
            .help(
                "take it first, `VAR packet = ….POP();`, or look at it without taking it, `.TOP`",
            ),
            "PUSH" | "SET_USER" => {
                let message = format!("{} is a statement and has no value", name.text);
                Diagnostic::new(Code::EffectInExpression, name.span, message)
                    .help(format!("write `subflow.{}(…);` on its own", name.text))
            }
            _ => return false,
        };
        self.sink.push(diagnostic);
        true
    }

    /// Mistakes in the arguments of something that is itself wrong. What lambdas say
    /// of their parameter is not known then.
    fn arguments_of_broken(&mut self, args: Option<&'a [Arg]>) {
        for arg in args.into_iter().flatten() {
            if let Arg::Expr(expr) = arg {
                self.expr(expr);
            }
        }
    }

    /// A property of NULL is that of whatever has a property of this name.
    fn of_null(
        &mut self,
        at: Span,
        name: &'a Name,
        args: Option<&'a [Arg]>,
        span: Span,
    ) -> Option<ExprId> {
        if let Some(member) = OfSubflow::named(&name.text) {
            let receiver = self.arena.null(Type::Subflow, at);
            return self.of_subflow(member, receiver, name, args, span);
        }
        if let Some(member) = OfPacket::named(&name.text) {
            let receiver = self.arena.null(Type::Packet, at);
            return self.of_packet(member, receiver, name, args, span);
        }
        if OfList::named(&name.text).is_some() {
            self.null_is_not_a_list(at, &name.text);
            return None;
        }
        let known = OfSubflow::names().chain(OfPacket::names());
        let message = format!("nothing has a property `{}`", name.text);
        let diagnostic = Diagnostic::new(Code::UnknownMember, name.span, message);
        self.sink.push(match closest(&name.text, known) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic,
        });
        None
    }

    fn of_subflow(
        &mut self,
        member: OfSubflow,
        subflow: ExprId,
        name: &'a Name,
        args: Option<&'a [Arg]>,
        span: Span,
    ) -> Option<ExprId> {
        let kind = match member {
            OfSubflow::Int(property) => {
                if self.predicate && property == SubflowInt::User {
                    self.too_much(name.span, "USER changes during an execution");
                    return None;
                }
                self.property(name, args)?;
                ExprKind::SubflowInt(property, subflow)
            }
            OfSubflow::Bool(property) => {
                self.property(name, args)?;
                ExprKind::SubflowBool(property, subflow)
            }
            OfSubflow::HasWindowFor => {
                let [arg] = self.arguments(name, args)?;
                let arg = self.value_argument(arg, &name.text)?;
                let what = "the argument of HAS_WINDOW_FOR";
                let packet = self.want(arg, Type::Packet, what)?;
                ExprKind::HasWindowFor { subflow, packet }
            }
        };
        Some(self.arena.add(kind, span))
    }

    fn of_packet(
        &mut self,
        member: OfPacket,
        packet: ExprId,
        name: &'a Name,
        args: Option<&'a [Arg]>,
        span: Span,
    ) -> Option<ExprId> {
        let kind = match member {
            OfPacket::SentOn => {
                let [arg] = self.arguments(name, args)?;
                let arg = self.value_argument(arg, &name.text)?;
                let subflow = self.want(arg, Type::Subflow, "the argument of SENT_ON")?;
                ExprKind::SentOn { packet, subflow }
            }
            OfPacket::Int(property) => {
                self.property(name, args)?;
                ExprKind::PacketInt(property, packet)
            }
            OfPacket::Psh => {
                self.property(name, args)?;
                ExprKind::Psh(packet)
            }
            OfPacket::SentOnAll => {
                self.property(name, args)?;
                ExprKind::SentOnAll(packet)
            }
        };
        Some(self.arena.add(kind, span))
    }

    fn of_list(
        &mut self,
        member: OfList,
        list: ExprId,
        name: &'a Name,
        args: Option<&'a [Arg]>,
        span: Span,
    ) -> Option<ExprId> {
        let kind = match member {
            OfList::Filter => ExprKind::Filter(list, self.fold(list, name, args, Type::Bool)?),
            OfList::Extremum(which) => {
                ExprKind::Extremum(which, list, self.fold(list, name, args, Type::Int)?)
            }
            OfList::Sum => ExprKind::Sum(list, self.fold(list, name, args, Type::Int)?),
            OfList::Get => {
                let [arg] = self.arguments(name, args)?;
                let arg = self.value_argument(arg, &name.text)?;
                let index = self.want(arg, Type::Int, "the argument of GET")?;
                ExprKind::Get { list, index }
            }
            OfList::Empty => {
                self.property(name, args)?;
                ExprKind::Empty(list)
            }
            OfList::Count => {
                self.property(name, args)?;
                ExprKind::Count(list)
            }
            OfList::First => {
                self.property(name, args)?;
                ExprKind::First(list)
            }
            OfList::Last => {
                self.property(name, args)?;
                ExprKind::Last(list)
            }
        };
        Some(self.arena.add(kind, span))
    }

    /// The function that FILTER, MIN, MAX or SUM applies to each element.
    fn fold(
        &mut self,
        list: ExprId,
        name: &'a Name,
        args: Option<&'a [Arg]>,
        body: Type,
    ) -> Option<progmp_ir::Lambda> {
        let kind = self.arena.program.list_kind(list);
        let example = match (kind, body) {
            (Kind::Subflow, Type::Bool) => "s => !s.THROTTLED",
            (Kind::Subflow, _) => "s => s.RTT",
            (Kind::Packet, Type::Bool) => "p => p.PSH",
            (Kind::Packet, _) => "p => p.LENGTH",
        };
        match self.arguments(name, args)? {
            [Arg::Lambda(lambda)] => self.lambda(lambda, element(kind), body),
            [Arg::Expr(expr)] => {
                let message = format!("{} takes a function of one element", name.text);
                self.sink.push(
                    Diagnostic::new(Code::LambdaExpected, expr.span, message)
                        .help(format!("for example `{}({example})`", name.text)),
                );
                None
            }
        }
    }

    /// As many arguments as a method takes.
    pub(super) fn arguments<const COUNT: usize>(
        &mut self,
        name: &Name,
        args: Option<&'a [Arg]>,
    ) -> Option<&'a [Arg; COUNT]> {
        if let Some(exact) = args.and_then(|args| args.try_into().ok()) {
            return Some(exact);
        }
        let text = &name.text;
        let (message, help) = match COUNT {
            0 => (
                format!("{text} is a method without arguments"),
                format!("write `.{text}()`"),
            ),
            _ => (
                format!("{text} takes one argument"),
                format!("write `.{text}(…)`"),
            ),
        };
        self.sink
            .push(Diagnostic::new(Code::WrongArguments, name.span, message).help(help));
        self.arguments_of_broken(args);
        None
    }

    /// A property stands without parentheses.
    fn property(&mut self, name: &Name, args: Option<&'a [Arg]>) -> Option<()> {
        if args.is_none() {
            return Some(());
        }
        let message = format!("{} is a property and takes no arguments", name.text);
        self.sink.push(
            Diagnostic::new(Code::WrongArguments, name.span, message)
                .help(format!("write `.{}`", name.text)),
        );
        self.arguments_of_broken(args);
        None
    }

    /// An argument that is a value.
    pub(super) fn value_argument(&mut self, arg: &'a Arg, method: &str) -> Option<&'a Expr> {
        match arg {
            Arg::Expr(expr) => Some(expr),
            Arg::Lambda(lambda) => {
                let message = format!("{method} takes a value, not a function");
                self.sink.push(Diagnostic::new(
                    Code::LambdaUnexpected,
                    lambda.span,
                    message,
                ));
                None
            }
        }
    }

    fn unknown(&mut self, name: &Name, receiver: &Expr, ty: Type) -> Option<ExprId> {
        let text = &*name.text;
        let owner = if OfSubflow::named(text).is_some() && OfPacket::named(text).is_some() {
            Some("subflows and packets")
        } else if OfSubflow::named(text).is_some() {
            Some("subflows")
        } else if OfPacket::named(text).is_some() {
            Some("packets")
        } else if OfList::named(text).is_some() {
            Some("lists")
        } else {
            None
        };
        let diagnostic = if let Some(owner) = owner {
            let message = format!(
                "`{text}` belongs to {owner}, and this is {}",
                with_article(ty)
            );
            let diagnostic = Diagnostic::new(Code::WrongReceiver, name.span, message)
                .label(receiver.span, ty.to_string());
            match ty {
                Type::List(_) if owner != "lists" => diagnostic
                    .help("take one element first, for example `.FIRST`, or write a FILTER, MIN, MAX or SUM"),
                _ => diagnostic,
            }
        } else {
            let message = format!("{} has no `{text}`", with_article(ty));
            let diagnostic = Diagnostic::new(Code::UnknownMember, name.span, message)
                .label(receiver.span, ty.to_string());
            let meant = match ty {
                _ if self.sink.is_full() => None,
                Type::Subflow => closest(text, OfSubflow::names()),
                Type::Packet => closest(text, OfPacket::names()),
                Type::List(_) => closest(text, LIST_NAMES.into_iter().chain(["POP"])),
                Type::Int | Type::Bool => None,
            };
            match meant {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None if matches!(ty, Type::Int | Type::Bool) => {
                    diagnostic.help("ints and bools have no properties")
                }
                None => diagnostic,
            }
        };
        self.sink.push(diagnostic);
        None
    }
}
