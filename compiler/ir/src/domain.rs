//! What a value domain supplies to [`crate::Machine`], and what the machine records in it.
//!
//! `eval` is written once. The concrete domain ([`crate::Concrete`]) makes it the
//! reference interpreter; the verifier's two domains make it a symbolic evaluator,
//! exact for a given size, or for any size with witnesses. A domain decides what
//! a word, a condition, an element and a list are; it never decides what a
//! statement means.

use std::rc::Rc;

use crate::eval::{Loop, Machine};
use crate::program::{ExprId, SiteId, StmtId};
use crate::types::{
    ArithOp, Extremum, Kind, ListSource, PacketInt, QueueName, SchedReg, SubflowBool, SubflowInt,
};

/// A key or predicate applied to one element: `(domain, element, element is a member)`.
pub type KeyFn<'f, D> = dyn FnMut(&mut D, &<D as Domain>::Elem, &<D as Domain>::Bool) -> Nullable<D, <D as Domain>::Int>
    + 'f;

/// A predicate applied to one element; NULL is already FALSE.
pub type PredicateFn<'f, D> =
    dyn FnMut(&mut D, &<D as Domain>::Elem, &<D as Domain>::Bool) -> <D as Domain>::Bool + 'f;

/// A value domain. Conditions are two-valued; NULL is a condition beside the value.
///
/// Where the null condition of a result holds, its value is arbitrary.
pub trait Domain: Sized {
    /// A condition.
    type Bool: Clone;
    /// A 64-bit word.
    type Int: Clone;
    /// A reference to a subflow or a packet.
    type Elem: Clone;
    /// A snapshot of references of one kind, in list order.
    type List: Clone;
    /// `USER` of every subflow.
    type Users: Clone;

    /// TRUE or FALSE.
    fn bool(&mut self, value: bool) -> Self::Bool;
    /// Whether the condition is known to be constant. The machine skips what is known to be dead.
    fn known(&self, condition: &Self::Bool) -> Option<bool>;
    /// A condition on which an effect depends, at a statement. A domain that follows one path at a time
    /// answers it.
    fn decide(&mut self, condition: &Self::Bool) -> Self::Bool {
        condition.clone()
    }
    /// Negation.
    fn not(&mut self, a: &Self::Bool) -> Self::Bool;
    /// Conjunction.
    fn and(&mut self, a: &Self::Bool, b: &Self::Bool) -> Self::Bool;
    /// Disjunction.
    fn or(&mut self, a: &Self::Bool, b: &Self::Bool) -> Self::Bool;
    /// Equality of conditions.
    fn iff(&mut self, a: &Self::Bool, b: &Self::Bool) -> Self::Bool;

    /// A literal.
    fn int(&mut self, value: u64) -> Self::Int;
    /// Arithmetic; the result of a division by 0 is arbitrary.
    fn arith(&mut self, op: ArithOp, a: &Self::Int, b: &Self::Int) -> Self::Int;
    /// Whether `a op b` leaves 0..2^64 (for `+ - *`).
    fn wraps(&mut self, op: ArithOp, a: &Self::Int, b: &Self::Int) -> Self::Bool;
    /// Unsigned `a < b`.
    fn less(&mut self, a: &Self::Int, b: &Self::Int) -> Self::Bool;
    /// `a == b`.
    fn equal(&mut self, a: &Self::Int, b: &Self::Int) -> Self::Bool;
    /// `a` if the condition holds, else `b`.
    fn select(&mut self, condition: &Self::Bool, a: &Self::Int, b: &Self::Int) -> Self::Int;

    /// `CURRENT_TIME_MS`.
    fn time(&mut self) -> Self::Int;
    /// `RANDOM` at a site, under the elements of the enclosing lambdas and loops, outermost first.
    fn random(&mut self, site: SiteId, scope: &[Bound<Self>]) -> Self::Int;

    /// Any reference of this kind, to stand where the null condition holds.
    fn placeholder(&mut self, kind: Kind) -> Self::Elem;
    /// An integer property of a subflow other than USER.
    fn subflow_int(&mut self, property: SubflowInt, subflow: &Self::Elem) -> Self::Int;
    /// A flag of a subflow.
    fn subflow_bool(&mut self, property: SubflowBool, subflow: &Self::Elem) -> Self::Bool;
    /// `s.HAS_WINDOW_FOR(p)`.
    fn has_window_for(&mut self, subflow: &Self::Elem, packet: &Self::Elem) -> Self::Bool;
    /// An integer property of a packet.
    fn packet_int(&mut self, property: PacketInt, packet: &Self::Elem) -> Self::Int;
    /// `p.PSH`.
    fn psh(&mut self, packet: &Self::Elem) -> Self::Bool;
    /// `p.SENT_ON(s)`.
    fn sent_on(&mut self, packet: &Self::Elem, subflow: &Self::Elem) -> Self::Bool;
    /// `p.SENT_ON_ALL`.
    fn sent_on_all(&mut self, packet: &Self::Elem) -> Self::Bool;
    /// `s.USER`.
    fn user(&mut self, users: &Self::Users, subflow: &Self::Elem) -> Self::Int;
    /// The users after `s.SET_USER(value)` under a guard.
    fn set_user(
        &mut self,
        users: &Self::Users,
        subflow: &Self::Elem,
        guard: &Self::Bool,
        value: &Self::Int,
    ) -> Self::Users;

    /// `SUBFLOWS`.
    fn subflows(&mut self) -> Self::List;
    /// `l.EMPTY`.
    fn empty(&mut self, list: &Self::List) -> Self::Bool;
    /// `l.COUNT`.
    fn count(&mut self, list: &Self::List) -> Self::Int;
    /// `l.TOP` (or `l.LAST`).
    fn end(&mut self, list: &Self::List, last: bool) -> Nullable<Self, Self::Elem>;
    /// `l.GET(i)` for a non-NULL `i`; NULL unless `i < COUNT`.
    fn get(&mut self, list: &Self::List, index: &Self::Int) -> Nullable<Self, Self::Elem>;
    /// `l.FILTER(f)`.
    fn filter(&mut self, list: &Self::List, predicate: &mut PredicateFn<'_, Self>) -> Self::List;
    /// `l.MIN(k)`, `l.MAX(k)`: the first of equal keys; elements with a NULL key do not count.
    fn extremum(
        &mut self,
        which: Extremum,
        list: &Self::List,
        key: &mut KeyFn<'_, Self>,
    ) -> Nullable<Self, Self::Elem>;
    /// `l.SUM(k)`, and whether it wraps.
    fn sum(&mut self, list: &Self::List, key: &mut KeyFn<'_, Self>) -> (Self::Int, Self::Bool);
    /// The members of `list` that are in `queue` too, in list order.
    fn still_in(&mut self, list: &Self::List, queue: &Self::List) -> Self::List;
    /// The queue without the element, under a guard.
    fn remove(&mut self, queue: &Self::List, elem: &Self::Elem, guard: &Self::Bool) -> Self::List;
    /// The queue with the element, in sequence order, under a guard.
    fn insert(&mut self, queue: &Self::List, elem: &Self::Elem, guard: &Self::Bool) -> Self::List;

    /// Runs a FOREACH body over a snapshot. The domains that know their elements
    /// iterate; the one that does not summarises.
    fn foreach(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        list: &Self::List,
        guard: &Self::Bool,
    );
}

/// A value with its null condition.
pub struct Nullable<D: Domain, T> {
    /// When it is NULL.
    pub null: D::Bool,
    /// The value where it is not.
    pub value: T,
}

/// An element bound by an enclosing lambda or loop.
pub struct Bound<D: Domain> {
    /// Subflow or packet.
    pub kind: Kind,
    /// The element.
    pub elem: D::Elem,
}

/// The value of an expression.
pub enum Value<D: Domain> {
    /// An integer.
    Int(Nullable<D, D::Int>),
    /// A boolean.
    Bool(Nullable<D, D::Bool>),
    /// A subflow or a packet.
    Elem(Kind, Nullable<D, D::Elem>),
    /// A list; never NULL.
    List(ListSource, D::List),
}

/// What changes during an execution.
pub struct State<D: Domain> {
    /// R1 … R6.
    pub registers: [D::Int; SchedReg::COUNT],
    /// USER of every subflow.
    pub users: D::Users,
    /// Q, QU, RQ, in the order of [`QueueName::ALL`].
    pub queues: [D::List; 3],
    /// Whether a RETURN was executed.
    pub returned: D::Bool,
}

impl<D: Domain> State<D> {
    /// The queue of this name, as it is now.
    pub const fn queue(&self, name: QueueName) -> &D::List {
        &self.queues[name as usize]
    }
}

/// Which reference of a statement is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The receiver of PUSH or `SET_USER`.
    Target,
    /// The packet of PUSH or DROP.
    Packet,
}

/// Something that happened (or may happen, under its guard) in an execution.
pub struct Event<D: Domain> {
    /// When it happens.
    pub guard: D::Bool,
    /// The elements of the enclosing lambdas and loops, outermost first.
    pub scope: Rc<[Bound<D>]>,
    /// What happens.
    pub kind: EventKind<D>,
}

/// The kinds of events. `Read`, `Receiver`, `NullValue`, `Divide`, `Wrap` and `Index` are
/// recorded whenever the point is reached, with the condition that makes it questionable.
pub enum EventKind<D: Domain> {
    /// A property is read from a reference that is NULL under `null`.
    Read {
        /// The property expression.
        at: ExprId,
        /// When the receiver is NULL.
        null: D::Bool,
    },
    /// A statement uses a reference that is NULL under `null`; the effect is then skipped.
    Receiver {
        /// PUSH, DROP or `SET_USER`.
        at: StmtId,
        /// Which reference.
        role: Role,
        /// When it is NULL.
        null: D::Bool,
    },
    /// SET or `SET_USER` gets a value that is NULL under `null`; nothing changes then.
    NullValue {
        /// The statement.
        at: StmtId,
        /// When the value is NULL.
        null: D::Bool,
    },
    /// A division or remainder whose divisor is 0 under `zero`.
    Divide {
        /// The expression.
        at: ExprId,
        /// When the divisor is 0.
        zero: D::Bool,
    },
    /// An operation that wraps under `wraps`.
    Wrap {
        /// The expression.
        at: ExprId,
        /// When the result leaves 0..2^64.
        wraps: D::Bool,
    },
    /// A GET whose index is not below COUNT under `outside`.
    Index {
        /// The expression.
        at: ExprId,
        /// When the index is out of range.
        outside: D::Bool,
    },
    /// An ordering or equality with a register on one side.
    Compare {
        /// The expression.
        at: ExprId,
        /// The register.
        reg: SchedReg,
        /// The other side.
        other: Nullable<D, D::Int>,
    },
    /// A branch of an IF is entered.
    Branch {
        /// The IF.
        at: StmtId,
        /// THEN or ELSE.
        taken: bool,
    },
    /// A FOREACH starts an iteration; its element is the last of `scope`.
    Iterate {
        /// The FOREACH.
        at: StmtId,
    },
    /// A VAR is initialised.
    Let {
        /// The declarator.
        at: StmtId,
        /// Its value.
        value: Value<D>,
    },
    /// A packet leaves a queue.
    Pop {
        /// The statement whose operand it is.
        at: StmtId,
        /// Q or RQ.
        queue: QueueName,
        /// The packet.
        packet: D::Elem,
    },
    /// A PUSH action is appended.
    Push {
        /// The statement.
        at: StmtId,
        /// On which subflow.
        subflow: D::Elem,
        /// Which packet.
        packet: D::Elem,
    },
    /// A DROP action is appended.
    Drop {
        /// The statement.
        at: StmtId,
        /// Which packet.
        packet: D::Elem,
    },
    /// A register is written (perhaps with the value that it has).
    Set {
        /// The statement.
        at: StmtId,
        /// The register.
        reg: SchedReg,
        /// The value.
        value: D::Int,
    },
    /// USER of a subflow is written (perhaps with the value that it has).
    SetUser {
        /// The statement.
        at: StmtId,
        /// The subflow.
        subflow: D::Elem,
        /// The value.
        value: D::Int,
    },
    /// A PRINT; the values of its value arguments, in order.
    Print {
        /// The statement.
        at: StmtId,
        /// One per `%d` or `%u`.
        values: Vec<Value<D>>,
    },
    /// A RETURN.
    Return {
        /// The statement.
        at: StmtId,
    },
}

// Written out: `derive` would ask for `D: Clone`, and a domain is not a value.
impl<D: Domain, T: Clone> Clone for Nullable<D, T> {
    fn clone(&self) -> Self {
        Self {
            null: self.null.clone(),
            value: self.value.clone(),
        }
    }
}

impl<D: Domain> Clone for Bound<D> {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            elem: self.elem.clone(),
        }
    }
}

impl<D: Domain> Clone for Value<D> {
    fn clone(&self) -> Self {
        match self {
            Self::Int(value) => Self::Int(value.clone()),
            Self::Bool(value) => Self::Bool(value.clone()),
            Self::Elem(kind, value) => Self::Elem(*kind, value.clone()),
            Self::List(source, list) => Self::List(*source, list.clone()),
        }
    }
}

impl<D: Domain> Clone for State<D> {
    fn clone(&self) -> Self {
        Self {
            registers: self.registers.clone(),
            users: self.users.clone(),
            queues: self.queues.clone(),
            returned: self.returned.clone(),
        }
    }
}

impl<D: Domain> Clone for Event<D> {
    fn clone(&self) -> Self {
        Self {
            guard: self.guard.clone(),
            scope: Rc::clone(&self.scope),
            kind: self.kind.clone(),
        }
    }
}

impl<D: Domain> Clone for EventKind<D> {
    fn clone(&self) -> Self {
        match *self {
            Self::Read { at, ref null } => Self::Read {
                at,
                null: null.clone(),
            },
            Self::Receiver { at, role, ref null } => Self::Receiver {
                at,
                role,
                null: null.clone(),
            },
            Self::NullValue { at, ref null } => Self::NullValue {
                at,
                null: null.clone(),
            },
            Self::Divide { at, ref zero } => Self::Divide {
                at,
                zero: zero.clone(),
            },
            Self::Wrap { at, ref wraps } => Self::Wrap {
                at,
                wraps: wraps.clone(),
            },
            Self::Index { at, ref outside } => Self::Index {
                at,
                outside: outside.clone(),
            },
            Self::Compare { at, reg, ref other } => Self::Compare {
                at,
                reg,
                other: other.clone(),
            },
            Self::Branch { at, taken } => Self::Branch { at, taken },
            Self::Iterate { at } => Self::Iterate { at },
            Self::Let { at, ref value } => Self::Let {
                at,
                value: value.clone(),
            },
            Self::Pop {
                at,
                queue,
                ref packet,
            } => Self::Pop {
                at,
                queue,
                packet: packet.clone(),
            },
            Self::Push {
                at,
                ref subflow,
                ref packet,
            } => Self::Push {
                at,
                subflow: subflow.clone(),
                packet: packet.clone(),
            },
            Self::Drop { at, ref packet } => Self::Drop {
                at,
                packet: packet.clone(),
            },
            Self::Set { at, reg, ref value } => Self::Set {
                at,
                reg,
                value: value.clone(),
            },
            Self::SetUser {
                at,
                ref subflow,
                ref value,
            } => Self::SetUser {
                at,
                subflow: subflow.clone(),
                value: value.clone(),
            },
            Self::Print { at, ref values } => Self::Print {
                at,
                values: values.clone(),
            },
            Self::Return { at } => Self::Return { at },
        }
    }
}
