//! What each property says, why it matters, what breaks it and what mends it.
//!
//! Plain text for a terminal. A scheduler that stands under "Breaks it:" is one
//! that the property refutes, and the one under "Mended:" satisfies it; a test
//! of the commands runs both through the verifier.

use crate::property::Property;

/// The explanation of a property: statement, reason, example, way out.
pub const fn explain(property: Property) -> &'static str {
    match property {
        Property::PoppedPacketIsScheduled => POPPED_PACKET_IS_SCHEDULED,
        Property::DropIsLicensed => DROP_IS_LICENSED,
        Property::PacketsAreConserved => PACKETS_ARE_CONSERVED,
        Property::SubflowIsLive => SUBFLOW_IS_LIVE,
        Property::NullIsNotUsed => NULL_IS_NOT_USED,
        Property::LoopsTerminate => LOOPS_TERMINATE,
        Property::TriggerTerminates => TRIGGER_TERMINATES,
        Property::TriggerIsShort => TRIGGER_IS_SHORT,
        Property::NullIsMasked => NULL_IS_MASKED,
        Property::NoDeadEffect => NO_DEAD_EFFECT,
        Property::ReinjectionsAreServed => REINJECTIONS_ARE_SERVED,
        Property::DivisionIsDefined => DIVISION_IS_DEFINED,
        Property::NoWrap => NO_WRAP,
        Property::GetIsInRange => GET_IS_IN_RANGE,
        Property::NoDuplicatePush => NO_DUPLICATE_PUSH,
        Property::PushMayBeSkipped => PUSH_MAY_BE_SKIPPED,
        Property::WorkConserving => WORK_CONSERVING,
        Property::WorkConservingQ => WORK_CONSERVING_Q,
        Property::Redundancy => REDUNDANCY,
        Property::BackupOnlyIfNeeded => BACKUP_ONLY_IF_NEEDED,
        Property::Prefers => PREFERS,
        Property::Fair => FAIR,
    }
}

const POPPED_PACKET_IS_SCHEDULED: &str = "\
popped-packet-is-scheduled (gate)

Every packet that an execution takes out of Q or RQ is pushed on some subflow,
or dropped, before that execution ends.

POP removes the packet from its queue. If nothing is done with it afterwards,
the scheduler never sees it again: a hole in the byte stream that only the
host's last-resort timer can fill. The usual cause is a POP that stands before
the test that decides whether there is a subflow to push on.

Breaks it:

    VAR p = Q.POP();
    FOREACH (VAR s IN SUBFLOWS) {
        s.PUSH(p);
    }

Without a subflow the loop does nothing, and p is lost.

Mended:

    IF (!SUBFLOWS.EMPTY) {
        VAR p = Q.POP();
        FOREACH (VAR s IN SUBFLOWS) {
            s.PUSH(p);
        }
    }

A POP inside PUSH is safe by itself: `s.PUSH(Q.POP())` does not pop if s is NULL.
";

const DROP_IS_LICENSED: &str = "\
drop-is-licensed (gate)

A packet is dropped only if the same execution also pushes it, or if it was
transmitted on a subflow that is still in SUBFLOWS.

DROP tells the host that the scheduler will not schedule this packet itself.
That is fine for a packet that already travels, and loses any other.

Breaks it:

    DROP(Q.POP());

Mended:

    VAR travelling = Q.FILTER(p => !SUBFLOWS.FILTER(s => p.SENT_ON(s)).EMPTY);
    IF (!travelling.EMPTY) {
        DROP(travelling.POP());
    }
";

const PACKETS_ARE_CONSERVED: &str = "\
packets-are-conserved (gate)

Over the whole calling model, the death of subflows included, every packet that
arrived and is not acknowledged is in Q, in RQ, in a pending action, or
transmitted on a live subflow.

This is an invariant of the host, proved once, for every scheduler that meets
popped-packet-is-scheduled and drop-is-licensed. A scheduler violates it only by
violating one of these two, and the report then names that one.
";

const SUBFLOW_IS_LIVE: &str = "\
subflow-is-live (gate)

Every PUSH and SET_USER goes to a member of SUBFLOWS as this execution sees it,
and no reference to a subflow outlives an execution.

In source text the types see to that: a reference comes from SUBFLOWS, variables
live for one execution, and registers hold numbers only. For bytecode it is
proved anew.
";

const NULL_IS_NOT_USED: &str = "\
null-is-not-used (gate)

No property is read from, and no effect is lost through, a value that is NULL
whenever that point of the program is reached. And no NULL value ever reaches
SET or SET_USER, which would silently leave the old value in place.

A value that is always NULL is a mistake, not an idiom: mostly a test the wrong
way round, or the variable of the other branch.

Breaks it:

    VAR best = SUBFLOWS.MIN(s => s.RTT);
    IF (best == NULL) {
        best.PUSH(Q.POP());
    }

Mended:

    VAR best = SUBFLOWS.MIN(s => s.RTT);
    IF (best != NULL) {
        best.PUSH(Q.POP());
    }

A division by 0 is NULL too: guard a SET whose value divides.
";

const LOOPS_TERMINATE: &str = "\
loops-terminate (gate)

Every FOREACH ends.

FOREACH runs over a snapshot of its list, which nothing in its body can lengthen,
so the number of members still to come is a ranking: it falls with each
iteration and ends at 0. For loops of bytecode a ranking is found anew.
";

const TRIGGER_TERMINATES: &str = "\
trigger-terminates (gate)

The host runs the scheduler again after each execution that did something, and
stops at the first that did nothing. This must happen, from every state and for
every sequence of random numbers.

The proof is a ranking: what falls with each execution and cannot fall for ever.
Q and RQ only get shorter, free congestion windows only shrink, and a packet is
new to a subflow only once; what else a scheduler changes, registers and USER
values, must come to rest by itself. Windows are no help once they are full: a
PUSH of a packet that the subflow already carries can then be repeated for ever.

Breaks it:

    SUBFLOWS.MIN(s => s.RTT).PUSH(Q.TOP);

The same packet is pushed for ever, because TOP leaves it in Q.

Mended:

    SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());

For a register: let it change only together with a POP, or move it towards a
limit that it then keeps, as in `IF (R1 < 100) { SET(R1, R1 + 1); }`. A SET to
the value that is there already asks for no further run.
";

const TRIGGER_IS_SHORT: &str = "\
trigger-is-short (gate)

The ranking of trigger-terminates bounds the consecutive executions that neither
transmit nor take a packet from Q or RQ. This bound is at most the host's fuel:
256, or what --fuel says.

A trigger that ends after a million idle executions holds the connection's lock
all that time. The host would stop it, and fall back to another scheduler.

Breaks it:

    IF (R1 < 1000000) {
        SET(R1, R1 + 1);
    }

Mended:

    IF (R1 < 100) {
        SET(R1, R1 + 1);
    }

Larger steps help as well: at 10,000 per step the first needs 100 executions.
";

const NULL_IS_MASKED: &str = "\
null-is-masked (warn)

A property is read from a value that may be NULL, and the result decides
something: it reaches a condition, a key or an operand.

This is defined: a property of NULL is NULL, a comparison with it is NULL, IF
takes ELSE on NULL and FILTER drops the element. But `a.CWND > 10` and
`!(a.CWND > 10)` are then both not TRUE, which is rarely what was meant.

Breaks it:

    VAR best = SUBFLOWS.MIN(s => s.RTT);
    IF (best.CWND > 10) {
        best.PUSH(Q.POP());
    }

Mended:

    VAR best = SUBFLOWS.MIN(s => s.RTT);
    IF (best != NULL AND best.CWND > 10) {
        best.PUSH(Q.POP());
    }
";

const NO_DEAD_EFFECT: &str = "\
no-dead-effect (warn)

Every PUSH, DROP, SET and every non-empty branch can be reached, and a DROP
concerns a packet that this execution popped.

What can never happen was written for a case that the author had in mind. Either
the case cannot occur, or the test before it is wrong.

Breaks it:

    IF (SUBFLOWS.EMPTY AND SUBFLOWS.COUNT > 2) {
        SET(R1, 1);
    }

Mended:

    IF (SUBFLOWS.COUNT > 2) {
        SET(R1, 1);
    }
";

const REINJECTIONS_ARE_SERVED: &str = "\
reinjections-are-served (warn)

In some state the scheduler takes a packet from RQ.

RQ holds packets that some subflow suspects lost, and packets of subflows that
died. A scheduler that never takes one leaves them to the host's last-resort
timer: nothing is lost, but recovery takes seconds.

Breaks it:

    SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());

Mended:

    VAR best = SUBFLOWS.MIN(s => s.RTT);
    IF (!RQ.EMPTY) {
        best.PUSH(RQ.POP());
    } ELSE {
        best.PUSH(Q.POP());
    }
";

const DIVISION_IS_DEFINED: &str = "\
division-is-defined (warn)

No divisor is 0.

A division or remainder by 0 is NULL: a condition on it is not TRUE, a FILTER
drops the element, MIN, MAX and SUM pass over it, and a SET keeps the old value.

Breaks it:

    IF (1000 / R1 > 10) {
        SET(R2, 1);
    }

Mended:

    IF (R1 > 0 AND 1000 / R1 > 10) {
        SET(R2, 1);
    }
";

const NO_WRAP: &str = "\
no-wrap (warn)

No sum, difference or product leaves the range 0 to 2^64 - 1.

Integers are unsigned, 64 bit wide, and wrap: 3 - 5 is 2^64 - 2. Registers and
USER values are the application's, so they may hold anything.

Breaks it:

    IF (R1 - 10 > 5) {
        SET(R2, 1);
    }

Mended:

    IF (R1 >= 10 AND R1 - 10 > 5) {
        SET(R2, 1);
    }
";

const GET_IS_IN_RANGE: &str = "\
get-is-in-range (warn)

The index of every GET is below the list's COUNT.

Otherwise GET is NULL, and what follows it is skipped.

Breaks it:

    VAR s = SUBFLOWS.GET(R1);
    s.PUSH(Q.POP());

Mended:

    IF (R1 < SUBFLOWS.COUNT) {
        VAR s = SUBFLOWS.GET(R1);
        s.PUSH(Q.POP());
    }
";

const NO_DUPLICATE_PUSH: &str = "\
no-duplicate-push (warn; gate on request)

No trigger pushes a packet twice on the same subflow.

The second copy takes window and brings nothing: if the first is lost, TCP sends
it again.

Breaks it:

    IF (!Q.EMPTY AND !SUBFLOWS.EMPTY) {
        VAR p = Q.POP();
        VAR fast = SUBFLOWS.MIN(s => s.RTT);
        VAR wide = SUBFLOWS.MAX(s => s.CWND);
        fast.PUSH(p);
        wide.PUSH(p);
    }

Mended:

    IF (!Q.EMPTY AND !SUBFLOWS.EMPTY) {
        VAR p = Q.POP();
        VAR fast = SUBFLOWS.MIN(s => s.RTT);
        VAR wide = SUBFLOWS.MAX(s => s.CWND);
        fast.PUSH(p);
        IF (wide.ID != fast.ID) {
            wide.PUSH(p);
        }
    }
";

const PUSH_MAY_BE_SKIPPED: &str = "\
push-may-be-skipped (note)

The target or the packet of a PUSH, or the receiver of SET_USER, may be NULL.
The statement then has no effect.

Nothing is lost by that: PUSH looks at its target first, and does not evaluate a
POP in its argument if there is none. The idiom
`SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());` depends on it. The note is there for
those who did not mean it.

Breaks it:

    SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());

Mended:

    VAR best = SUBFLOWS.MIN(s => s.RTT);
    IF (best != NULL AND !Q.EMPTY) {
        best.PUSH(Q.POP());
    }
";

const WORK_CONSERVING: &str = "\
work-conserving (on request)

An execution without effect leaves no packet that could go: neither the first of
Q, nor the first of RQ on a subflow that has not carried it yet. A packet could
go if some subflow of SUBFLOWS is not THROTTLED, not LOSSY, has
CWND > SKBS_IN_FLIGHT + QUEUED, and HAS_WINDOW_FOR the packet.

A scheduler that waits on purpose, for a faster subflow say, does not have this
property, and need not.

Breaks it:

    /* @require work-conserving */
    SUBFLOWS.FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED)
        .MIN(s => s.RTT).PUSH(Q.POP());

It never serves RQ.

Mended:

    /* @require work-conserving */
    VAR ready = SUBFLOWS.FILTER(s => !s.THROTTLED AND !s.LOSSY
        AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED);
    IF (!RQ.EMPTY) {
        VAR lost = RQ.TOP;
        VAR fresh = ready.FILTER(s => s.HAS_WINDOW_FOR(lost) AND !lost.SENT_ON(s));
        IF (!fresh.EMPTY) {
            fresh.MIN(s => s.RTT).PUSH(RQ.POP());
            RETURN;
        }
    }
    IF (!Q.EMPTY) {
        VAR next = Q.TOP;
        ready.FILTER(s => s.HAS_WINDOW_FOR(next)).MIN(s => s.RTT).PUSH(Q.POP());
    }
";

const WORK_CONSERVING_Q: &str = "\
work-conserving(Q) (on request)

An execution without effect does not leave the first packet of Q behind while
some subflow of SUBFLOWS is not THROTTLED, not LOSSY, has
CWND > SKBS_IN_FLIGHT + QUEUED, and HAS_WINDOW_FOR it. RQ does not matter.

Breaks it:

    /* @require work-conserving(Q) */
    VAR best = SUBFLOWS.MIN(s => s.RTT);
    IF (best != NULL AND best.CWND > best.SKBS_IN_FLIGHT + best.QUEUED) {
        best.PUSH(Q.POP());
    }

With a full window on the fastest subflow the others stay idle.

Mended:

    /* @require work-conserving(Q) */
    SUBFLOWS.FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED)
        .MIN(s => s.RTT).PUSH(Q.POP());
";

const REDUNDANCY: &str = "\
redundancy <= k (on request)

A trigger pushes at most k copies of a packet.

Copies buy latency with capacity; the bound says how much of it.

Breaks it:

    /* @require redundancy <= 1 */
    IF (!SUBFLOWS.EMPTY) {
        VAR p = Q.POP();
        FOREACH (VAR s IN SUBFLOWS) {
            s.PUSH(p);
        }
    }

Mended:

    /* @require redundancy <= 1 */
    SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());
";

const BACKUP_ONLY_IF_NEEDED: &str = "\
backup-only-if-needed (on request)

No packet goes to a backup subflow while any other subflow could take it at the
start of the execution: not THROTTLED, not LOSSY, a free congestion window, and
HAS_WINDOW_FOR the packet.

Backup subflows (the B flag of RFC 8684) are often metered. With several of them,
prefers(s => !s.IS_BACKUP) may be nearer to what you want: it does not mind which
backup is taken.

Breaks it:

    /* @require backup-only-if-needed */
    SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());

Mended:

    /* @require backup-only-if-needed */
    VAR ready = SUBFLOWS.FILTER(s => !s.THROTTLED AND !s.LOSSY
        AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED);
    IF (!Q.EMPTY) {
        VAR next = Q.TOP;
        VAR regular = ready.FILTER(s => !s.IS_BACKUP AND s.HAS_WINDOW_FOR(next));
        VAR spare = SUBFLOWS.FILTER(s => s.IS_BACKUP).TOP;
        IF (!regular.EMPTY) {
            regular.MIN(s => s.RTT).PUSH(Q.POP());
        } ELSE IF (spare != NULL) {
            IF (ready.FILTER(s => s.HAS_WINDOW_FOR(next) AND s.ID != spare.ID).EMPTY) {
                spare.PUSH(Q.POP());
            }
        }
    }
";

const PREFERS: &str = "\
prefers(s => ...) (on request)

No packet goes to a subflow that does not meet the predicate while one that does
could take it: not THROTTLED, not LOSSY, a free congestion window, and
HAS_WINDOW_FOR the packet.

Breaks it:

    /* @require prefers(s => s.RTT_MS < 50) */
    SUBFLOWS.MAX(s => s.CWND).PUSH(Q.POP());

Mended:

    /* @require prefers(s => s.RTT_MS < 50) */
    VAR ready = SUBFLOWS.FILTER(s => !s.THROTTLED AND !s.LOSSY
        AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED);
    IF (!Q.EMPTY) {
        VAR next = Q.TOP;
        VAR open = ready.FILTER(s => s.HAS_WINDOW_FOR(next));
        VAR fast = open.FILTER(s => s.RTT_MS < 50);
        IF (!fast.EMPTY) {
            fast.MAX(s => s.CWND).PUSH(Q.POP());
        } ELSE {
            open.MAX(s => s.CWND).PUSH(Q.POP());
        }
    }
";

const FAIR: &str = "\
fair <= k (on request)

In any run in which a subflow could take the packet at each execution, at most
k times |SUBFLOWS| consecutive PUSHes go to other subflows.

A scheduler that always takes the fastest subflow starves the others; one that
goes round does not.

Breaks it:

    /* @require fair <= 2 */
    SUBFLOWS.FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED)
        .MIN(s => s.RTT).PUSH(Q.POP());

Mended: keep the ID of the subflow that sent last in a register, and give the next
packet to the next larger ID, or to the smallest when there is none; serve RQ in
the same turn. What is proved is a run in which nobody else writes the register.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_explanation_begins_with_the_name_of_its_property() {
        for property in Property::ALL {
            assert!(explain(property).starts_with(property.name()), "{property}");
        }
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for property in Property::ALL {
            for line in explain(property).lines() {
                assert!(line.chars().count() <= 88, "{property}: {line}");
            }
        }
    }

    #[test]
    fn whatever_source_can_violate_has_an_example() {
        let by_host_or_types = [
            Property::PacketsAreConserved,
            Property::SubflowIsLive,
            Property::LoopsTerminate,
        ];
        for property in Property::ALL {
            let shown = explain(property).contains("\nBreaks it:\n\n    ");
            assert_eq!(shown, !by_host_or_types.contains(&property), "{property}");
        }
    }
}
