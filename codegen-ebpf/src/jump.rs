//! Jumps: from blocks to distances in slots.
//!
//! A distance counts 8-byte slots from the instruction after the jump. Conditional jumps have 16
//! signed bits for it, `gotol` has 32 (RFC 9669, sections 4.3 and 4.4): a conditional jump that is
//! too far goes to a `gotol` nearby.

use progmp_ir::Span;

use crate::isa::{Cond, Insn, Operand, Reg, Width};
use crate::vcode::BlockId;

/// An instruction, or a jump to a block.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    Insn(Insn),
    Jump {
        to: BlockId,
    },
    JumpIf {
        cond: Cond,
        width: Width,
        dst: Reg,
        src: Operand,
        to: BlockId,
        /// It is not to be inverted.
        fixed: bool,
    },
    MayGoto {
        to: BlockId,
    },
}

/// Instructions with their distances.
pub(crate) struct Placed {
    pub(crate) insns: Vec<Insn>,
    /// Where a new piece of source starts.
    pub(crate) lines: Vec<(usize, Span)>,
    pub(crate) slots: usize,
    /// Slots of each block.
    pub(crate) sizes: Vec<usize>,
}

/// The condition that holds where this one does not; `&` has none.
pub(crate) const fn inverse(cond: Cond) -> Option<Cond> {
    Some(match cond {
        Cond::Eq => Cond::Ne,
        Cond::Ne => Cond::Eq,
        Cond::Gt => Cond::Le,
        Cond::Ge => Cond::Lt,
        Cond::Lt => Cond::Ge,
        Cond::Le => Cond::Gt,
        Cond::Sgt => Cond::Sle,
        Cond::Sge => Cond::Slt,
        Cond::Slt => Cond::Sge,
        Cond::Sle => Cond::Sgt,
        Cond::Set => return None,
    })
}

/// Slots of a conditional jump whose distance does not fit: over a jump, to a `gotol`.
const FAR: usize = 3;

/// What an instruction with 16 bits for it may jump over. The kernel replaces each `may_goto` by up to
/// ten instructions after it has verified a program, and jumps over those must fit still; there is
/// less than one of them in ten instructions.
const NEAR: i64 = 15_000;

/// The distance, if it is near.
fn near(distance: i64) -> Option<i16> {
    let is_near = (-NEAR..=NEAR).contains(&distance);
    is_near.then(|| i16::try_from(distance).expect("what is near fits into 16 bits"))
}

/// Finds the distances. `starts` is the first item of each block.
pub(crate) fn place(items: &[(Item, Span)], starts: &[usize]) -> Placed {
    let mut layout = Layout::new(items, starts);
    while layout.lengthen() {}
    layout.write()
}

struct Layout<'i> {
    items: Vec<(Item, Span)>,
    /// The item that each block starts with; blocks that only jump are skipped.
    targets: Vec<usize>,
    starts: &'i [usize],
    /// Slots of each item.
    sizes: Vec<usize>,
    /// The first slot of each item, and one past the last.
    slots: Vec<usize>,
}

impl<'i> Layout<'i> {
    fn new(items: &[(Item, Span)], starts: &'i [usize]) -> Self {
        let targets = starts.iter().map(|&at| {
            let mut at = at;
            // Blocks are finitely many, and a ring of jumps alone would be a loop without a guard.
            for _ in starts {
                match items.get(at) {
                    Some((Item::Jump { to }, _)) => at = starts[to.index()],
                    _ => break,
                }
            }
            at
        });
        let mut layout = Self {
            items: items.to_vec(),
            targets: targets.collect(),
            starts,
            sizes: Vec::new(),
            slots: Vec::new(),
        };
        layout.sizes = items
            .iter()
            .map(|(item, _)| match item {
                Item::Insn(insn) => insn.slots(),
                _ => 1,
            })
            .collect();
        layout.drop_dead();
        while layout.invert() {
            layout.drop_dead();
        }
        layout.number();
        layout
    }

    /// Leaves out jumps to what follows, and what no jump leads to.
    fn drop_dead(&mut self) {
        loop {
            let mut reached = vec![false; self.items.len() + 1];
            let mut work = vec![0];
            while let Some(mut at) = work.pop() {
                while at < self.items.len() && !std::mem::replace(&mut reached[at], true) {
                    let (item, _) = &self.items[at];
                    if self.sizes[at] == 0 {
                        at += 1;
                        continue;
                    }
                    match item {
                        Item::JumpIf { to, .. } | Item::MayGoto { to } => {
                            work.push(self.targets[to.index()]);
                        }
                        Item::Jump { to } => {
                            work.push(self.targets[to.index()]);
                            break;
                        }
                        Item::Insn(Insn::Exit) => break,
                        Item::Insn(_) => {}
                    }
                    at += 1;
                }
            }
            let mut changed = false;
            for (at, &reached) in reached.iter().enumerate().take(self.items.len()) {
                let falls = match self.items[at].0 {
                    Item::Jump { to } => {
                        let next = (at + 1..self.items.len()).find(|&next| self.sizes[next] > 0);
                        next == Some(self.targets[to.index()])
                    }
                    _ => false,
                };
                if self.sizes[at] > 0 && (falls || !reached) {
                    self.sizes[at] = 0;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
    }

    /// A conditional jump over a jump becomes the inverse jump; whether there was any.
    fn invert(&mut self) -> bool {
        let kept: Vec<usize> = (0..self.items.len())
            .filter(|&at| self.sizes[at] > 0)
            .collect();
        let mut changed = false;
        for three in kept.windows(3) {
            let &[at, over, beyond] = three else {
                unreachable!("windows have their length");
            };
            let (
                Item::JumpIf {
                    cond,
                    to,
                    fixed: false,
                    ..
                },
                Item::Jump { to: other },
            ) = (self.items[at].0, self.items[over].0)
            else {
                continue;
            };
            let lands = self.sizes[over] > 0 && self.targets[to.index()] == beyond;
            if let (true, Some(inverse)) = (lands, inverse(cond)) {
                if let Item::JumpIf { cond, to, .. } = &mut self.items[at].0 {
                    (*cond, *to) = (inverse, other);
                }
                // A jump elsewhere may lead to this one.
                self.sizes[over] = 0;
                changed = true;
            }
        }
        changed
    }

    fn number(&mut self) {
        self.slots.clear();
        let mut slot = 0;
        for &size in &self.sizes {
            self.slots.push(slot);
            slot += size;
        }
        self.slots.push(slot);
    }

    fn distance(&self, next: usize, to: BlockId) -> i64 {
        let target = self.slots[self.targets[to.index()]];
        let signed = |slot: usize| i64::try_from(slot).expect("programs are short");
        signed(target) - signed(next)
    }

    /// Gives long forms to the conditional jumps that need them; whether there were any.
    fn lengthen(&mut self) -> bool {
        let mut longer = false;
        for at in 0..self.items.len() {
            let (Item::JumpIf { to, .. } | Item::MayGoto { to }) = self.items[at].0 else {
                continue;
            };
            if self.sizes[at] == 1 && near(self.distance(self.slots[at] + 1, to)).is_none() {
                self.sizes[at] = FAR;
                longer = true;
            }
        }
        self.number();
        longer
    }

    fn write(&self) -> Placed {
        let mut insns = Vec::new();
        let mut lines: Vec<(usize, Span)> = Vec::new();
        for (at, (item, span)) in self.items.iter().enumerate() {
            if self.sizes[at] == 0 {
                continue;
            }
            if lines.last().is_none_or(|(_, last)| last != span) {
                lines.push((self.slots[at], *span));
            }
            match *item {
                Item::Insn(insn) => insns.push(insn),
                Item::Jump { to } => insns.push(self.goto(self.slots[at] + 1, to)),
                Item::JumpIf {
                    cond,
                    width,
                    dst,
                    src,
                    to,
                    ..
                } => self.conditional(&mut insns, at, to, |off| Insn::JumpIf {
                    cond,
                    width,
                    dst,
                    src,
                    off,
                }),
                Item::MayGoto { to } => {
                    self.conditional(&mut insns, at, to, |off| Insn::MayGoto { off });
                }
            }
        }
        let ends = self.starts.iter().skip(1).copied();
        let ends = ends.chain(std::iter::once(self.items.len()));
        let sizes = self.starts.iter().zip(ends);
        let sizes = sizes.map(|(&start, end)| self.slots[end] - self.slots[start]);
        Placed {
            insns,
            lines,
            slots: self.slots[self.items.len()],
            sizes: sizes.collect(),
        }
    }

    fn goto(&self, next: usize, to: BlockId) -> Insn {
        let distance = self.distance(next, to);
        match near(distance) {
            Some(off) => Insn::Goto { off },
            None => Insn::GotoLong {
                off: i32::try_from(distance).expect("programs are shorter than 2^31 slots"),
            },
        }
    }

    fn conditional(
        &self,
        insns: &mut Vec<Insn>,
        at: usize,
        to: BlockId,
        jump: impl FnOnce(i16) -> Insn,
    ) {
        let slot = self.slots[at];
        if self.sizes[at] == 1 {
            let off = near(self.distance(slot + 1, to));
            insns.push(jump(off.expect("jumps that are too far are long")));
        } else {
            insns.push(jump(1));
            insns.push(Insn::Goto { off: 1 });
            insns.push(match self.goto(slot + FAR, to) {
                Insn::Goto { off } => Insn::GotoLong { off: off.into() },
                long => long,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{self, encode};

    fn block(position: usize) -> BlockId {
        BlockId::new(position)
    }

    /// Block 0: a conditional jump over `between` instructions in block 1, to block 2.
    fn over(between: usize) -> Placed {
        let jump = Item::JumpIf {
            cond: Cond::Eq,
            width: Width::W64,
            dst: Reg::R1,
            src: Operand::Imm(0),
            to: block(2),
            fixed: false,
        };
        let filler = Item::Insn(isa::mov(Reg::R0, 0));
        let mut items = vec![jump, Item::Jump { to: block(1) }];
        items.extend(std::iter::repeat_n(filler, between));
        items.push(Item::Jump { to: block(2) });
        items.push(Item::Insn(Insn::Exit));
        let items: Vec<_> = items.into_iter().map(|i| (i, Span::default())).collect();
        let starts = [0, 2, 3 + between];
        place(&items, &starts)
    }

    #[test]
    fn a_jump_to_what_follows_is_left_out() {
        let placed = over(2);
        assert_eq!(placed.insns.len(), 4);
        assert_eq!(placed.insns[0].jump(), Some(2));
        assert_eq!(placed.sizes, [1, 2, 1]);
    }

    #[test]
    fn a_jump_too_far_goes_by_a_long_one() {
        let near = over(15_000);
        assert_eq!(near.insns[0].jump(), Some(15_000));
        let far = over(15_001);
        assert_eq!(far.insns[0].jump(), Some(1));
        assert_eq!(far.insns[1], Insn::Goto { off: 1 });
        assert_eq!(far.insns[2], Insn::GotoLong { off: 15_001 });
        assert_eq!(encode(&far.insns).len(), 8 * far.slots);
    }
}
