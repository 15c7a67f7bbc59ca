//! The concrete domain: the reference interpreter.

use std::rc::Rc;

use crate::domain::{Bound, Domain, Event, EventKind, KeyFn, Nullable, PredicateFn, State};
use crate::eval::{Loop, Machine};
use crate::program::{Program, SiteId, StmtId};
use crate::state::SchedState;
use crate::types::{ArithOp, Extremum, Kind, PacketInt, QueueName, SubflowBool, SubflowInt};

/// An action of an execution, in positions of [`SchedState::subflows`] and [`SchedState::packets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Transmit the packet on the subflow.
    Push {
        /// Position in SUBFLOWS.
        subflow: usize,
        /// Position in the packets.
        packet: usize,
        /// The statement that asked for it.
        at: StmtId,
    },
    /// The scheduler will not schedule this packet itself.
    Drop {
        /// Position in the packets.
        packet: usize,
        /// The statement that asked for it.
        at: StmtId,
    },
}

/// The outcome of one execution.
pub struct Execution {
    /// The state afterwards. Its seed is that of the next execution; actions are not carried out.
    pub after: SchedState,
    /// In program order.
    pub actions: Vec<Action>,
    /// What happened, in program order; every guard is true.
    pub log: Vec<Event<Concrete>>,
}

impl Execution {
    /// Whether registers, USER values and queues are as they were in `before`.
    pub fn leaves_state(&self, before: &SchedState) -> bool {
        let users = |state: &SchedState| state.subflows.iter().map(|s| s.user).collect::<Vec<_>>();
        self.after.registers == before.registers
            && QueueName::ALL
                .iter()
                .all(|&name| self.after.queue(name) == before.queue(name))
            && users(&self.after) == users(before)
    }

    /// Whether a trigger goes on after it: it yielded an action or changed the state.
    pub fn has_effect(&self, before: &SchedState) -> bool {
        !self.actions.is_empty() || !self.leaves_state(before)
    }

    /// The packets popped, in order, with their queues.
    pub fn pops(&self) -> impl Iterator<Item = (StmtId, QueueName, usize)> {
        self.log.iter().filter_map(|event| match event.kind {
            EventKind::Pop { at, queue, packet } => Some((at, queue, packet)),
            _ => None,
        })
    }
}

/// Runs the program once. Total: no state makes it fail or diverge.
pub fn execute(program: &Program, before: &SchedState) -> Execution {
    let mut domain = Concrete::new(before.clone());
    let mut machine = Machine::new(program, domain.initial());
    machine.execute(&mut domain);
    let State {
        registers,
        users,
        queues,
        ..
    } = machine.state;
    let log = machine.log;
    let actions = log
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Push {
                at,
                subflow,
                packet,
            } => Some(Action::Push {
                subflow,
                packet,
                at,
            }),
            EventKind::Drop { at, packet } => Some(Action::Drop { packet, at }),
            _ => None,
        })
        .collect();
    let mut after = domain.state;
    after.registers = registers;
    for (subflow, user) in after.subflows.iter_mut().zip(users.iter()) {
        subflow.user = *user;
    }
    for (name, queue) in QueueName::ALL.into_iter().zip(queues) {
        after.queue_mut(name).clear();
        after.queue_mut(name).extend_from_slice(&queue);
    }
    after.seed = splitmix64(before.seed);
    Execution {
        after,
        actions,
        log,
    }
}

/// One step of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", OOPSLA 2014): the output for the state `x`.
pub const fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// RANDOM: splitmix64 folded over the seed, the site and the ID or SEQ of each enclosing
/// element, outermost first; the upper 32 bits.
pub fn random(seed: u64, site: SiteId, scope: impl IntoIterator<Item = u64>) -> u64 {
    let start = splitmix64(splitmix64(seed) ^ site.index() as u64);
    scope
        .into_iter()
        .fold(start, |hash, name| splitmix64(hash ^ name))
        >> 32
}

/// Values are words, booleans and positions in [`SchedState::subflows`] and
/// [`SchedState::packets`]; a placeholder is a position that is not there and reads as 0.
pub struct Concrete {
    state: SchedState,
}

impl Concrete {
    /// The domain over one state.
    pub const fn new(state: SchedState) -> Self {
        Self { state }
    }

    /// The start of an execution.
    pub fn initial(&self) -> State<Self> {
        let queue = |name| Rc::from(self.state.queue(name).as_slice());
        State {
            registers: self.state.registers,
            users: self
                .state
                .subflows
                .iter()
                .map(|subflow| subflow.user)
                .collect(),
            queues: QueueName::ALL.map(queue),
            returned: false,
        }
    }

    fn id(&self, subflow: usize) -> u64 {
        self.state.subflows.get(subflow).map_or(0, |s| s.id)
    }
}

impl Domain for Concrete {
    type Bool = bool;
    type Int = u64;
    type Elem = usize;
    type List = Rc<[usize]>;
    type Users = Rc<[u64]>;

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

    fn int(&mut self, value: u64) -> u64 {
        value
    }
    fn arith(&mut self, op: ArithOp, a: &u64, b: &u64) -> u64 {
        op.apply(*a, *b).unwrap_or(0)
    }
    fn wraps(&mut self, op: ArithOp, a: &u64, b: &u64) -> bool {
        match op {
            ArithOp::Add => a.checked_add(*b).is_none(),
            ArithOp::Sub => a.checked_sub(*b).is_none(),
            ArithOp::Mul => a.checked_mul(*b).is_none(),
            ArithOp::Div | ArithOp::Rem => false,
        }
    }
    fn less(&mut self, a: &u64, b: &u64) -> bool {
        a < b
    }
    fn equal(&mut self, a: &u64, b: &u64) -> bool {
        a == b
    }
    fn select(&mut self, condition: &bool, a: &u64, b: &u64) -> u64 {
        if *condition { *a } else { *b }
    }

    fn time(&mut self) -> u64 {
        self.state.time_ms
    }
    fn random(&mut self, site: SiteId, scope: &[Bound<Self>]) -> u64 {
        let name = |bound: &Bound<Self>| match bound.kind {
            Kind::Subflow => self.id(bound.elem),
            Kind::Packet => self.state.packets.get(bound.elem).map_or(0, |p| p.seq),
        };
        random(self.state.seed, site, scope.iter().map(name))
    }

    fn placeholder(&mut self, _: Kind) -> usize {
        usize::MAX
    }
    fn subflow_int(&mut self, property: SubflowInt, subflow: &usize) -> u64 {
        self.state
            .subflows
            .get(*subflow)
            .map_or(0, |s| s.int(property))
    }
    fn subflow_bool(&mut self, property: SubflowBool, subflow: &usize) -> bool {
        self.state
            .subflows
            .get(*subflow)
            .is_some_and(|s| s.flag(property))
    }
    fn has_window_for(&mut self, subflow: &usize, packet: &usize) -> bool {
        let id = self.id(*subflow);
        self.state
            .packets
            .get(*packet)
            .is_some_and(|p| !p.no_window_on.contains(&id))
    }
    fn packet_int(&mut self, property: PacketInt, packet: &usize) -> u64 {
        self.state
            .packets
            .get(*packet)
            .map_or(0, |p| p.int(property))
    }
    fn psh(&mut self, packet: &usize) -> bool {
        self.state.packets.get(*packet).is_some_and(|p| p.psh)
    }
    fn sent_on(&mut self, packet: &usize, subflow: &usize) -> bool {
        let id = self.id(*subflow);
        self.state
            .packets
            .get(*packet)
            .is_some_and(|p| p.sent_on.contains(&id))
    }
    fn sent_on_all(&mut self, packet: &usize) -> bool {
        let Some(packet) = self.state.packets.get(*packet) else {
            return false;
        };
        self.state
            .subflows
            .iter()
            .all(|s| packet.sent_on.contains(&s.id))
    }
    fn user(&mut self, users: &Rc<[u64]>, subflow: &usize) -> u64 {
        users.get(*subflow).copied().unwrap_or(0)
    }
    fn set_user(
        &mut self,
        users: &Rc<[u64]>,
        subflow: &usize,
        guard: &bool,
        value: &u64,
    ) -> Rc<[u64]> {
        let mut users = Rc::clone(users);
        if *guard && let Some(cell) = Rc::make_mut(&mut users).get_mut(*subflow) {
            *cell = *value;
        }
        users
    }

    fn subflows(&mut self) -> Rc<[usize]> {
        (0..self.state.subflows.len()).collect()
    }
    fn empty(&mut self, list: &Rc<[usize]>) -> bool {
        list.is_empty()
    }
    fn count(&mut self, list: &Rc<[usize]>) -> u64 {
        list.len() as u64
    }
    fn end(&mut self, list: &Rc<[usize]>, last: bool) -> Nullable<Self, usize> {
        nullable(if last { list.last() } else { list.first() }.copied())
    }
    fn get(&mut self, list: &Rc<[usize]>, index: &u64) -> Nullable<Self, usize> {
        nullable(
            usize::try_from(*index)
                .ok()
                .and_then(|i| list.get(i))
                .copied(),
        )
    }
    fn filter(&mut self, list: &Rc<[usize]>, predicate: &mut PredicateFn<'_, Self>) -> Rc<[usize]> {
        list.iter()
            .copied()
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
            let Nullable { null, value } = key(self, &elem, &true);
            let better = best.is_none_or(|(least, _)| match which {
                Extremum::Min => value < least,
                Extremum::Max => value > least,
            });
            if !null && better {
                best = Some((value, elem));
            }
        }
        nullable(best.map(|(_, elem)| elem))
    }
    fn sum(&mut self, list: &Rc<[usize]>, key: &mut KeyFn<'_, Self>) -> (u64, bool) {
        list.iter().fold((0, false), |(sum, wrapped), elem| {
            let Nullable { null, value } = key(self, elem, &true);
            let (more, wraps) = sum.overflowing_add(if null { 0 } else { value });
            (more, wrapped || wraps)
        })
    }
    fn still_in(&mut self, list: &Rc<[usize]>, queue: &Rc<[usize]>) -> Rc<[usize]> {
        list.iter()
            .copied()
            .filter(|elem| queue.binary_search(elem).is_ok())
            .collect()
    }
    fn remove(&mut self, queue: &Rc<[usize]>, elem: &usize, guard: &bool) -> Rc<[usize]> {
        queue
            .iter()
            .copied()
            .filter(|other| !(*guard && other == elem))
            .collect()
    }
    fn insert(&mut self, queue: &Rc<[usize]>, elem: &usize, guard: &bool) -> Rc<[usize]> {
        match queue.binary_search(elem) {
            Err(place) if *guard => {
                let (before, after) = queue.split_at(place);
                before
                    .iter()
                    .chain(std::iter::once(elem))
                    .chain(after)
                    .copied()
                    .collect()
            }
            _ => Rc::clone(queue),
        }
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

fn nullable(elem: Option<usize>) -> Nullable<Concrete, usize> {
    Nullable {
        null: elem.is_none(),
        value: elem.unwrap_or(usize::MAX),
    }
}
