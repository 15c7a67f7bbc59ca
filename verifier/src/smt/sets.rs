//! Interned sets: equal sets are one number, and unions are remembered.

use std::hash::{Hash, Hasher};

use hashbrown::{HashMap, HashTable};
use rustc_hash::{FxBuildHasher, FxHasher};

/// A set, as an index into the [`Sets`] that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SetId(u32);

impl SetId {
    /// The set without members.
    pub(super) const EMPTY: SetId = SetId(0);
}

/// Sorted sets of `T`.
#[derive(Clone, Debug)]
pub(super) struct Sets<T> {
    /// Where each set lies in `members`.
    ranges: Vec<(u32, u32)>,
    members: Vec<T>,
    table: HashTable<u32>,
    unions: HashMap<(SetId, SetId), SetId, FxBuildHasher>,
}

impl<T: Copy + Ord + Hash> Sets<T> {
    pub(super) fn new() -> Sets<T> {
        Sets {
            ranges: vec![(0, 0)],
            members: Vec::new(),
            table: HashTable::new(),
            unions: HashMap::default(),
        }
    }

    /// The members in ascending order.
    pub(super) fn members(&self, set: SetId) -> &[T] {
        slice(&self.ranges, &self.members, set.0)
    }

    /// The set of `members`, which must be in ascending order without repetition.
    pub(super) fn intern(&mut self, members: &[T]) -> SetId {
        if members.is_empty() {
            return SetId::EMPTY;
        }
        let Sets {
            ranges,
            members: all,
            table,
            ..
        } = self;
        let hash = hash_of(members);
        if let Some(&set) = table.find(hash, |&set| slice(ranges, all, set) == members) {
            return SetId(set);
        }
        let set = number(ranges.len());
        ranges.push((number(all.len()), number(members.len())));
        all.extend_from_slice(members);
        table.insert_unique(hash, set, |&other| hash_of(slice(ranges, all, other)));
        SetId(set)
    }

    /// The union of two sets.
    pub(super) fn union(&mut self, a: SetId, b: SetId) -> SetId {
        let (a, b) = (a.min(b), a.max(b));
        if a == b || a == SetId::EMPTY {
            return b;
        }
        if let Some(&known) = self.unions.get(&(a, b)) {
            return known;
        }
        let mut both = [self.members(a), self.members(b)].concat();
        both.sort_unstable();
        both.dedup();
        let union = self.intern(&both);
        self.unions.insert((a, b), union);
        union
    }

    /// The members of a set that are not in `removed`.
    pub(super) fn without(&mut self, set: SetId, removed: &[T]) -> SetId {
        let kept: Vec<T> = self
            .members(set)
            .iter()
            .copied()
            .filter(|member| !removed.contains(member))
            .collect();
        self.intern(&kept)
    }
}

fn slice<'a, T>(ranges: &[(u32, u32)], members: &'a [T], set: u32) -> &'a [T] {
    let (start, len) = ranges[set as usize];
    &members[start as usize..][..len as usize]
}

fn hash_of<T: Hash>(members: &[T]) -> u64 {
    let mut hasher = FxHasher::default();
    members.hash(&mut hasher);
    hasher.finish()
}

fn number(length: usize) -> u32 {
    u32::try_from(length).expect("an arena of terms makes fewer than 2^32 sets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_are_one_number() {
        let mut sets = Sets::new();
        let (a, b) = (sets.intern(&[1, 3]), sets.intern(&[2, 3]));
        let union = sets.union(a, b);
        assert_eq!(sets.members(union), [1, 2, 3]);
        assert_eq!(sets.union(b, a), union);
        assert_eq!(sets.intern(&[1, 2, 3]), union);
        assert_eq!(sets.without(union, &[2]), a);
        assert_eq!(sets.without(union, &[1, 2, 3]), SetId::EMPTY);
        assert_eq!(sets.union(SetId::EMPTY, a), a);
    }
}
