//! eBPF over virtual registers: basic blocks in SSA form, with block parameters.
//!
//! Every vreg is defined once, by an instruction or as a parameter of a block; an edge passes the
//! values of the parameters of the block that it leads to. There are no calls, and memory is the
//! environment block alone: [`Op::Base`] is its address.

mod print;

use progmp_ir::Span;

use crate::bounds::Formula;
use crate::isa::{AluOp, Cond, Size, Width};

/// A virtual register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vreg(u32);

impl Vreg {
    /// The vreg with this number.
    ///
    /// # Panics
    /// If the number does not fit in 32 bits: no program is that long.
    pub fn new(number: usize) -> Self {
        Self(u32::try_from(number).expect("vregs are numbered in 32 bits"))
    }

    /// Its number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A basic block, by its position in [`Vcode::blocks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(u32);

impl BlockId {
    /// The block at this position.
    ///
    /// # Panics
    /// If the position does not fit in 32 bits: no program is that long.
    pub fn new(position: usize) -> Self {
        Self(u32::try_from(position).expect("blocks are numbered in 32 bits"))
    }

    /// Its position.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Src {
    /// A vreg.
    Vreg(Vreg),
    /// An immediate, sign-extended to 64 bits.
    Imm(i32),
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// The address of the environment block: the first instruction, and only that.
    Base,
    /// A constant.
    Const(u64),
    /// `a op b`.
    Alu {
        /// Any but [`AluOp::Mov`].
        op: AluOp,
        /// Of operands and result.
        width: Width,
        /// Left operand.
        a: Vreg,
        /// Right operand.
        b: Src,
    },
    /// `-a`, 64 bits.
    Neg(Vreg),
    /// The memory cell at `base + off`, zero-extended.
    Load {
        /// Of the cell.
        size: Size,
        /// An address in the block.
        base: Vreg,
        /// Bytes.
        off: i16,
    },
    /// Writes the memory cell at `base + off`.
    Store {
        /// Of the cell.
        size: Size,
        /// An address in the block.
        base: Vreg,
        /// Bytes.
        off: i16,
        /// What is written.
        value: Src,
    },
}

impl Op {
    /// The vregs that it reads.
    pub fn uses(&self) -> impl Iterator<Item = Vreg> {
        let vreg = |src: Src| match src {
            Src::Vreg(vreg) => Some(vreg),
            Src::Imm(_) => None,
        };
        let [first, second] = match *self {
            Self::Base | Self::Const(_) => [None, None],
            Self::Alu { a, b, .. } => [Some(a), vreg(b)],
            Self::Neg(a) | Self::Load { base: a, .. } => [Some(a), None],
            Self::Store { base, value, .. } => [Some(base), vreg(value)],
        };
        first.into_iter().chain(second)
    }

    /// The same operation on other vregs.
    #[must_use]
    pub fn map(self, mut of: impl FnMut(Vreg) -> Vreg) -> Self {
        let mut src = |src| match src {
            Src::Vreg(vreg) => Src::Vreg(of(vreg)),
            Src::Imm(_) => src,
        };
        match self {
            Self::Base | Self::Const(_) => self,
            Self::Alu { op, width, a, b } => {
                let b = src(b);
                let a = of(a);
                Self::Alu { op, width, a, b }
            }
            Self::Neg(a) => Self::Neg(of(a)),
            Self::Load { size, base, off } => Self::Load {
                size,
                base: of(base),
                off,
            },
            Self::Store {
                size,
                base,
                off,
                value,
            } => {
                let value = src(value);
                Self::Store {
                    size,
                    base: of(base),
                    off,
                    value,
                }
            }
        }
    }
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// The vreg that it defines; a store defines none.
    pub def: Option<Vreg>,
    /// The source that it belongs to.
    pub span: Span,
}

/// Where control goes, with which values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The next block.
    pub to: BlockId,
    /// The values of its parameters.
    pub args: Vec<Vreg>,
}

impl Edge {
    /// An edge without values.
    pub const fn plain(to: BlockId) -> Self {
        Self {
            to,
            args: Vec::new(),
        }
    }
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Goes on there.
    Jump(Edge),
    /// Goes to `yes` if `a cond b`, else to `no`.
    If {
        /// The condition.
        cond: Cond,
        /// Of the operands.
        width: Width,
        /// Left operand.
        a: Vreg,
        /// Right operand.
        b: Src,
        /// If it holds.
        yes: Edge,
        /// If it does not.
        no: Edge,
        /// `no` follows: the kernel's verifier walks it before `yes`.
        no_follows: bool,
    },
    /// Goes to `spent` once the loop budget is spent, else to `next`.
    MayGoto {
        /// The ordinary way.
        next: Edge,
        /// The way out.
        spent: Edge,
    },
    /// The program ends, with the result 0.
    Exit,
}

impl Term {
    /// The vregs that it reads itself; not those that its edges pass.
    pub fn uses(&self) -> impl Iterator<Item = Vreg> {
        let [first, second] = match *self {
            Self::If { a, b, .. } => match b {
                Src::Vreg(b) => [Some(a), Some(b)],
                Src::Imm(_) => [Some(a), None],
            },
            _ => [None, None],
        };
        first.into_iter().chain(second)
    }

    /// Its edges, in the order in which they are listed.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        let [first, second] = match self {
            Self::Jump(edge) => [Some(edge), None],
            Self::If { yes, no, .. } => [Some(yes), Some(no)],
            Self::MayGoto { next, spent } => [Some(next), Some(spent)],
            Self::Exit => [None, None],
        };
        first.into_iter().chain(second)
    }

    /// Its edges, to be changed.
    pub fn edges_mut(&mut self) -> impl Iterator<Item = &mut Edge> {
        let [first, second] = match self {
            Self::Jump(edge) => [Some(edge), None],
            Self::If { yes, no, .. } => [Some(yes), Some(no)],
            Self::MayGoto { next, spent } => [Some(next), Some(spent)],
            Self::Exit => [None, None],
        };
        first.into_iter().chain(second)
    }

    /// Replaces every vreg that it reads or passes.
    pub fn rename(&mut self, mut of: impl FnMut(Vreg) -> Vreg) {
        if let Self::If { a, b, .. } = self {
            *a = of(*a);
            if let Src::Vreg(b) = b {
                *b = of(*b);
            }
        }
        for edge in self.edges_mut() {
            for arg in &mut edge.args {
                *arg = of(*arg);
            }
        }
    }
}

/// A basic block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Defined by the edges that lead here.
    pub params: Vec<Vreg>,
    /// In order.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub term: Term,
    /// The source that the end belongs to.
    pub span: Span,
    /// How often it is executed at most.
    pub trips: Formula,
}

/// A program over vregs. Control enters at the first block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vcode {
    /// Every block.
    pub blocks: Vec<Block>,
    /// How many vregs there are.
    pub vregs: usize,
}

impl Vcode {
    /// A new vreg.
    pub fn vreg(&mut self) -> Vreg {
        self.vregs += 1;
        Vreg::new(self.vregs - 1)
    }

    /// A new block, which ends the program until it is given another end.
    pub fn block(&mut self, params: usize, span: Span, trips: Formula) -> BlockId {
        let params = (0..params).map(|_| self.vreg()).collect();
        self.blocks.push(Block {
            params,
            insts: Vec::new(),
            term: Term::Exit,
            span,
            trips,
        });
        BlockId::new(self.blocks.len() - 1)
    }

    /// The block.
    pub fn at(&self, block: BlockId) -> &Block {
        &self.blocks[block.index()]
    }

    /// The block, to be changed.
    pub fn at_mut(&mut self, block: BlockId) -> &mut Block {
        &mut self.blocks[block.index()]
    }

    /// How many instructions there are, ends of blocks left out.
    pub fn instructions(&self) -> usize {
        self.blocks.iter().map(|block| block.insts.len()).sum()
    }
}
