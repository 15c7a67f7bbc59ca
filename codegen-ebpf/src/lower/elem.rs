//! References: to subflow and packet records, and what is read of them.

use progmp_abi::layout::{self, block, packet, subflow};
use progmp_abi::{place_of, word_of};
use progmp_ir::{ExprId, ExprKind, Kind, PacketInt, SubflowBool, SubflowInt};

use super::build::Val;
use super::{Binding, Lower};
use crate::isa::{Cond, Size};
use crate::vcode::{BlockId, Vreg};

/// A reference that is not NULL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elem {
    pub(super) kind: Kind,
    /// The record's index in its low bits; what stands above them is to be masked away.
    pub(super) index: Val,
    /// The block's address plus the record's distance from the first record, if it is at hand.
    pub(super) record: Option<Vreg>,
    /// The word that has the subflow's bit alone, if it is at hand.
    pub(super) bit: Option<Val>,
}

impl Elem {
    /// A reference by index.
    pub(super) const fn new(kind: Kind, index: Val) -> Self {
        Self {
            kind,
            index,
            record: None,
            bit: None,
        }
    }

    const fn mask(self) -> u64 {
        (match self.kind {
            Kind::Subflow => layout::SUBFLOWS,
            Kind::Packet => layout::PACKETS,
        }) as u64
            - 1
    }
}

impl Lower<'_> {
    /// The index of the record, and nothing else.
    pub(super) fn index(&mut self, elem: Elem) -> Val {
        self.b.and(elem.index, Val::Const(elem.mask()))
    }

    /// The reference with its record at hand.
    pub(super) fn with_record(&mut self, mut elem: Elem) -> Elem {
        if let (Val::Reg(_), None) = (elem.index, elem.record) {
            let stride = match elem.kind {
                Kind::Subflow => subflow::BYTES,
                Kind::Packet => packet::BYTES,
            };
            let index = self.index(elem);
            let distance = self.b.shl(index, Val::Const(u64::from(stride.ilog2())));
            elem.record = Some(self.b.address(distance));
        }
        elem
    }

    /// An address, and the distance of a field of the record from it.
    fn field(&mut self, elem: Elem, offset: usize) -> (Vreg, usize) {
        let (first, stride) = match elem.kind {
            Kind::Subflow => (block::SUBFLOW, subflow::BYTES),
            Kind::Packet => (block::PACKET, packet::BYTES),
        };
        if let Val::Const(index) = elem.index {
            let index = usize::try_from(index).expect("known indices are small");
            return (self.b.base(), first + stride * index + offset);
        }
        let elem = self.with_record(elem);
        let record = elem.record.expect("the record is at hand now");
        (record, first + offset)
    }

    /// Evaluates a reference; leaves for `null` if it is NULL.
    pub(super) fn elem(&mut self, id: ExprId, null: BlockId) -> Elem {
        match self.program.expr(id).kind {
            ExprKind::Var(var) => {
                let &Binding::Elem { elem, nullable } = self.var(var) else {
                    unreachable!("a well-formed program has a reference here");
                };
                if nullable {
                    let none = Val::Const(u64::MAX);
                    self.b.leave_if(Cond::Eq, elem.index, none, (null, &[]));
                }
                elem
            }
            ExprKind::Null => {
                self.b.goto((null, &[]));
                self.b.nowhere();
                let kind = match self.program.expr(id).ty {
                    progmp_ir::Type::Subflow => Kind::Subflow,
                    _ => Kind::Packet,
                };
                Elem::new(kind, Val::Const(0))
            }
            ExprKind::First(list) => match self.kind_of(list) {
                Kind::Subflow => {
                    let set = self.subflows(list);
                    self.first_subflow(set, null)
                }
                Kind::Packet => {
                    if let Some((elem, _)) = self.first_of(list) {
                        let none = Val::Const(u64::MAX);
                        self.b.leave_if(Cond::Eq, elem.index, none, (null, &[]));
                        return elem;
                    }
                    let list = self.packets(list);
                    self.first_packet(&list, null)
                }
            },
            ExprKind::Last(list) => match self.kind_of(list) {
                Kind::Subflow => {
                    let set = self.subflows(list);
                    self.last_subflow(set, null)
                }
                Kind::Packet => {
                    let list = self.packets(list);
                    self.last_packet(&list, null)
                }
            },
            ExprKind::Get { list, index } => match self.kind_of(list) {
                Kind::Subflow => {
                    let set = self.subflows(list);
                    let index = self.int(index, null);
                    self.nth_subflow(set, index, null)
                }
                Kind::Packet => {
                    let list = self.packets(list);
                    let index = self.int(index, null);
                    self.nth_packet(&list, index, null)
                }
            },
            ExprKind::Extremum(which, list, lambda) => self.extremum(which, list, lambda, null),
            ref other => unreachable!("{other:?} is no reference"),
        }
    }

    /// An integer property of a subflow.
    pub(super) fn subflow_int(&mut self, elem: Elem, property: SubflowInt) -> Val {
        let Some((offset, bytes)) = place_of(property) else {
            let (address, at) = self.user(elem);
            return self.b.load(Size::U64, address, at);
        };
        let size = if bytes == 4 { Size::U32 } else { Size::U64 };
        let (record, at) = self.field(elem, offset);
        self.b.load(size, record, at)
    }

    /// Where USER of a subflow stands.
    pub(super) fn user(&mut self, elem: Elem) -> (Vreg, usize) {
        match self.index(elem) {
            Val::Const(index) => {
                let index = usize::try_from(index).expect("known indices are small");
                (self.b.base(), block::USER + 8 * index)
            }
            index @ Val::Reg(_) => {
                let distance = self.b.shl(index, Val::Const(3));
                (self.b.address(distance), block::USER)
            }
        }
    }

    /// An integer property of a packet.
    pub(super) fn packet_int(&mut self, elem: Elem, property: PacketInt) -> Val {
        let (offset, size) = match property {
            PacketInt::Length => (packet::LENGTH, Size::U32),
            PacketInt::Seq => (packet::SEQ, Size::U64),
            PacketInt::User => (packet::USER, Size::U64),
        };
        let (record, at) = self.field(elem, offset);
        self.b.load(size, record, at)
    }

    /// The word of subflows on which the packet was sent, or whose windows have room for it, or
    /// the packet's flags.
    pub(super) fn packet_word(&mut self, elem: Elem, offset: usize) -> Val {
        let (record, at) = self.field(elem, offset);
        self.b.load(Size::U32, record, at)
    }

    /// Goes to `yes` if the word has the subflow's bit.
    pub(super) fn test_bit(&mut self, word: Val, subflow: Elem, yes: BlockId, no: BlockId) {
        match self.index(subflow) {
            Val::Const(index) if index < 31 => {
                let bit = Val::Const(1 << index);
                self.b.test(Cond::Set, word, bit, (yes, &[]), (no, &[]));
            }
            _ if subflow.bit.is_some() => {
                let bit = subflow.bit.expect("it was asked for");
                self.b.test(Cond::Set, word, bit, (yes, &[]), (no, &[]));
            }
            index => {
                let shifted = self.b.shr(word, index);
                let one = Val::Const(1);
                self.b.test(Cond::Set, shifted, one, (yes, &[]), (no, &[]));
            }
        }
    }

    /// The word of subflows of which a flag holds.
    pub(super) fn flag_word(&mut self, flag: SubflowBool) -> Val {
        self.b.member(word_of(flag))
    }

    /// The ID or the SEQ of an element.
    pub(super) fn name(&mut self, elem: Elem) -> Val {
        match elem.kind {
            Kind::Subflow => self.subflow_int(elem, SubflowInt::Id),
            Kind::Packet => self.packet_int(elem, PacketInt::Seq),
        }
    }
}
