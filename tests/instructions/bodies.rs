//! The forms of instructions, each as short pieces of code that put a result into r0.
//!
//! A piece finds its operands in r0 and r1, and their address in r8. It may use r0 to r5 and the
//! stack.

use progmp_codegen_ebpf::isa::{
    AluOp, AtomicOp, Bits, Cond, Extend, Imm64, Insn, LoadKind, Operand, Order, Reg, Size, Width,
    alu64, load, mov, store,
};

/// A piece of code.
pub(crate) type Body = Vec<Insn>;

/// A form, and the pieces that show what it does.
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) bodies: Vec<Body>,
}

/// Immediates at which sign extension and truncation show.
const IMMEDIATES: [i32; 24] = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    7,
    8,
    15,
    31,
    32,
    63,
    64,
    127,
    128,
    -128,
    255,
    0x7fff,
    0x8000,
    -0x8000,
    0xffff,
    0x5555_5555,
    i32::MAX,
    i32::MIN,
];

const WIDTHS: [Width; 2] = [Width::W32, Width::W64];
const SIZES: [Size; 4] = [Size::U8, Size::U16, Size::U32, Size::U64];
const ALU_OPS: [AluOp; 14] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Sdiv,
    AluOp::Mod,
    AluOp::Smod,
    AluOp::Or,
    AluOp::And,
    AluOp::Xor,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Arsh,
    AluOp::Mov,
];
const CONDITIONS: [Cond; 11] = [
    Cond::Eq,
    Cond::Ne,
    Cond::Gt,
    Cond::Ge,
    Cond::Lt,
    Cond::Le,
    Cond::Set,
    Cond::Sgt,
    Cond::Sge,
    Cond::Slt,
    Cond::Sle,
];
const EXTENSIONS: [Extend; 5] = [
    Extend::S8To32,
    Extend::S16To32,
    Extend::S8To64,
    Extend::S16To64,
    Extend::S32To64,
];
const ATOMICS: [AtomicOp; 10] = [
    AtomicOp::Add(false),
    AtomicOp::Add(true),
    AtomicOp::Or(false),
    AtomicOp::Or(true),
    AtomicOp::And(false),
    AtomicOp::And(true),
    AtomicOp::Xor(false),
    AtomicOp::Xor(true),
    AtomicOp::Exchange,
    AtomicOp::CompareExchange,
];

/// All of them.
pub(crate) fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    arithmetic(&mut forms);
    jumps(&mut forms);
    memory(&mut forms);
    atomics(&mut forms);
    forms
}

fn form(name: String, bodies: impl IntoIterator<Item = Body>) -> Form {
    Form {
        name,
        bodies: bodies.into_iter().collect(),
    }
}

/// Immediates that the kernel accepts with this operation.
fn immediates(op: AluOp, width: Width) -> impl Iterator<Item = i32> {
    let bits = if width == Width::W64 { 64 } else { 32 };
    IMMEDIATES.into_iter().filter(move |&imm| match op {
        AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod => imm != 0,
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => (0..bits).contains(&imm),
        _ => true,
    })
}

fn arithmetic(forms: &mut Vec<Form>) {
    for width in WIDTHS {
        for op in ALU_OPS {
            let insn = |src| Insn::Alu {
                op,
                width,
                dst: Reg::R0,
                src,
            };
            let name = format!("{op:?} {width:?}");
            forms.push(form(
                format!("{name} by register"),
                [vec![insn(Operand::Reg(Reg::R1))]],
            ));
            let mut bodies: Vec<Body> = immediates(op, width)
                .map(|imm| vec![insn(Operand::Imm(imm))])
                .collect();
            // Shifts have few immediates: all that there are.
            if bodies.len() < 16 {
                let bits = if width == Width::W64 { 64 } else { 32 };
                bodies = (0..bits).map(|imm| vec![insn(Operand::Imm(imm))]).collect();
            }
            forms.push(form(format!("{name} by immediate"), bodies));
        }
        let dst = Reg::R0;
        forms.push(form(
            format!("negate {width:?}"),
            [vec![Insn::Neg { width, dst }]],
        ));
    }
    for extend in EXTENSIONS {
        let (dst, src) = (Reg::R0, Reg::R1);
        forms.push(form(
            format!("{extend:?}"),
            [vec![Insn::MovSx { extend, dst, src }]],
        ));
    }
    for order in [Order::Little, Order::Big, Order::Swap] {
        for bits in [Bits::B16, Bits::B32, Bits::B64] {
            let dst = Reg::R0;
            forms.push(form(
                format!("{order:?} {bits:?}"),
                [vec![Insn::ByteOrder { order, bits, dst }]],
            ));
        }
    }
    let constant = |value: u64| {
        let imm = Imm64::Value(value);
        let dst = Reg::R2;
        vec![
            Insn::LoadImm64 { dst, imm },
            alu64(AluOp::Xor, Reg::R0, Reg::R2),
        ]
    };
    let values = (0..64).map(|bit| constant(0x8000_0000_8000_0001_u64.rotate_left(bit)));
    forms.push(form("64-bit constant".to_owned(), values));
}

/// 1 where the jump is taken, else 0.
fn taken(jump: Insn) -> Body {
    vec![
        mov(Reg::R2, Reg::R0),
        mov(Reg::R0, 1),
        jump,
        mov(Reg::R0, 0),
    ]
}

fn jumps(forms: &mut Vec<Form>) {
    for width in WIDTHS {
        for cond in CONDITIONS {
            let jump = |src| Insn::JumpIf {
                cond,
                width,
                dst: Reg::R2,
                src,
                off: 1,
            };
            let name = format!("jump if {cond:?} {width:?}");
            forms.push(form(
                format!("{name} by register"),
                [taken(jump(Operand::Reg(Reg::R1)))],
            ));
            for (kind, negative) in [("immediate", false), ("negative immediate", true)] {
                let immediates = IMMEDIATES.iter().filter(|&&imm| (imm < 0) == negative);
                let bodies = immediates.map(|&imm| taken(jump(Operand::Imm(imm))));
                forms.push(form(format!("{name} by {kind}"), bodies));
            }
        }
    }
    for jump in [
        Insn::Goto { off: 1 },
        Insn::GotoLong { off: 1 },
        Insn::MayGoto { off: 1 },
    ] {
        // Taken on one path only, so that what it skips is not dead.
        let around = Insn::JumpIf {
            cond: Cond::Gt,
            width: Width::W64,
            dst: Reg::R0,
            src: Operand::Reg(Reg::R1),
            off: 1,
        };
        let add = |imm| alu64(AluOp::Add, Reg::R0, imm);
        forms.push(form(
            format!("{jump}"),
            [vec![around, jump, add(1), add(2)]],
        ));
    }
}

/// A store of a whole word below the frame pointer.
fn spill(src: Reg) -> Insn {
    store(Size::U64, Reg::R10, -8, src)
}

fn reload(dst: Reg) -> Insn {
    load(Size::U64, dst, Reg::R10, -8)
}

fn memory(forms: &mut Vec<Form>) {
    let kinds =
        SIZES
            .map(LoadKind::Zero)
            .into_iter()
            .chain([LoadKind::S8, LoadKind::S16, LoadKind::S32]);
    for kind in kinds {
        // Also across the border of two words.
        let bodies = (0..=8).map(|off| {
            vec![Insn::Load {
                kind,
                dst: Reg::R0,
                base: Reg::R8,
                off,
            }]
        });
        // Nine offsets, twice: from memory and from the stack.
        let from_stack = [Reg::R0, Reg::R1].map(|spilled| {
            vec![
                spill(spilled),
                Insn::Load {
                    kind,
                    dst: Reg::R0,
                    base: Reg::R10,
                    off: -8,
                },
            ]
        });
        let bodies = bodies.chain(from_stack).collect::<Vec<_>>();
        forms.push(form(format!("load {kind:?}"), bodies));
    }
    for size in SIZES {
        let room = match size {
            Size::U8 => 7,
            Size::U16 => 6,
            Size::U32 => 4,
            Size::U64 => 0,
        };
        // The second operand gives its place, and has it back afterwards.
        let into = |off: i16, src: Operand| {
            vec![
                Insn::Store {
                    size,
                    base: Reg::R8,
                    off: 8 + off,
                    src,
                },
                load(Size::U64, Reg::R0, Reg::R8, 8),
                store(Size::U64, Reg::R8, 8, Reg::R1),
            ]
        };
        let registers = (0..=room).map(|off| into(off, Operand::Reg(Reg::R0)));
        forms.push(form(format!("store {size:?} of a register"), registers));
        let immediates = IMMEDIATES.map(|imm| into(0, Operand::Imm(imm)));
        forms.push(form(format!("store {size:?} of a constant"), immediates));
    }
}

fn atomics(forms: &mut Vec<Form>) {
    for width in WIDTHS {
        for op in ATOMICS {
            // r1 in the cell, r2 the operand; r0 is compared with the cell by the last of them.
            let run = |result: Insn| {
                vec![
                    spill(Reg::R1),
                    mov(Reg::R2, Reg::R0),
                    Insn::Atomic {
                        op,
                        width,
                        base: Reg::R10,
                        off: -8,
                        src: Reg::R2,
                    },
                    result,
                ]
            };
            let bodies = [
                run(reload(Reg::R0)),
                run(mov(Reg::R0, Reg::R2)),
                run(mov(Reg::R0, Reg::R0)),
            ];
            forms.push(form(format!("atomic {op:?} {width:?}"), bodies));
        }
    }
}
