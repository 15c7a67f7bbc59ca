//! RANDOM: splitmix64 folded over the seed, the site and the enclosing elements, as
//! `progmp_ir::random` defines it.

use progmp_abi::layout::block;
use progmp_ir::SiteId;

use super::Lower;
use super::build::Val;
use crate::isa::AluOp;

impl Lower<'_> {
    /// The value of a site in the present scope: 32 bits.
    pub(super) fn random(&mut self, site: SiteId) -> Val {
        let seed = self.b.member(block::SEED);
        let hash = self.splitmix64(seed);
        let hash = self.b.xor(hash, Val::Const(site.index() as u64));
        let mut hash = self.splitmix64(hash);
        for elem in self.scope.clone() {
            let name = self.name(elem);
            let mixed = self.b.xor(hash, name);
            hash = self.splitmix64(mixed);
        }
        self.b.shr(hash, Val::Const(32))
    }

    /// One step of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
    fn splitmix64(&mut self, x: Val) -> Val {
        let x = self.b.add(x, Val::Const(0x9e37_79b9_7f4a_7c15));
        let x = self.mix(x, 30, 0xbf58_476d_1ce4_e5b9);
        let x = self.mix(x, 27, 0x94d0_49bb_1331_11eb);
        let high = self.b.shr(x, Val::Const(31));
        self.b.xor(x, high)
    }

    fn mix(&mut self, x: Val, shift: u64, factor: u64) -> Val {
        let high = self.b.shr(x, Val::Const(shift));
        let mixed = self.b.xor(x, high);
        self.b.alu(AluOp::Mul, mixed, Val::Const(factor))
    }
}
