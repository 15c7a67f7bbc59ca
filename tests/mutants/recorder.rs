//! The interpreter's domain with a memory: which axes of a space an execution depends on.
//!
//! Every state that agrees with the present one on the axes touched so far runs alike, so one
//! execution stands for all of them. (The idea of Korat: Boyapati, Khurshid, Marinov, "Korat:
//! Automated Testing Based on Java Predicates", ISSTA 2002.) Values are those of
//! [`progmp_ir::Concrete`]; a word that is a register's counts as read when it is used.

use std::rc::Rc;

use progmp_ir::{
    ArithOp, Bound, Concrete, Domain, Extremum, KeyFn, Kind, Loop, Machine, Nullable, PacketInt,
    PredicateFn, QueueName, SchedReg, SchedState, SiteId, State, SubflowBool, SubflowInt,
};

use crate::space::{Axis, Space};

/// A word, and the register that it was read from, if it is still that register's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The word.
    pub(crate) value: u64,
    register: Option<usize>,
}

impl From<u64> for Word {
    fn from(value: u64) -> Self {
        Self {
            value,
            register: None,
        }
    }
}

/// Values as in the interpreter; what they depend on is recorded.
pub(crate) struct Recorder<'s> {
    inner: Concrete,
    users: Rc<[Word]>,
    space: &'s Space,
    seen: Vec<bool>,
    /// The axes touched, in the order of the first touch.
    pub(crate) touched: Vec<usize>,
}

impl<'s> Recorder<'s> {
    /// Nothing touched yet.
    pub(crate) fn new(space: &'s Space) -> Self {
        Self {
            inner: Concrete::new(SchedState::default()),
            users: Rc::from([]),
            space,
            seen: vec![false; space.sizes().len()],
            touched: Vec::new(),
        }
    }

    /// The start of an execution in a state; what was touched stays so.
    pub(crate) fn start(&mut self, state: &SchedState) -> State<Self> {
        self.inner = Concrete::new(state.clone());
        self.users = state.subflows.iter().map(|s| s.user.into()).collect();
        let mut registers = state.registers.map(Word::from);
        for reg in SchedReg::all() {
            registers[reg.index()].register = Some(reg.index());
        }
        State {
            registers,
            users: Rc::clone(&self.users),
            queues: QueueName::ALL.map(|name| Rc::from(state.queue(name).as_slice())),
            returned: false,
        }
    }

    /// Notes that what happens depends on the axis.
    pub(crate) fn touch(&mut self, axis: Axis) {
        if let Some(number) = self.space.axis(axis)
            && !self.seen[number]
        {
            self.seen[number] = true;
            self.touched.push(number);
        }
    }

    /// The value of a word that matters from now on.
    pub(crate) fn used(&mut self, word: &Word) -> u64 {
        if let Some(register) = word.register {
            self.touch(Axis::Register(register));
        }
        word.value
    }

    fn key(&mut self, key: &mut KeyFn<'_, Self>, elem: usize) -> Option<u64> {
        let Nullable { null, value } = key(self, &elem, &true);
        let value = self.used(&value);
        (!null).then_some(value)
    }
}

fn nullable<'s>(elem: Option<usize>) -> Nullable<Recorder<'s>, usize> {
    Nullable {
        null: elem.is_none(),
        value: elem.unwrap_or(usize::MAX),
    }
}

impl Domain for Recorder<'_> {
    type Bool = bool;
    type Int = Word;
    type Elem = usize;
    type List = Rc<[usize]>;
    type Users = Rc<[Word]>;

    fn bool(&mut self, value: bool) -> bool {
        value
    }
    fn known(&self, condition: &bool) -> Option<bool> {
        Some(*condition)
    }
    fn not(&mut self, a: &bool) -> bool {
        !*a
    }
    fn and(&mut self, a: &bool, b: &bool) -> bool {
        *a && *b
    }
    fn or(&mut self, a: &bool, b: &bool) -> bool {
        *a || *b
    }
    fn iff(&mut self, a: &bool, b: &bool) -> bool {
        a == b
    }

    fn int(&mut self, value: u64) -> Word {
        value.into()
    }
    fn arith(&mut self, op: ArithOp, a: &Word, b: &Word) -> Word {
        let (a, b) = (self.used(a), self.used(b));
        self.inner.arith(op, &a, &b).into()
    }
    fn wraps(&mut self, op: ArithOp, a: &Word, b: &Word) -> bool {
        let (a, b) = (self.used(a), self.used(b));
        self.inner.wraps(op, &a, &b)
    }
    fn less(&mut self, a: &Word, b: &Word) -> bool {
        self.used(a) < self.used(b)
    }
    fn equal(&mut self, a: &Word, b: &Word) -> bool {
        self.used(a) == self.used(b)
    }
    fn select(&mut self, condition: &bool, a: &Word, b: &Word) -> Word {
        if *condition { *a } else { *b }
    }

    fn time(&mut self) -> Word {
        self.touch(Axis::Time);
        self.inner.time().into()
    }
    fn random(&mut self, _: SiteId, _: &[Bound<Self>]) -> Word {
        unreachable!("the space has no axis for RANDOM")
    }

    fn placeholder(&mut self, kind: Kind) -> usize {
        self.inner.placeholder(kind)
    }
    fn subflow_int(&mut self, property: SubflowInt, subflow: &usize) -> Word {
        self.touch(Axis::of_int(*subflow, property));
        self.inner.subflow_int(property, subflow).into()
    }
    fn subflow_bool(&mut self, property: SubflowBool, subflow: &usize) -> bool {
        self.touch(Axis::Flag(*subflow, property as u8));
        self.inner.subflow_bool(property, subflow)
    }
    fn has_window_for(&mut self, subflow: &usize, packet: &usize) -> bool {
        self.touch(Axis::NoWindow(*packet, *subflow));
        self.inner.has_window_for(subflow, packet)
    }
    fn packet_int(&mut self, property: PacketInt, packet: &usize) -> Word {
        match property {
            PacketInt::Length => self.touch(Axis::Length(*packet)),
            PacketInt::User => self.touch(Axis::PacketUser(*packet)),
            PacketInt::Seq => {}
        }
        self.inner.packet_int(property, packet).into()
    }
    fn psh(&mut self, packet: &usize) -> bool {
        self.touch(Axis::Psh(*packet));
        self.inner.psh(packet)
    }
    fn sent_on(&mut self, packet: &usize, subflow: &usize) -> bool {
        self.touch(Axis::SentOn(*packet, *subflow));
        self.inner.sent_on(packet, subflow)
    }
    fn sent_on_all(&mut self, packet: &usize) -> bool {
        for subflow in 0..self.users.len() {
            self.touch(Axis::SentOn(*packet, subflow));
        }
        self.inner.sent_on_all(packet)
    }
    fn user(&mut self, users: &Rc<[Word]>, subflow: &usize) -> Word {
        self.touch(Axis::of_int(*subflow, SubflowInt::User));
        users.get(*subflow).copied().unwrap_or(Word::from(0))
    }
    fn set_user(
        &mut self,
        users: &Rc<[Word]>,
        subflow: &usize,
        guard: &bool,
        value: &Word,
    ) -> Rc<[Word]> {
        let mut users = Rc::clone(users);
        if *guard && let Some(cell) = Rc::make_mut(&mut users).get_mut(*subflow) {
            *cell = *value;
        }
        users
    }

    fn subflows(&mut self) -> Rc<[usize]> {
        self.inner.subflows()
    }
    fn empty(&mut self, list: &Rc<[usize]>) -> bool {
        self.inner.empty(list)
    }
    fn count(&mut self, list: &Rc<[usize]>) -> Word {
        self.inner.count(list).into()
    }
    fn end(&mut self, list: &Rc<[usize]>, last: bool) -> Nullable<Self, usize> {
        let Nullable { null, value } = self.inner.end(list, last);
        Nullable { null, value }
    }
    fn get(&mut self, list: &Rc<[usize]>, index: &Word) -> Nullable<Self, usize> {
        let index = self.used(index);
        let Nullable { null, value } = self.inner.get(list, &index);
        Nullable { null, value }
    }
    fn filter(&mut self, list: &Rc<[usize]>, predicate: &mut PredicateFn<'_, Self>) -> Rc<[usize]> {
        let members = list.iter().copied();
        members
            .filter(|elem| predicate(self, elem, &true))
            .collect()
    }
    fn extremum(
        &mut self,
        which: Extremum,
        list: &Rc<[usize]>,
        key: &mut KeyFn<'_, Self>,
    ) -> Nullable<Self, usize> {
        let mut best: Option<(u64, usize)> = None;
        for &elem in list.iter() {
            let Some(value) = self.key(key, elem) else {
                continue;
            };
            let better = best.is_none_or(|(other, _)| match which {
                Extremum::Min => value < other,
                Extremum::Max => value > other,
            });
            if better {
                best = Some((value, elem));
            }
        }
        nullable(best.map(|(_, elem)| elem))
    }
    fn sum(&mut self, list: &Rc<[usize]>, key: &mut KeyFn<'_, Self>) -> (Word, bool) {
        let (mut sum, mut wraps) = (0_u64, false);
        for &elem in list.iter() {
            let (more, over) = sum.overflowing_add(self.key(key, elem).unwrap_or(0));
            sum = more;
            wraps |= over;
        }
        (sum.into(), wraps)
    }
    fn still_in(&mut self, list: &Rc<[usize]>, queue: &Rc<[usize]>) -> Rc<[usize]> {
        self.inner.still_in(list, queue)
    }
    fn remove(&mut self, queue: &Rc<[usize]>, elem: &usize, guard: &bool) -> Rc<[usize]> {
        self.inner.remove(queue, elem, guard)
    }
    fn insert(&mut self, queue: &Rc<[usize]>, elem: &usize, guard: &bool) -> Rc<[usize]> {
        self.inner.insert(queue, elem, guard)
    }

    fn foreach(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        list: &Rc<[usize]>,
        guard: &bool,
    ) {
        for elem in list.iter() {
            machine.iterate(self, each, elem, guard);
        }
    }
}
