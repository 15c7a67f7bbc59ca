//! An instruction taken apart: its form, and the operands that go into the fields of a slot.
//!
//! [`split`] and [`join`] are each other's inverse. What a form looks like in bytes and in text
//! is the table's matter.

use super::{
    AluOp, AtomicOp, Bits, Callee, Cond, Extend, Imm64, Insn, LoadKind, Operand, Order, Reg, Size,
    Width,
};

/// An instruction without its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Form {
    Alu(AluOp, Width, Source),
    Neg(Width),
    MovSx(Extend),
    ByteOrder(Order, Bits),
    LoadImm64(Pseudo),
    Load(LoadKind),
    Store(Size, Source),
    Atomic(AtomicOp, Width),
    Goto,
    GotoLong,
    JumpIf(Cond, Width, Source),
    MayGoto,
    Call(Target),
    Exit,
}

/// Where the second operand comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Source {
    Reg,
    Imm,
}

/// What a 64-bit immediate stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Pseudo {
    Value,
    MapFd,
    MapValue,
    Variable,
    Code,
    MapIndex,
    MapIndexValue,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    Helper,
    Local,
    Kfunc,
}

/// The fields of a slot; what a form does not use is 0. `high` is the immediate of a second slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) dst: u8,
    pub(super) src: u8,
    pub(super) off: i16,
    pub(super) imm: i32,
    pub(super) high: i32,
}

impl Fields {
    /// With this second operand.
    const fn with(mut self, operand: Operand) -> (Self, Source) {
        match operand {
            Operand::Reg(reg) => {
                self.src = reg.number();
                (self, Source::Reg)
            }
            Operand::Imm(imm) => {
                self.imm = imm;
                (self, Source::Imm)
            }
        }
    }

    fn dst(&self) -> Option<Reg> {
        Reg::new(self.dst)
    }

    fn src(&self) -> Option<Reg> {
        Reg::new(self.src)
    }

    fn operand(&self, source: Source) -> Option<Operand> {
        match source {
            Source::Reg => self.src().map(Operand::Reg),
            Source::Imm => Some(Operand::Imm(self.imm)),
        }
    }
}

/// Takes an instruction apart.
pub(super) fn split(insn: Insn) -> (Form, Fields) {
    let none = Fields::default();
    let to = |dst: Reg| Fields {
        dst: dst.number(),
        ..none
    };
    let jump = |off: i16| Fields { off, ..none };
    match insn {
        Insn::Alu {
            op,
            width,
            dst,
            src,
        } => {
            let (fields, source) = to(dst).with(src);
            (Form::Alu(op, width, source), fields)
        }
        Insn::Neg { width, dst } => (Form::Neg(width), to(dst)),
        Insn::MovSx { extend, dst, src } => {
            let (fields, _) = to(dst).with(src.into());
            (Form::MovSx(extend), fields)
        }
        Insn::ByteOrder { order, bits, dst } => (Form::ByteOrder(order, bits), to(dst)),
        Insn::LoadImm64 { dst, imm } => {
            let (pseudo, imm, high) = halves(imm);
            let fields = Fields {
                imm,
                high,
                ..to(dst)
            };
            (Form::LoadImm64(pseudo), fields)
        }
        Insn::Load {
            kind,
            dst,
            base,
            off,
        } => {
            let (fields, _) = Fields { off, ..to(dst) }.with(base.into());
            (Form::Load(kind), fields)
        }
        Insn::Store {
            size,
            base,
            off,
            src,
        } => {
            let (fields, source) = Fields { off, ..to(base) }.with(src);
            (Form::Store(size, source), fields)
        }
        Insn::Atomic {
            op,
            width,
            base,
            off,
            src,
        } => {
            let (fields, _) = Fields { off, ..to(base) }.with(src.into());
            (Form::Atomic(op, width), fields)
        }
        Insn::Goto { off } => (Form::Goto, jump(off)),
        Insn::GotoLong { off } => (Form::GotoLong, Fields { imm: off, ..none }),
        Insn::JumpIf {
            cond,
            width,
            dst,
            src,
            off,
        } => {
            let (fields, source) = Fields { off, ..to(dst) }.with(src);
            (Form::JumpIf(cond, width, source), fields)
        }
        Insn::MayGoto { off } => (Form::MayGoto, jump(off)),
        Insn::Call { callee } => match callee {
            Callee::Helper(imm) => (Form::Call(Target::Helper), Fields { imm, ..none }),
            Callee::Local(imm) => (Form::Call(Target::Local), Fields { imm, ..none }),
            Callee::Kfunc { btf, module } => {
                let fields = Fields {
                    imm: btf,
                    off: module,
                    ..none
                };
                (Form::Call(Target::Kfunc), fields)
            }
        },
        Insn::Exit => (Form::Exit, none),
    }
}

/// Puts an instruction together; `None` when a register's number is above 10.
pub(super) fn join(form: Form, fields: Fields) -> Option<Insn> {
    let off = fields.off;
    Some(match form {
        Form::Alu(op, width, source) => Insn::Alu {
            op,
            width,
            dst: fields.dst()?,
            src: fields.operand(source)?,
        },
        Form::Neg(width) => Insn::Neg {
            width,
            dst: fields.dst()?,
        },
        Form::MovSx(extend) => Insn::MovSx {
            extend,
            dst: fields.dst()?,
            src: fields.src()?,
        },
        Form::ByteOrder(order, bits) => Insn::ByteOrder {
            order,
            bits,
            dst: fields.dst()?,
        },
        Form::LoadImm64(pseudo) => Insn::LoadImm64 {
            dst: fields.dst()?,
            imm: whole(pseudo, fields.imm, fields.high),
        },
        Form::Load(kind) => Insn::Load {
            kind,
            dst: fields.dst()?,
            base: fields.src()?,
            off,
        },
        Form::Store(size, source) => Insn::Store {
            size,
            base: fields.dst()?,
            off,
            src: fields.operand(source)?,
        },
        Form::Atomic(op, width) => Insn::Atomic {
            op,
            width,
            base: fields.dst()?,
            off,
            src: fields.src()?,
        },
        Form::Goto => Insn::Goto { off },
        Form::GotoLong => Insn::GotoLong { off: fields.imm },
        Form::JumpIf(cond, width, source) => Insn::JumpIf {
            cond,
            width,
            dst: fields.dst()?,
            src: fields.operand(source)?,
            off,
        },
        Form::MayGoto => Insn::MayGoto { off },
        Form::Call(target) => Insn::Call {
            callee: match target {
                Target::Helper => Callee::Helper(fields.imm),
                Target::Local => Callee::Local(fields.imm),
                Target::Kfunc => Callee::Kfunc {
                    btf: fields.imm,
                    module: off,
                },
            },
        },
        Form::Exit => Insn::Exit,
    })
}

/// The immediates of both slots.
fn halves(imm: Imm64) -> (Pseudo, i32, i32) {
    match imm {
        Imm64::Value(value) => {
            let [l0, l1, l2, l3, h0, h1, h2, h3] = value.to_le_bytes();
            let low = i32::from_le_bytes([l0, l1, l2, l3]);
            let high = i32::from_le_bytes([h0, h1, h2, h3]);
            (Pseudo::Value, low, high)
        }
        Imm64::MapFd(fd) => (Pseudo::MapFd, fd, 0),
        Imm64::MapValue { fd, offset } => (Pseudo::MapValue, fd, offset.cast_signed()),
        Imm64::Variable { btf, module_fd } => (Pseudo::Variable, btf, module_fd),
        Imm64::Code(slots) => (Pseudo::Code, slots, 0),
        Imm64::MapIndex(index) => (Pseudo::MapIndex, index, 0),
        Imm64::MapIndexValue { index, offset } => {
            (Pseudo::MapIndexValue, index, offset.cast_signed())
        }
    }
}

const fn whole(pseudo: Pseudo, low: i32, high: i32) -> Imm64 {
    let offset = high.cast_unsigned();
    match pseudo {
        Pseudo::Value => Imm64::Value((offset as u64) << 32 | low.cast_unsigned() as u64),
        Pseudo::MapFd => Imm64::MapFd(low),
        Pseudo::MapValue => Imm64::MapValue { fd: low, offset },
        Pseudo::Variable => Imm64::Variable {
            btf: low,
            module_fd: high,
        },
        Pseudo::Code => Imm64::Code(low),
        Pseudo::MapIndex => Imm64::MapIndex(low),
        Pseudo::MapIndexValue => Imm64::MapIndexValue { index: low, offset },
    }
}
