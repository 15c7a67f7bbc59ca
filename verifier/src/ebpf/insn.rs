//! Decoded instructions. Jump targets are absolute slots, so that no reader adds offsets again.

/// A program: what stands in each slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// `None` is the second half of a 64-bit constant.
    pub(super) slots: Vec<Option<Insn>>,
}

impl Code {
    /// How many slots of 8 bytes it has.
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The instruction that starts in this slot.
    pub fn at(&self, slot: usize) -> Option<Insn> {
        self.slots.get(slot).copied().flatten()
    }

    /// What stands from a slot on, as a program of its own; `None` if something in it leads before that slot.
    pub(crate) fn behind(&self, first: usize) -> Option<Self> {
        let moved = |insn: Insn| {
            let back = |target: usize| target.checked_sub(first);
            Some(match insn {
                Insn::Jump { target } => Insn::Jump {
                    target: back(target)?,
                },
                Insn::MayGoto { target } => Insn::MayGoto {
                    target: back(target)?,
                },
                Insn::Branch {
                    cond,
                    wide,
                    dst,
                    src,
                    target,
                } => Insn::Branch {
                    cond,
                    wide,
                    dst,
                    src,
                    target: back(target)?,
                },
                Insn::Call { .. } => return None,
                other => other,
            })
        };
        let slots = self.slots.get(first..)?.iter();
        let slots = slots.map(|slot| match slot {
            Some(insn) => moved(*insn).map(Some),
            None => Some(None),
        });
        let slots = slots.collect::<Option<Vec<_>>>()?;
        Some(Self { slots })
    }

    /// Each instruction with its slot.
    pub fn insns(&self) -> impl Iterator<Item = (usize, Insn)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(slot, insn)| Some((slot, (*insn)?)))
    }
}

/// The second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A register, 0 to 10.
    Register(u8),
    /// Sign-extended to 64 bits.
    Immediate(i32),
}

/// Arithmetic (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// Modulo 2^width.
    Add,
    /// Modulo 2^width.
    Subtract,
    /// Modulo 2^width.
    Multiply,
    /// Unsigned; by 0 it is 0.
    Divide,
    /// Towards 0; by 0 it is 0.
    DivideSigned,
    /// Unsigned; by 0 it is the dividend.
    Remainder,
    /// Sign of the dividend; by 0 it is the dividend.
    RemainderSigned,
    /// Bits of either.
    Or,
    /// Bits of both.
    And,
    /// Bits of just one.
    Xor,
    /// Towards the high bits, by the amount modulo the width.
    ShiftLeft,
    /// Towards the low bits, zeros from above, by the amount modulo the width.
    ShiftRight,
    /// Towards the low bits, signs from above, by the amount modulo the width.
    ShiftRightSigned,
    /// The second operand.
    Move,
}

/// Byte order (section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byteorder {
    /// Truncates: the machine is little-endian.
    ToLittle,
    /// Swaps: the machine is little-endian.
    ToBig,
    /// Swaps.
    Swap,
}

/// Conditions (section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cond {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// A bit in common.
    BitsInCommon,
    /// Above, unsigned.
    Above,
    /// Above or equal, unsigned.
    AboveOrEqual,
    /// Below, unsigned.
    Below,
    /// Below or equal, unsigned.
    BelowOrEqual,
    /// Greater, signed.
    Greater,
    /// Greater or equal, signed.
    GreaterOrEqual,
    /// Less, signed.
    Less,
    /// Less or equal, signed.
    LessOrEqual,
}

/// Atomic operations (section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtomicOp {
    /// Adds.
    Add,
    /// Sets bits.
    Or,
    /// Keeps bits.
    And,
    /// Flips bits.
    Xor,
    /// Stores; always fetches.
    Exchange,
    /// Stores if the cell equals r0; r0 gets the old value.
    CompareExchange,
}

/// A 64-bit constant (section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constant {
    /// A number.
    Number(u64),
    /// A map, by descriptor or index.
    Map(i32),
    /// An address in the value of a map, which the descriptor or index names.
    MapValue {
        /// Which map.
        map: i32,
        /// Bytes from its first.
        offset: u32,
    },
    /// A variable of the kernel by BTF id.
    Variable(i32),
    /// The first slot of a subprogram.
    Subprogram(usize),
}

/// What a call calls (section 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A helper by number.
    Helper(i32),
    /// The subprogram that starts in this slot.
    Subprogram(usize),
    /// A kernel function by BTF id, in the module of this index.
    Kernel {
        /// BTF id.
        btf: i32,
        /// 0 is the kernel itself.
        module: i16,
    },
}

/// One instruction. `wide` is 64 bits; without it 32, and the upper half of the result is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insn {
    /// `dst = dst op src`
    Binary {
        /// What.
        op: BinaryOp,
        /// 64 bits.
        wide: bool,
        /// Left operand and result.
        dst: u8,
        /// Right operand.
        src: Source,
    },
    /// `dst = -dst`
    Negate {
        /// 64 bits.
        wide: bool,
        /// Operand and result.
        dst: u8,
    },
    /// `dst` = the low `bits` of `src`, with their sign.
    SignExtend {
        /// 8, 16 or 32.
        bits: u32,
        /// 64 bits.
        wide: bool,
        /// Result.
        dst: u8,
        /// Operand.
        src: u8,
    },
    /// `dst` = its low `bits` in another order of bytes, zeros above.
    Reorder {
        /// Which order.
        order: Byteorder,
        /// 16, 32 or 64.
        bits: u32,
        /// Operand and result.
        dst: u8,
    },
    /// `dst = constant`, in two slots.
    Load64 {
        /// Result.
        dst: u8,
        /// What.
        constant: Constant,
    },
    /// `dst` = the `bytes` at `base + offset`.
    Load {
        /// 1, 2, 4 or 8.
        bytes: usize,
        /// Copies the sign upwards.
        signed: bool,
        /// Result.
        dst: u8,
        /// Address.
        base: u8,
        /// Bytes.
        offset: i16,
    },
    /// The `bytes` at `base + offset` = the low ones of `src`.
    Store {
        /// 1, 2, 4 or 8.
        bytes: usize,
        /// Address.
        base: u8,
        /// Bytes.
        offset: i16,
        /// Value.
        src: Source,
    },
    /// Reads, changes and writes the cell at `base + offset` at once.
    Atomic {
        /// What.
        op: AtomicOp,
        /// `src`, or r0 in a comparison, gets the old value.
        fetch: bool,
        /// 64 bits.
        wide: bool,
        /// Address.
        base: u8,
        /// Bytes.
        offset: i16,
        /// Operand.
        src: u8,
    },
    /// Goes on at `target`.
    Jump {
        /// Slot.
        target: usize,
    },
    /// Goes on at `target` if the condition holds.
    Branch {
        /// The condition.
        cond: Cond,
        /// 64 bits.
        wide: bool,
        /// Left operand.
        dst: u8,
        /// Right operand.
        src: Source,
        /// Slot.
        target: usize,
    },
    /// Goes on at `target` if the loop budget is spent, else spends one of it (Linux 6.9).
    MayGoto {
        /// Slot.
        target: usize,
    },
    /// r0 = the result; r1 to r5 are lost.
    Call {
        /// What.
        callee: Callee,
    },
    /// Ends the function; r0 is its result.
    Exit,
}
