//! The one table: each form's opcode, its fixed fields and its text.
//!
//! Opcodes are sums as in RFC 9669, section 3: class + operation + source for arithmetic and
//! jumps, class + mode + size for memory. A field is fixed to a value or left to an operand.

use std::sync::LazyLock;

use super::form::{Form, Pseudo, Source, Target};
use super::{AluOp, AtomicOp, Bits, Cond, Extend, LoadKind, Order, Size, Width};

/// A row: how one form looks.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) form: Form,
    pub(super) opcode: u8,
    /// The value of each field that is no operand; `None` is an operand.
    pub(super) dst: Option<u8>,
    pub(super) src: Option<u8>,
    pub(super) off: Option<i16>,
    pub(super) imm: Option<i32>,
    /// Of a second slot, for forms that have one.
    pub(super) high: Option<i32>,
    /// `{d}` and `{s}` stand for the numbers of registers, `{m}` for a signed distance in an
    /// address, `{o}` for one of a jump, `{i}` for the immediate, `{l}` for it as a distance, `{u}` without
    /// a sign, `{h}` for that of the second slot, `{v}` for a 64-bit immediate; what follows `#` is a comment.
    pub(super) text: String,
}

/// All rows, and where to find one.
pub(super) struct Table {
    rows: Vec<Row>,
    by_opcode: [Vec<usize>; 256],
    by_form: std::collections::BTreeMap<Form, usize>,
}

pub(super) static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

impl Table {
    fn new() -> Self {
        let rows = rows();
        let mut by_opcode = [const { Vec::new() }; 256];
        let mut by_form = std::collections::BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            by_opcode[usize::from(row.opcode)].push(place);
            assert!(
                by_form.insert(row.form, place).is_none(),
                "two rows for {:?}",
                row.form
            );
        }
        Self {
            rows,
            by_opcode,
            by_form,
        }
    }

    /// The row of a form.
    pub(super) fn row(&self, form: Form) -> &Row {
        let place = self.by_form.get(&form);
        &self.rows[*place.unwrap_or_else(|| panic!("{form:?} has no row"))]
    }

    /// The rows that share an opcode; fixed fields tell them apart.
    pub(super) fn of_opcode(&self, opcode: u8) -> impl Iterator<Item = &Row> {
        self.by_opcode[usize::from(opcode)]
            .iter()
            .map(|&place| &self.rows[place])
    }

    #[cfg(test)]
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

// Classes.
const LD: u8 = 0x00;
const LDX: u8 = 0x01;
const ST: u8 = 0x02;
const STX: u8 = 0x03;
const ALU: u8 = 0x04;
const JMP: u8 = 0x05;
const JMP32: u8 = 0x06;
const ALU64: u8 = 0x07;
/// The second operand is a register.
const X: u8 = 0x08;
// Modes of memory access.
const IMM: u8 = 0x00;
const MEM: u8 = 0x60;
const MEMSX: u8 = 0x80;
const ATOMIC: u8 = 0xc0;

/// Operation, code, `offset`, text.
const ALU_OPS: [(AluOp, u8, i16, &str); 14] = [
    (AluOp::Add, 0x00, 0, "+="),
    (AluOp::Sub, 0x10, 0, "-="),
    (AluOp::Mul, 0x20, 0, "*="),
    (AluOp::Div, 0x30, 0, "/="),
    (AluOp::Sdiv, 0x30, 1, "s/="),
    (AluOp::Or, 0x40, 0, "|="),
    (AluOp::And, 0x50, 0, "&="),
    (AluOp::Lsh, 0x60, 0, "<<="),
    (AluOp::Rsh, 0x70, 0, ">>="),
    (AluOp::Mod, 0x90, 0, "%="),
    (AluOp::Smod, 0x90, 1, "s%="),
    (AluOp::Xor, 0xa0, 0, "^="),
    (AluOp::Mov, 0xb0, 0, "="),
    (AluOp::Arsh, 0xc0, 0, "s>>="),
];
const NEG: u8 = 0x80;
const END: u8 = 0xd0;
const MOV: u8 = 0xb0;

/// Extension, class, `offset`.
const EXTENSIONS: [(Extend, u8, i16); 5] = [
    (Extend::S8To32, ALU, 8),
    (Extend::S16To32, ALU, 16),
    (Extend::S8To64, ALU64, 8),
    (Extend::S16To64, ALU64, 16),
    (Extend::S32To64, ALU64, 32),
];

/// Order, class and source, text.
const ORDERS: [(Order, u8, &str); 3] = [
    (Order::Little, ALU, "le"),
    (Order::Big, ALU | X, "be"),
    (Order::Swap, ALU64, "bswap"),
];
const BITS: [(Bits, i32); 3] = [(Bits::B16, 16), (Bits::B32, 32), (Bits::B64, 64)];

/// Size, code, bits.
const SIZES: [(Size, u8, u8); 4] = [
    (Size::U32, 0x00, 32),
    (Size::U16, 0x08, 16),
    (Size::U8, 0x10, 8),
    (Size::U64, 0x18, 64),
];
/// Sign-extending loads: code of the size, bits.
const SIGNED_LOADS: [(LoadKind, u8, u8); 3] = [
    (LoadKind::S32, 0x00, 32),
    (LoadKind::S16, 0x08, 16),
    (LoadKind::S8, 0x10, 8),
];

/// Operation, immediate, its sign in an assignment, its name in a call.
const ATOMICS: [(AtomicOp, i32, &str); 10] = [
    (AtomicOp::Add(false), 0x00, "+="),
    (AtomicOp::Or(false), 0x40, "|="),
    (AtomicOp::And(false), 0x50, "&="),
    (AtomicOp::Xor(false), 0xa0, "^="),
    (AtomicOp::Add(true), 0x01, "add"),
    (AtomicOp::Or(true), 0x41, "or"),
    (AtomicOp::And(true), 0x51, "and"),
    (AtomicOp::Xor(true), 0xa1, "xor"),
    (AtomicOp::Exchange, 0xe1, "xchg"),
    (AtomicOp::CompareExchange, 0xf1, "cmpxchg"),
];

const CONDITIONS: [(Cond, u8, &str); 11] = [
    (Cond::Eq, 0x10, "=="),
    (Cond::Gt, 0x20, ">"),
    (Cond::Ge, 0x30, ">="),
    (Cond::Set, 0x40, "&"),
    (Cond::Ne, 0x50, "!="),
    (Cond::Sgt, 0x60, "s>"),
    (Cond::Sge, 0x70, "s>="),
    (Cond::Lt, 0xa0, "<"),
    (Cond::Le, 0xb0, "<="),
    (Cond::Slt, 0xc0, "s<"),
    (Cond::Sle, 0xd0, "s<="),
];
const JA: u8 = 0x00;
const CALL: u8 = 0x80;
const EXIT: u8 = 0x90;
const JCOND: u8 = 0xe0;

/// Pseudo source, whether the second slot has an immediate, text.
const PSEUDOS: [(Pseudo, u8, bool, &str); 7] = [
    (Pseudo::Value, 0, true, "r{d} = {v} ll"),
    (Pseudo::MapFd, 1, false, "ld_pseudo r{d}, 1, {u}"),
    (Pseudo::MapValue, 2, true, "ld_pseudo r{d}, 2, {u} # + {h}"),
    (
        Pseudo::Variable,
        3,
        true,
        "ld_pseudo r{d}, 3, {u} # module {h}",
    ),
    (Pseudo::Code, 4, false, "ld_pseudo r{d}, 4, {u}"),
    (Pseudo::MapIndex, 5, false, "ld_pseudo r{d}, 5, {u}"),
    (
        Pseudo::MapIndexValue,
        6,
        true,
        "ld_pseudo r{d}, 6, {u} # + {h}",
    ),
];

/// A row whose fields are all 0 until said otherwise.
fn row(form: Form, opcode: u8, text: impl Into<String>) -> Row {
    Row {
        form,
        opcode,
        dst: Some(0),
        src: Some(0),
        off: Some(0),
        imm: Some(0),
        high: Some(0),
        text: text.into(),
    }
}

impl Row {
    fn dst(mut self) -> Self {
        self.dst = None;
        self
    }

    fn src(mut self) -> Self {
        self.src = None;
        self
    }

    fn off(mut self) -> Self {
        self.off = None;
        self
    }

    fn imm(mut self) -> Self {
        self.imm = None;
        self
    }

    /// The second operand.
    fn operand(self, source: Source) -> Self {
        match source {
            Source::Reg => self.src(),
            Source::Imm => self.imm(),
        }
    }
}

const WIDTHS: [(Width, char); 2] = [(Width::W32, 'w'), (Width::W64, 'r')];
const SOURCES: [(Source, u8); 2] = [(Source::Imm, 0), (Source::Reg, X)];

/// The second operand as text.
fn operand_text(source: Source, letter: char) -> String {
    match source {
        Source::Reg => format!("{letter}{{s}}"),
        Source::Imm => "{i}".to_owned(),
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    arithmetic(&mut rows);
    memory(&mut rows);
    jumps(&mut rows);
    rows
}

fn arithmetic(rows: &mut Vec<Row>) {
    for (width, letter) in WIDTHS {
        let class = if width == Width::W64 { ALU64 } else { ALU };
        for (op, code, off, sign) in ALU_OPS {
            for (source, bit) in SOURCES {
                let right = operand_text(source, letter);
                let text = format!("{letter}{{d}} {sign} {right}");
                let mut row = row(Form::Alu(op, width, source), class | code | bit, text);
                row.off = Some(off);
                rows.push(row.dst().operand(source));
            }
        }
        let text = format!("{letter}{{d}} = -{letter}{{d}}");
        rows.push(row(Form::Neg(width), class | NEG, text).dst());
    }
    for (extend, class, off) in EXTENSIONS {
        let letter = if class == ALU64 { 'r' } else { 'w' };
        let text = format!("{letter}{{d}} = (s{off}){letter}{{s}}");
        let mut row = row(Form::MovSx(extend), class | MOV | X, text);
        row.off = Some(off);
        rows.push(row.dst().src());
    }
    for (order, class, name) in ORDERS {
        for (bits, imm) in BITS {
            let text = format!("r{{d}} = {name}{imm} r{{d}}");
            let mut row = row(Form::ByteOrder(order, bits), class | END, text);
            row.imm = Some(imm);
            rows.push(row.dst());
        }
    }
}

fn memory(rows: &mut Vec<Row>) {
    for (pseudo, source, has_high, text) in PSEUDOS {
        let mut row = row(Form::LoadImm64(pseudo), LD | IMM | 0x18, text);
        row.src = Some(source);
        row.high = if has_high { None } else { Some(0) };
        rows.push(row.dst().imm());
    }
    for (size, code, bits) in SIZES {
        let text = format!("r{{d}} = *(u{bits} *)(r{{s}} {{m}})");
        let form = Form::Load(LoadKind::Zero(size));
        // llvm-objdump writes the register of a narrow load as a 32-bit one.
        let text = if bits < 64 {
            text.replacen('r', "w", 1)
        } else {
            text
        };
        rows.push(row(form, LDX | MEM | code, text).dst().src().off());
        for (source, class) in [(Source::Imm, ST), (Source::Reg, STX)] {
            let letter = if bits < 64 { 'w' } else { 'r' };
            let right = operand_text(source, letter);
            let text = format!("*(u{bits} *)(r{{d}} {{m}}) = {right}");
            let form = Form::Store(size, source);
            let row = row(form, class | MEM | code, text);
            rows.push(row.dst().off().operand(source));
        }
    }
    for (kind, code, bits) in SIGNED_LOADS {
        let text = format!("r{{d}} = *(s{bits} *)(r{{s}} {{m}})");
        rows.push(
            row(Form::Load(kind), LDX | MEMSX | code, text)
                .dst()
                .src()
                .off(),
        );
    }
    for (width, letter) in WIDTHS {
        let (code, bits) = match width {
            Width::W32 => (0x00, 32),
            Width::W64 => (0x18, 64),
        };
        for (op, imm, name) in ATOMICS {
            let cell = format!("(u{bits} *)(r{{d}} {{m}})");
            // llvm-objdump's own names.
            let suffix = if bits == 32 { "32_32" } else { "_64" };
            let text = match op {
                AtomicOp::Add(true)
                | AtomicOp::Or(true)
                | AtomicOp::And(true)
                | AtomicOp::Xor(true) => {
                    format!("{letter}{{s}} = atomic_fetch_{name}({cell}, {letter}{{s}})")
                }
                AtomicOp::Exchange => {
                    format!("{letter}{{s}} = {name}{suffix}(r{{d}} {{m}}, {letter}{{s}})")
                }
                AtomicOp::CompareExchange => {
                    format!("{letter}0 = {name}{suffix}(r{{d}} {{m}}, {letter}0, {letter}{{s}})")
                }
                _ => format!("lock *{cell} {name} {letter}{{s}}"),
            };
            let mut row = row(Form::Atomic(op, width), STX | ATOMIC | code, text);
            row.imm = Some(imm);
            rows.push(row.dst().src().off());
        }
    }
}

fn jumps(rows: &mut Vec<Row>) {
    for (width, letter) in WIDTHS {
        let class = if width == Width::W64 { JMP } else { JMP32 };
        for (cond, code, sign) in CONDITIONS {
            for (source, bit) in SOURCES {
                let right = operand_text(source, letter);
                let text = format!("if {letter}{{d}} {sign} {right} goto {{o}}");
                let form = Form::JumpIf(cond, width, source);
                let row = row(form, class | code | bit, text);
                rows.push(row.dst().off().operand(source));
            }
        }
    }
    rows.push(row(Form::Goto, JMP | JA, "goto {o}").off());
    rows.push(row(Form::GotoLong, JMP32 | JA, "gotol {l}").imm());
    rows.push(row(Form::MayGoto, JMP | JCOND, "may_goto {o}").off());
    for (target, source, text) in [
        (Target::Helper, 0, "call {i}"),
        (Target::Local, 1, "call {i} # local"),
        (Target::Kfunc, 2, "call {i} # kernel function"),
    ] {
        let mut row = row(Form::Call(target), JMP | CALL, text).imm();
        row.src = Some(source);
        row.off = if target == Target::Kfunc {
            None
        } else {
            Some(0)
        };
        rows.push(row);
    }
    rows.push(row(Form::Exit, JMP | EXIT, "exit"));
}
