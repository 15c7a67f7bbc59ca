//! The eBPF instruction set, version 4, as types (RFC 9669 and Linux 6.18).
//!
//! In: nothing. Out: [`Insn`], one value per instruction, with [`encode()`], [`decode()`] and a
//! printer in llvm-objdump's syntax. All three read the one table in `isa/table.rs`. Types are
//! such that an instruction that RFC 9669 does not have cannot be written: there is no 32-bit
//! `movsx` from 32 bits and no sign-extending 64-bit load. Operands that the kernel refuses
//! (a shift by 64, a division by the immediate 0, a write to r10) can; the code generator makes none.
//! Legacy packet access (`BPF_ABS`, `BPF_IND`) is left out.

mod decode;
mod encode;
mod form;
mod print;
mod table;

#[cfg(test)]
mod tests;

pub use decode::{DecodeError, Fault, decode};
pub use encode::encode;

/// Bytes of one slot. An instruction takes one, a [`Insn::LoadImm64`] two.
pub const SLOT_BYTES: usize = 8;

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reg {
    /// Result of a call and of the program.
    R0,
    /// First argument; lost by calls.
    R1,
    /// Second argument; lost by calls.
    R2,
    /// Third argument; lost by calls.
    R3,
    /// Fourth argument; lost by calls.
    R4,
    /// Fifth argument; lost by calls.
    R5,
    /// Kept by calls.
    R6,
    /// Kept by calls.
    R7,
    /// Kept by calls.
    R8,
    /// Kept by calls.
    R9,
    /// The end of the frame, read-only.
    R10,
}

impl Reg {
    /// All eleven, by number.
    pub const ALL: [Self; 11] = [
        Self::R0,
        Self::R1,
        Self::R2,
        Self::R3,
        Self::R4,
        Self::R5,
        Self::R6,
        Self::R7,
        Self::R8,
        Self::R9,
        Self::R10,
    ];

    /// The register with this number, if there is one.
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Its number, 0 to 10.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The width of arithmetic and comparisons. A 32-bit result clears the upper half of its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// 32 bits.
    W32,
    /// 64 bits.
    W64,
}

/// The second operand: a register, or an immediate that is sign-extended to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operand {
    /// A register.
    Reg(Reg),
    /// An immediate.
    Imm(i32),
}

impl From<Reg> for Operand {
    fn from(reg: Reg) -> Self {
        Self::Reg(reg)
    }
}

impl From<i32> for Operand {
    fn from(imm: i32) -> Self {
        Self::Imm(imm)
    }
}

/// Arithmetic with two operands (RFC 9669, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AluOp {
    /// `+=`
    Add,
    /// `-=`
    Sub,
    /// `*=`
    Mul,
    /// `/=`, unsigned; 0 when the divisor is 0.
    Div,
    /// `s/=`, signed; 0 when the divisor is 0, wraps for the least number by -1.
    Sdiv,
    /// `%=`, unsigned; the dividend when the divisor is 0.
    Mod,
    /// `s%=`, signed, with the sign of the dividend; the dividend when the divisor is 0.
    Smod,
    /// `|=`
    Or,
    /// `&=`
    And,
    /// `^=`
    Xor,
    /// `<<=`; the amount counts modulo the width.
    Lsh,
    /// `>>=`, zeros from above; the amount counts modulo the width.
    Rsh,
    /// `s>>=`, copies of the sign from above; the amount counts modulo the width.
    Arsh,
    /// `=`
    Mov,
}

/// A move that extends the sign: from how many bits to how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extend {
    /// 8 to 32 bits; the upper half is cleared.
    S8To32,
    /// 16 to 32 bits; the upper half is cleared.
    S16To32,
    /// 8 to 64 bits.
    S8To64,
    /// 16 to 64 bits.
    S16To64,
    /// 32 to 64 bits.
    S32To64,
}

/// A change of byte order. What lies above the stated bits is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// From the host's order to little-endian or back.
    Little,
    /// From the host's order to big-endian or back.
    Big,
    /// Swaps unconditionally.
    Swap,
}

/// How many bits a change of byte order looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bits {
    /// 16 bits.
    B16,
    /// 32 bits.
    B32,
    /// 64 bits.
    B64,
}

/// The size of a memory cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// 1 byte.
    U8,
    /// 2 bytes.
    U16,
    /// 4 bytes.
    U32,
    /// 8 bytes.
    U64,
}

/// What a load makes of a memory cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadKind {
    /// Zeros above.
    Zero(Size),
    /// Copies of the sign above 8 bits.
    S8,
    /// Copies of the sign above 16 bits.
    S16,
    /// Copies of the sign above 32 bits.
    S32,
}

/// An atomic read-modify-write (RFC 9669, section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AtomicOp {
    /// Adds; with `true`, the source register gets the old value.
    Add(bool),
    /// Or; with `true`, the source register gets the old value.
    Or(bool),
    /// And; with `true`, the source register gets the old value.
    And(bool),
    /// Exclusive or; with `true`, the source register gets the old value.
    Xor(bool),
    /// Stores the source register, which gets the old value.
    Exchange,
    /// Stores the source register if the cell equals r0; r0 gets the old value.
    CompareExchange,
}

/// A condition (RFC 9669, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cond {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `>`, unsigned
    Gt,
    /// `>=`, unsigned
    Ge,
    /// `<`, unsigned
    Lt,
    /// `<=`, unsigned
    Le,
    /// `&`: a bit in common
    Set,
    /// `s>`, signed
    Sgt,
    /// `s>=`, signed
    Sge,
    /// `s<`, signed
    Slt,
    /// `s<=`, signed
    Sle,
}

/// What a 64-bit immediate stands for (RFC 9669, section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Imm64 {
    /// Itself.
    Value(u64),
    /// The map behind a file descriptor.
    MapFd(i32),
    /// An address inside the value of a one-element array map: the first byte plus `offset`.
    MapValue {
        /// The map's file descriptor.
        fd: i32,
        /// Bytes.
        offset: u32,
    },
    /// A kernel variable, by BTF id and by the file descriptor of its module's BTF (0: vmlinux).
    Variable {
        /// BTF id.
        btf: i32,
        /// File descriptor of the BTF object.
        module_fd: i32,
    },
    /// A subprogram, in slots from the next instruction.
    Code(i32),
    /// A map by its place in the load's array of descriptors.
    MapIndex(i32),
    /// An address inside the value of such a map.
    MapIndexValue {
        /// Its place.
        index: i32,
        /// Bytes.
        offset: u32,
    },
}

/// What is called. Arguments stand in r1 to r5, the result in r0; r1 to r5 are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Callee {
    /// A helper by its number.
    Helper(i32),
    /// A subprogram of this program, in slots from the next instruction.
    Local(i32),
    /// A kernel function by BTF id.
    Kfunc {
        /// BTF id.
        btf: i32,
        /// Place of the module's BTF in the load's array; 0 is vmlinux.
        module: i16,
    },
}

/// One instruction. Jump offsets count slots from the next instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Insn {
    /// `dst op= src`
    Alu {
        /// The operation.
        op: AluOp,
        /// Of both operands and of the result.
        width: Width,
        /// Left operand and result.
        dst: Reg,
        /// Right operand.
        src: Operand,
    },
    /// `dst = -dst`
    Neg {
        /// Of operand and result.
        width: Width,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = (s8)src`
    MovSx {
        /// From where to where.
        extend: Extend,
        /// Result.
        dst: Reg,
        /// Operand.
        src: Reg,
    },
    /// `dst = be16 dst`
    ByteOrder {
        /// Which order.
        order: Order,
        /// Of how much.
        bits: Bits,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = imm ll`, in two slots
    LoadImm64 {
        /// Result.
        dst: Reg,
        /// The value, or what it refers to.
        imm: Imm64,
    },
    /// `dst = *(u32 *)(base + off)`
    Load {
        /// Cell and extension.
        kind: LoadKind,
        /// Result.
        dst: Reg,
        /// Address.
        base: Reg,
        /// Bytes.
        off: i16,
    },
    /// `*(u32 *)(base + off) = src`
    Store {
        /// Cell.
        size: Size,
        /// Address.
        base: Reg,
        /// Bytes.
        off: i16,
        /// Value; an immediate is sign-extended first.
        src: Operand,
    },
    /// `lock *(u32 *)(base + off) += src`
    Atomic {
        /// The operation.
        op: AtomicOp,
        /// Of the cell; a 32-bit fetch clears the upper half of its register.
        width: Width,
        /// Address.
        base: Reg,
        /// Bytes.
        off: i16,
        /// Operand, and the old value's place.
        src: Reg,
    },
    /// `goto +off`
    Goto {
        /// Slots.
        off: i16,
    },
    /// `gotol +off`
    GotoLong {
        /// Slots.
        off: i32,
    },
    /// `if dst op src goto +off`
    JumpIf {
        /// The condition.
        cond: Cond,
        /// Of both operands.
        width: Width,
        /// Left operand.
        dst: Reg,
        /// Right operand.
        src: Operand,
        /// Slots.
        off: i16,
    },
    /// `may_goto +off`: goes there when the loop budget is spent (Linux 6.9).
    MayGoto {
        /// Slots.
        off: i16,
    },
    /// `call`
    Call {
        /// What.
        callee: Callee,
    },
    /// `exit`
    Exit,
}

impl Insn {
    /// How many slots of 8 bytes it takes: 2 for a 64-bit immediate, else 1.
    pub const fn slots(self) -> usize {
        match self {
            Self::LoadImm64 { .. } => 2,
            _ => 1,
        }
    }

    /// Whether control never goes on to the next instruction.
    pub const fn ends_block(self) -> bool {
        matches!(self, Self::Exit | Self::Goto { .. } | Self::GotoLong { .. })
    }

    /// Where it may jump, in slots from the next instruction; calls do not count.
    pub const fn jump(self) -> Option<i32> {
        match self {
            Self::Goto { off } | Self::JumpIf { off, .. } | Self::MayGoto { off } => {
                Some(off as i32)
            }
            Self::GotoLong { off } => Some(off),
            _ => None,
        }
    }
}

/// 64-bit arithmetic.
pub fn alu64(op: AluOp, dst: Reg, src: impl Into<Operand>) -> Insn {
    Insn::Alu {
        op,
        width: Width::W64,
        dst,
        src: src.into(),
    }
}

/// 32-bit arithmetic; clears the upper half of `dst`.
pub fn alu32(op: AluOp, dst: Reg, src: impl Into<Operand>) -> Insn {
    Insn::Alu {
        op,
        width: Width::W32,
        dst,
        src: src.into(),
    }
}

/// A 64-bit move.
pub fn mov(dst: Reg, src: impl Into<Operand>) -> Insn {
    alu64(AluOp::Mov, dst, src)
}

/// A load that fills up with zeros.
pub const fn load(size: Size, dst: Reg, base: Reg, off: i16) -> Insn {
    Insn::Load {
        kind: LoadKind::Zero(size),
        dst,
        base,
        off,
    }
}

/// A store.
pub fn store(size: Size, base: Reg, off: i16, src: impl Into<Operand>) -> Insn {
    Insn::Store {
        size,
        base,
        off,
        src: src.into(),
    }
}

/// A 64-bit conditional jump.
pub fn jump_if(cond: Cond, dst: Reg, src: impl Into<Operand>, off: i16) -> Insn {
    Insn::JumpIf {
        cond,
        width: Width::W64,
        dst,
        src: src.into(),
        off,
    }
}
