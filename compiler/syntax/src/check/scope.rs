//! What a name means at a place (LANGUAGE: section 3, name lookup).

use std::collections::BTreeMap;

use progmp_ir::{QueueName, SchedReg, Span, VarId};

use crate::ast::{Block, File, Name, Stmt, StmtKind};
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sink};

/// A name that every scheduler knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    Register(SchedReg),
    Queue(QueueName),
    Subflows,
    Time,
    Random,
}

const GLOBALS: [(&str, Global); 6] = [
    ("Q", Global::Queue(QueueName::Send)),
    ("QU", Global::Queue(QueueName::Unacked)),
    ("RQ", Global::Queue(QueueName::Retrans)),
    ("SUBFLOWS", Global::Subflows),
    ("CURRENT_TIME_MS", Global::Time),
    ("RANDOM", Global::Random),
];
const REGISTERS: [&str; SchedReg::COUNT] = ["R1", "R2", "R3", "R4", "R5", "R6"];

impl Global {
    pub(crate) fn named(name: &str) -> Option<Self> {
        register(name).map(Self::Register).or_else(|| {
            let found = GLOBALS.iter().find(|(text, _)| *text == name);
            found.map(|(_, global)| *global)
        })
    }

    /// The spellings, for suggestions.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        GLOBALS.iter().map(|(text, _)| *text).chain(REGISTERS)
    }
}

/// `R1` … `R6`.
pub(crate) fn register(name: &str) -> Option<SchedReg> {
    let at = REGISTERS.iter().position(|register| *register == name)?;
    SchedReg::all().nth(at)
}

/// A DEFINE of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alias {
    /// `None` if it does not name a register; that is reported.
    pub register: Option<SchedReg>,
    /// Where its name stands.
    pub span: Span,
}

/// What a variable's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    Var(VarId),
    /// A variable whose initialiser is NULL: each use is a NULL of the type wanted there.
    Null,
    /// Its declaration is wrong, which has been reported.
    Broken,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    depth: usize,
    binding: Binding,
    span: Span,
}

/// The names in force.
#[derive(Default)]
pub(crate) struct Scopes<'a> {
    aliases: BTreeMap<&'a str, Alias>,
    frames: Vec<Vec<&'a str>>,
    entries: BTreeMap<&'a str, Vec<Entry>>,
    /// Where a name was declared last, in force or not.
    seen: BTreeMap<&'a str, Span>,
}

impl<'a> Scopes<'a> {
    /// The names of a file before its first statement: its aliases, checked.
    pub(crate) fn new(file: &'a File, sink: &mut Sink) -> Self {
        let mut scopes = Self::default();
        scopes.collect(&file.body, sink);
        scopes
    }

    fn collect(&mut self, stmts: &'a [Stmt], sink: &mut Sink) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Define(aliases) => {
                    for alias in aliases {
                        self.alias(&alias.register, &alias.name, sink);
                    }
                }
                StmtKind::If { arms, otherwise } => {
                    let blocks = arms.iter().map(|arm| &arm.block).chain(otherwise);
                    blocks.for_each(|block: &'a Block| self.collect(&block.stmts, sink));
                }
                StmtKind::Foreach { body, .. } => self.collect(&body.stmts, sink),
                _ => {}
            }
        }
    }

    fn alias(&mut self, target: &'a Name, name: &'a Name, sink: &mut Sink) {
        let register = register(&target.text);
        if register.is_none() {
            sink.push(
                Diagnostic::new(
                    Code::NotARegister,
                    target.span,
                    format!("`{}` is not a register", target.text),
                )
                .help("the registers are R1 to R6"),
            );
        }
        if Global::named(&name.text).is_some() {
            let message = format!("`{}` has a meaning of its own", name.text);
            sink.push(
                Diagnostic::new(Code::AliasClash, name.span, message).help("choose another name"),
            );
            return;
        }
        if let Some(first) = self.aliases.get(&*name.text) {
            sink.push(redeclared(name, first.span));
            return;
        }
        let span = name.span;
        self.aliases.insert(&name.text, Alias { register, span });
    }

    pub(crate) fn alias_named(&self, name: &str) -> Option<Alias> {
        self.aliases.get(name).copied()
    }

    pub(crate) fn enter(&mut self) {
        self.frames.push(Vec::new());
    }

    pub(crate) fn leave(&mut self) {
        let frame = self.frames.pop().expect("every leave follows an enter");
        for name in frame {
            let stack = self.entries.get_mut(name);
            let gone = stack.and_then(Vec::pop);
            assert!(gone.is_some(), "a name of a frame has an entry");
        }
    }

    /// The innermost variable or parameter of this name.
    pub(crate) fn find(&self, name: &str) -> Option<Binding> {
        let entry = self.entries.get(name)?.last()?;
        Some(entry.binding)
    }

    /// Where a variable of this name was declared, though it is not in force.
    pub(crate) fn out_of_scope(&self, name: &str) -> Option<Span> {
        self.seen.get(name).copied()
    }

    /// Every name in force: globals, aliases, then variables, innermost first.
    pub(crate) fn visible(&self) -> impl Iterator<Item = &'a str> {
        let variables = self.frames.iter().rev().flatten().copied();
        let aliases = self.aliases.keys().copied();
        Global::names()
            .map(|name| -> &'a str { name })
            .chain(aliases)
            .chain(variables)
    }

    /// Declares a variable or parameter in the innermost frame, or says why it cannot be.
    pub(crate) fn declare(&mut self, name: &'a Name, mut binding: Binding, sink: &mut Sink) {
        let text = &*name.text;
        if let Some(alias) = self.aliases.get(text) {
            let message = format!("`{text}` is an alias and cannot name anything else");
            sink.push(
                Diagnostic::new(Code::NeverReadable, name.span, message)
                    .label(alias.span, "the alias")
                    .help(
                        "an alias is looked up before variables, so this one could never be read",
                    ),
            );
            binding = Binding::Broken;
        } else if let Some(global) = Global::named(text) {
            let what = match global {
                Global::Register(_) => "a register",
                _ => "built in",
            };
            let message = format!("`{text}` is {what} and cannot name anything else");
            sink.push(
                Diagnostic::new(Code::NeverReadable, name.span, message)
                    .help("it is looked up before variables, so this one could never be read"),
            );
            binding = Binding::Broken;
        }
        let depth = self.frames.len();
        let stack = self.entries.entry(text).or_default();
        if let Some(entry) = stack.last_mut()
            && entry.depth == depth
        {
            if binding != Binding::Broken && entry.binding != Binding::Broken {
                sink.push(redeclared(name, entry.span));
            }
            entry.binding = Binding::Broken;
            return;
        }
        let span = name.span;
        stack.push(Entry {
            depth,
            binding,
            span,
        });
        self.seen.insert(text, span);
        let frame = self.frames.last_mut();
        frame.expect("names are declared in a frame").push(text);
    }
}

fn redeclared(name: &Name, first: Span) -> Diagnostic {
    let message = format!("`{}` is declared twice", name.text);
    Diagnostic::new(Code::Redeclared, name.span, message)
        .label(first, "first declared here")
        .help("choose another name; a variable is assigned once")
}
