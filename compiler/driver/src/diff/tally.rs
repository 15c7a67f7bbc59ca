//! What was compared: pairs for each engine, constructs, reasons why something was not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use progmp_ir::{ExprKind, Operand, Program, StmtKind};

use super::engines::{Trouble, is_kernel, labels};

/// Counts. Adding up does not depend on the order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Programs that ran on some engine.
    pub programs: u64,
    /// Pairs of a program and a state, by engine.
    pub pairs: BTreeMap<&'static str, u64>,
    /// Pairs in which the program acts or changes something.
    pub acting: u64,
    /// Programs that an engine or the compiler does not take, by reason.
    pub declined: BTreeMap<String, u64>,
    /// Engines that are not there, with what they need.
    pub absent: BTreeSet<String>,
    /// Programs with a construct, by construct.
    pub constructs: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts a pair, and whether there was anything to agree on.
    pub fn pair(&mut self, engine: &'static str, acts: bool) {
        self.acting += u64::from(acts);
        *self.pairs.entry(engine).or_default() += 1;
    }

    /// Counts a program and why it does not run everywhere.
    pub fn program(&mut self, program: &Program, troubles: &[Trouble]) {
        self.programs += 1;
        for name in constructs(program) {
            *self.constructs.entry(name).or_default() += 1;
        }
        for trouble in troubles {
            let reason = match trouble {
                Trouble::Compiler { form, name } => format!("compiler, {form}: {name}"),
                Trouble::Declined { engine, why } => format!("{engine}: {why}"),
                Trouble::Absent { engine, needs } => {
                    self.absent.insert(format!("{engine}: skipped: {needs}"));
                    continue;
                }
            };
            *self.declined.entry(reason).or_default() += 1;
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.programs += other.programs;
        self.acting += other.acting;
        self.absent.extend(other.absent);
        sum(&mut self.pairs, other.pairs);
        sum(&mut self.declined, other.declined);
        sum(&mut self.constructs, other.constructs);
    }

    /// Pairs on all engines.
    pub fn total(&self) -> u64 {
        self.pairs.values().sum()
    }

    /// Pairs on the kernel.
    pub fn on_kernel(&self) -> u64 {
        let pairs = self.pairs.iter();
        let kernel = pairs.filter(|(label, _)| is_kernel(label));
        kernel.map(|(_, count)| count).sum()
    }

    /// The counts as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: std::fmt::Arguments<'_>| {
            writeln!(text, "{line}").expect("strings grow");
        };
        line(format_args!(
            "{} programs, {} pairs, {} of them on the kernel; {} act or change something",
            self.programs,
            self.total(),
            self.on_kernel(),
            self.acting
        ));
        for label in labels() {
            let pairs = self.pairs.get(label).copied().unwrap_or(0);
            line(format_args!("{pairs:>10}  {label}"));
        }
        for absent in &self.absent {
            line(format_args!("{absent}"));
        }
        if !self.declined.is_empty() {
            line(format_args!("programs not taken:"));
        }
        for (reason, count) in &self.declined {
            line(format_args!("{count:>10}  {reason}"));
        }
        line(format_args!("programs with a construct:"));
        for (name, count) in &self.constructs {
            line(format_args!("{count:>10}  {name}"));
        }
        text
    }
}

fn sum<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}

/// The constructs that a program has.
fn constructs(program: &Program) -> BTreeSet<&'static str> {
    let mut found: BTreeSet<&'static str> = program
        .exprs
        .iter()
        .map(|expr| match &expr.kind {
            ExprKind::Int(_) | ExprKind::Bool(_) => "literal",
            ExprKind::Null => "NULL",
            ExprKind::Register(_) => "register",
            ExprKind::Time => "CURRENT_TIME_MS",
            ExprKind::Random(_) => "RANDOM",
            ExprKind::Var(_) => "variable",
            ExprKind::Not(_) => "!",
            ExprKind::And(..) => "AND",
            ExprKind::Or(..) => "OR",
            ExprKind::Arith(op, ..) => op.symbol(),
            ExprKind::Order(op, ..) => op.symbol(),
            ExprKind::Equal { negated: false, .. } => "==",
            ExprKind::Equal { negated: true, .. } => "!=",
            ExprKind::SubflowInt(property, _) => property.name(),
            ExprKind::SubflowBool(property, _) => property.name(),
            ExprKind::HasWindowFor { .. } => "HAS_WINDOW_FOR",
            ExprKind::PacketInt(property, _) => property.name(),
            ExprKind::Psh(_) => "PSH",
            ExprKind::SentOn { .. } => "SENT_ON",
            ExprKind::SentOnAll(_) => "SENT_ON_ALL",
            ExprKind::Subflows => "SUBFLOWS",
            ExprKind::Queue(name) => name.name(),
            ExprKind::Filter(..) => "FILTER",
            ExprKind::Empty(_) => "EMPTY",
            ExprKind::Count(_) => "COUNT",
            ExprKind::Get { .. } => "GET",
            ExprKind::Extremum(progmp_ir::Extremum::Min, ..) => "MIN",
            ExprKind::Extremum(progmp_ir::Extremum::Max, ..) => "MAX",
            ExprKind::Sum(..) => "SUM",
            ExprKind::First(_) => "TOP",
            ExprKind::Last(_) => "LAST",
        })
        .collect();
    let mut blocks = vec![&program.body];
    while let Some(block) = blocks.pop() {
        for stmt in block {
            let (name, operand) = match &stmt.kind {
                StmtKind::If {
                    then, otherwise, ..
                } => {
                    blocks.push(then);
                    blocks.extend(otherwise);
                    ("IF", None)
                }
                StmtKind::Foreach { body, .. } => {
                    blocks.push(body);
                    ("FOREACH", None)
                }
                StmtKind::Let { init, .. } => ("VAR", Some(init)),
                StmtKind::Set { .. } => ("SET", None),
                StmtKind::SetUser { .. } => ("SET_USER", None),
                StmtKind::Push { packet, .. } => ("PUSH", Some(packet)),
                StmtKind::Drop { packet } => ("DROP", Some(packet)),
                StmtKind::Print { .. } => ("PRINT", None),
                StmtKind::Void(_) => ("VOID", None),
                StmtKind::Return => ("RETURN", None),
            };
            found.insert(name);
            if matches!(operand, Some(Operand::Pop { .. })) {
                found.insert("POP");
            }
        }
    }
    found
}
