//! Vcode as text, for `--emit vcode` and for whoever looks for a fault.

use std::fmt;

use super::{BlockId, Edge, Inst, Op, Src, Term, Vcode, Vreg};
use crate::isa::{AluOp, Cond, Size, Width};

impl fmt::Display for Vreg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.index())
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.index())
    }
}

impl fmt::Display for Src {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vreg(vreg) => vreg.fmt(f),
            Self::Imm(imm) => imm.fmt(f),
        }
    }
}

const fn bits(size: Size) -> u32 {
    match size {
        Size::U8 => 8,
        Size::U16 => 16,
        Size::U32 => 32,
        Size::U64 => 64,
    }
}

const fn suffix(width: Width) -> &'static str {
    match width {
        Width::W32 => "32",
        Width::W64 => "",
    }
}

const fn sign(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "+",
        AluOp::Sub => "-",
        AluOp::Mul => "*",
        AluOp::Div => "/",
        AluOp::Sdiv => "s/",
        AluOp::Mod => "%",
        AluOp::Smod => "s%",
        AluOp::Or => "|",
        AluOp::And => "&",
        AluOp::Xor => "^",
        AluOp::Lsh => "<<",
        AluOp::Rsh => ">>",
        AluOp::Arsh => "s>>",
        AluOp::Mov => "=",
    }
}

const fn relation(cond: Cond) -> &'static str {
    match cond {
        Cond::Eq => "==",
        Cond::Ne => "!=",
        Cond::Gt => ">",
        Cond::Ge => ">=",
        Cond::Lt => "<",
        Cond::Le => "<=",
        Cond::Set => "&",
        Cond::Sgt => "s>",
        Cond::Sge => "s>=",
        Cond::Slt => "s<",
        Cond::Sle => "s<=",
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Const(value) => write!(f, "{value:#x}"),
            Self::Alu { op, width, a, b } => {
                write!(f, "{a} {}{} {b}", sign(*op), suffix(*width))
            }
            Self::Neg(a) => write!(f, "-{a}"),
            Self::Load { size, base, off } => write!(f, "u{} [{base} + {off}]", bits(*size)),
            Self::Store {
                size,
                base,
                off,
                value,
            } => write!(f, "u{} [{base} + {off}] = {value}", bits(*size)),
        }
    }
}

impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.def {
            Some(def) => write!(f, "{def} = {}", self.op),
            None => self.op.fmt(f),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, vregs: &[Vreg]) -> fmt::Result {
    if vregs.is_empty() {
        return Ok(());
    }
    f.write_str("(")?;
    for (place, vreg) in vregs.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        write!(f, "{comma}{vreg}")?;
    }
    f.write_str(")")
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to.fmt(f)?;
        list(f, &self.args)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jump(edge) => write!(f, "goto {edge}"),
            Self::If {
                cond,
                width,
                a,
                b,
                yes,
                no,
                ..
            } => {
                let (relation, suffix) = (relation(*cond), suffix(*width));
                write!(f, "if {a} {relation}{suffix} {b} goto {yes} else {no}")
            }
            Self::MayGoto { next, spent } => write!(f, "may_goto {spent} else {next}"),
            Self::Exit => f.write_str("exit"),
        }
    }
}

impl fmt::Display for Vcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, block) in self.blocks.iter().enumerate() {
            BlockId::new(position).fmt(f)?;
            list(f, &block.params)?;
            writeln!(f, ":  at most {} times", block.trips)?;
            for inst in &block.insts {
                writeln!(f, "    {inst}")?;
            }
            writeln!(f, "    {}", block.term)?;
        }
        Ok(())
    }
}
