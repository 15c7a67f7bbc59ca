//! What a property needs to ask beyond what a program can say.
//!
//! A property is stated once, as a condition over a run ([`crate::goal`]). The
//! concrete domain makes the statement a test of what the interpreter did, the
//! bounded and the unbounded domain make it a formula.

use std::rc::Rc;

use progmp_ir::{ArithOp, Bound, Concrete, Domain, Event, EventKind, Nullable, State, Value};

/// A domain over which properties can be stated.
pub(crate) trait Judge: Domain {
    /// A renaming of the bound elements of an event's scope.
    type Renaming: Clone;

    /// Whether two references of one kind are the same.
    fn same(&mut self, a: &Self::Elem, b: &Self::Elem) -> Self::Bool;
    /// Whether the list holds the element.
    fn is_member(&mut self, list: &Self::List, elem: &Self::Elem) -> Self::Bool;
    /// Whether some member of the list meets the condition.
    fn some_member(
        &mut self,
        list: &Self::List,
        condition: &mut dyn FnMut(&mut Self, &Self::Elem) -> Self::Bool,
    ) -> Self::Bool;
    /// Whether USER of some member of SUBFLOWS differs.
    fn users_differ(&mut self, a: &Self::Users, b: &Self::Users) -> Self::Bool;

    /// More than `most` different `PUSHes` among `pushes` of this packet, on this subflow.
    fn copies(
        &mut self,
        pushes: &[Event<Self>],
        packet: Option<&Self::Elem>,
        subflow: Option<&Self::Elem>,
        most: u64,
    ) -> Self::Bool;

    /// Fresh names for the elements of a scope.
    fn fresh(&mut self, scope: &[Bound<Self>]) -> Self::Renaming;
    /// A condition under a renaming.
    fn rename_bool(&mut self, renaming: &Self::Renaming, x: &Self::Bool) -> Self::Bool;
    /// A word under a renaming.
    fn rename_int(&mut self, renaming: &Self::Renaming, x: &Self::Int) -> Self::Int;
    /// A reference under a renaming.
    fn rename_elem(&mut self, renaming: &Self::Renaming, x: &Self::Elem) -> Self::Elem;
    /// "For some values of the renamed elements."
    fn close(&mut self, renaming: &Self::Renaming, x: &Self::Bool) -> Self::Bool;
}

/// One execution, before and after.
pub(crate) struct Run<D: Domain> {
    /// Registers, users and queues before.
    pub before: State<D>,
    /// … and after.
    pub after: State<D>,
    /// What happened.
    pub log: Vec<Event<D>>,
}

/// An event of its own: its scope renamed apart from everything else.
pub(crate) struct Instance<D: Judge> {
    /// When it happens.
    pub guard: D::Bool,
    /// What happens.
    pub kind: EventKind<D>,
    renaming: D::Renaming,
}

impl<D: Judge> Instance<D> {
    /// Renames an event apart.
    pub(crate) fn of(d: &mut D, event: &Event<D>) -> Self {
        let renaming = d.fresh(&event.scope);
        let guard = d.rename_bool(&renaming, &event.guard);
        let kind = rename_kind(d, &renaming, &event.kind);
        Self {
            guard,
            kind,
            renaming,
        }
    }

    /// "For some elements of its scope it happens, and `condition` holds."
    pub(crate) fn exists(&self, d: &mut D, condition: &D::Bool) -> D::Bool {
        let both = d.and(&self.guard, condition);
        d.close(&self.renaming, &both)
    }
}

fn rename_kind<D: Judge>(d: &mut D, r: &D::Renaming, kind: &EventKind<D>) -> EventKind<D> {
    match *kind {
        EventKind::Read { at, ref null } => EventKind::Read {
            at,
            null: d.rename_bool(r, null),
        },
        EventKind::Receiver { at, role, ref null } => EventKind::Receiver {
            at,
            role,
            null: d.rename_bool(r, null),
        },
        EventKind::NullValue { at, ref null } => EventKind::NullValue {
            at,
            null: d.rename_bool(r, null),
        },
        EventKind::Divide { at, ref zero } => EventKind::Divide {
            at,
            zero: d.rename_bool(r, zero),
        },
        EventKind::Wrap { at, ref wraps } => EventKind::Wrap {
            at,
            wraps: d.rename_bool(r, wraps),
        },
        EventKind::Index { at, ref outside } => EventKind::Index {
            at,
            outside: d.rename_bool(r, outside),
        },
        EventKind::Compare { at, reg, ref other } => {
            let null = d.rename_bool(r, &other.null);
            let value = d.rename_int(r, &other.value);
            EventKind::Compare {
                at,
                reg,
                other: Nullable { null, value },
            }
        }
        EventKind::Branch { at, taken } => EventKind::Branch { at, taken },
        EventKind::Iterate { at } => EventKind::Iterate { at },
        EventKind::Return { at } => EventKind::Return { at },
        EventKind::Let { at, ref value } => EventKind::Let {
            at,
            value: rename_value(d, r, value),
        },
        EventKind::Print { at, ref values } => EventKind::Print {
            at,
            values: values
                .iter()
                .map(|value| rename_value(d, r, value))
                .collect(),
        },
        EventKind::Pop {
            at,
            queue,
            ref packet,
        } => EventKind::Pop {
            at,
            queue,
            packet: d.rename_elem(r, packet),
        },
        EventKind::Push {
            at,
            ref subflow,
            ref packet,
        } => EventKind::Push {
            at,
            subflow: d.rename_elem(r, subflow),
            packet: d.rename_elem(r, packet),
        },
        EventKind::Drop { at, ref packet } => EventKind::Drop {
            at,
            packet: d.rename_elem(r, packet),
        },
        EventKind::Set { at, reg, ref value } => EventKind::Set {
            at,
            reg,
            value: d.rename_int(r, value),
        },
        EventKind::SetUser {
            at,
            ref subflow,
            ref value,
        } => EventKind::SetUser {
            at,
            subflow: d.rename_elem(r, subflow),
            value: d.rename_int(r, value),
        },
    }
}

fn rename_value<D: Judge>(d: &mut D, r: &D::Renaming, value: &Value<D>) -> Value<D> {
    match value {
        Value::Int(x) => Value::Int(Nullable {
            null: d.rename_bool(r, &x.null),
            value: d.rename_int(r, &x.value),
        }),
        Value::Bool(x) => Value::Bool(Nullable {
            null: d.rename_bool(r, &x.null),
            value: d.rename_bool(r, &x.value),
        }),
        Value::Elem(kind, x) => Value::Elem(
            *kind,
            Nullable {
                null: d.rename_bool(r, &x.null),
                value: d.rename_elem(r, &x.value),
            },
        ),
        // No property speaks of the members of a stored list under a binder.
        Value::List(source, list) => Value::List(*source, list.clone()),
    }
}

/// [`Judge::copies`] where each event is one PUSH: they are counted.
pub(crate) fn count_copies<D: Judge>(
    d: &mut D,
    pushes: &[Event<D>],
    packet: Option<&D::Elem>,
    subflow: Option<&D::Elem>,
    most: u64,
) -> D::Bool {
    let (zero, one) = (d.int(0), d.int(1));
    let mut count = zero.clone();
    for event in pushes {
        let EventKind::Push {
            subflow: on,
            packet: which,
            ..
        } = &event.kind
        else {
            continue;
        };
        let mut same = d.bool(true);
        if let Some(packet) = packet {
            same = d.same(which, packet);
        }
        if let Some(subflow) = subflow {
            let here = d.same(on, subflow);
            same = d.and(&same, &here);
        }
        same = d.and(&same, &event.guard);
        let more = d.select(&same, &one, &zero);
        count = d.arith(ArithOp::Add, &count, &more);
    }
    let most = d.int(most);
    d.less(&most, &count)
}

impl Judge for Concrete {
    type Renaming = ();

    fn same(&mut self, a: &usize, b: &usize) -> bool {
        a == b
    }
    fn is_member(&mut self, list: &Rc<[usize]>, elem: &usize) -> bool {
        list.contains(elem)
    }
    fn some_member(
        &mut self,
        list: &Rc<[usize]>,
        condition: &mut dyn FnMut(&mut Self, &usize) -> bool,
    ) -> bool {
        list.iter().any(|elem| condition(self, elem))
    }
    fn users_differ(&mut self, a: &Rc<[u64]>, b: &Rc<[u64]>) -> bool {
        a != b
    }
    fn copies(
        &mut self,
        pushes: &[Event<Self>],
        packet: Option<&usize>,
        subflow: Option<&usize>,
        most: u64,
    ) -> bool {
        count_copies(self, pushes, packet, subflow, most)
    }
    fn fresh(&mut self, _: &[Bound<Self>]) {}
    fn rename_bool(&mut self, (): &(), x: &bool) -> bool {
        *x
    }
    fn rename_int(&mut self, (): &(), x: &u64) -> u64 {
        *x
    }
    fn rename_elem(&mut self, (): &(), x: &usize) -> usize {
        *x
    }
    fn close(&mut self, (): &(), x: &bool) -> bool {
        *x
    }
}
