//! The states that are tried: up to two subflows and two packets, each property from a short list.
//!
//! In: what a program reads. Out: the axes of the space, the state at a point of it, and whether
//! a given state lies in it. What is not read has its ordinary value. The lists are the constants
//! below; registers also take the literals of the program and their neighbours.

use std::collections::{BTreeMap, BTreeSet};

use progmp_ir::{
    ArithOp, ExprId, ExprKind, Needs, OrderOp, Packet, PacketInt, Program, QueueName, SchedReg,
    SchedState, Subflow, SubflowBool, SubflowInt,
};

/// Subflows and packets at most.
pub(crate) const LARGEST: usize = 2;

/// `(CWND, SKBS_IN_FLIGHT, QUEUED)`: a free window and a full one.
const WINDOWS: &[(u64, u64, u64)] = &[(10, 0, 0), (0, 0, 0)];
/// … and, for programs that ask more of a window, the same with a packet on its way.
const BUSY_WINDOWS: &[(u64, u64, u64)] = &[(10, 0, 0), (0, 0, 0), (10, 1, 0), (0, 1, 0)];
/// SEQ of the packets.
const SEQS: [u64; LARGEST] = [1, 1_001];
/// `LENGTH`.
const LENGTHS: &[u64] = &[1_000, 0];
/// USER of packets: the roles of `http2`.
const PACKET_USERS: &[u64] = &[0, 1, 2, 3];
/// `CURRENT_TIME_MS`.
const TIMES: &[u64] = &[0, 1_000];
/// Registers, beside the literals of the program, these plus and minus one, and the same of IDs,
/// lengths and times.
const REGISTERS: &[u64] = &[0, 1, 2, 3, 999, 1_000, 1_001, u64::MAX];

/// Something that varies. Numbers are positions of subflows and packets, and register indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Axis {
    /// IDs ascend or descend.
    Ids,
    /// CWND, `SKBS_IN_FLIGHT` and QUEUED of a subflow.
    Window(usize),
    /// Another integer of a subflow. RTT stands for `RTT_MS` too.
    Int(usize, u8),
    /// A flag of a subflow.
    Flag(usize, u8),
    /// `SENT_ON` of a packet and a subflow.
    SentOn(usize, usize),
    /// Not `HAS_WINDOW_FOR`.
    NoWindow(usize, usize),
    /// LENGTH of a packet.
    Length(usize),
    /// USER of a packet.
    PacketUser(usize),
    /// PSH of a packet.
    Psh(usize),
    /// A register.
    Register(usize),
    /// `CURRENT_TIME_MS`.
    Time,
}

impl Axis {
    /// The axis of an integer of a subflow.
    pub(crate) const fn of_int(subflow: usize, property: SubflowInt) -> Self {
        match property {
            SubflowInt::Id => Self::Ids,
            SubflowInt::Cwnd | SubflowInt::InFlight | SubflowInt::Queued => Self::Window(subflow),
            SubflowInt::RttMs => Self::Int(subflow, SubflowInt::Rtt as u8),
            other => Self::Int(subflow, other as u8),
        }
    }
}

/// Where a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Q,
    Qu,
    QuAndRq,
    /// The prefix of QU that is shown ends before it.
    Rq,
}

/// The states with so many subflows and packets, each packet in its queues.
pub(crate) struct Space {
    subflows: usize,
    places: Vec<Place>,
    axes: BTreeMap<Axis, (usize, Vec<u64>)>,
}

/// What a program reads, and the values that its registers take.
pub(crate) struct Listed {
    needs: Needs,
    windows: &'static [(u64, u64, u64)],
    registers: Vec<u64>,
    users: Vec<u64>,
}

impl Listed {
    /// The lists for a program.
    pub(crate) fn of(program: &Program) -> Self {
        let needs = Needs::of_body(program);
        assert!(!needs.uses_random(), "no scheduler of the corpus is random");
        let around = |literals: &BTreeSet<u64>, others: &[u64]| {
            let mut values: BTreeSet<u64> = others.iter().copied().collect();
            for &literal in literals {
                values.extend([
                    literal.saturating_sub(1),
                    literal,
                    literal.saturating_add(1),
                ]);
            }
            values.into_iter().collect()
        };
        Self {
            windows: if only_tests_windows(program) {
                WINDOWS
            } else {
                BUSY_WINDOWS
            },
            registers: around(needs.register_literals(), REGISTERS),
            users: around(needs.user_literals(), &[0, 1]),
            needs,
        }
    }

    /// Every combination of sizes and queues, the small ones first.
    pub(crate) fn spaces(&self) -> Vec<Space> {
        let read = |queue| self.needs.reads_queue(queue);
        let mut open = Vec::new();
        if read(QueueName::Send) {
            open.push(Place::Q);
        }
        if read(QueueName::Unacked) {
            open.push(Place::Qu);
        }
        if read(QueueName::Retrans) {
            open.extend([Place::QuAndRq, Place::Rq]);
        }
        let mut spaces = Vec::new();
        let mut rows: Vec<Vec<Place>> = vec![Vec::new()];
        for _ in 0..=LARGEST {
            for places in &rows {
                for subflows in 0..=LARGEST {
                    spaces.push(self.space(subflows, places.clone()));
                }
            }
            let longer = |row: &Vec<Place>| {
                open.iter()
                    .map(|&place| [row.as_slice(), &[place]].concat())
                    .collect::<Vec<_>>()
            };
            rows = rows.iter().flat_map(longer).collect();
        }
        spaces.sort_by_key(|space| space.subflows * space.places.len());
        spaces
    }

    fn space(&self, subflows: usize, places: Vec<Place>) -> Space {
        let needs = &self.needs;
        let mut axes: Vec<(Axis, Vec<u64>)> = Vec::new();
        let count = |length: usize| (0..length as u64).collect::<Vec<_>>();
        if needs.reads_subflow_int(SubflowInt::Id) && subflows > 0 {
            axes.push((Axis::Ids, count(2)));
        }
        for s in 0..subflows {
            // Whoever pushes is judged by the window, read or not.
            axes.push((Axis::Window(s), count(self.windows.len())));
            for &property in SubflowInt::ALL {
                if matches!(Axis::of_int(s, property), Axis::Int(..)) && self.reads(property) {
                    let axis = Axis::of_int(s, property);
                    if axes.last().is_none_or(|last| last.0 != axis) {
                        axes.push((axis, self.ints(property)));
                    }
                }
            }
            for &property in SubflowBool::ALL {
                if needs.reads_subflow_bool(property) {
                    axes.push((Axis::Flag(s, property as u8), count(2)));
                }
            }
            for (p, place) in places.iter().enumerate() {
                if *place != Place::Rq {
                    axes.push((Axis::SentOn(p, s), count(2)));
                }
                if needs.reads_windows() {
                    axes.push((Axis::NoWindow(p, s), count(2)));
                }
            }
        }
        for p in 0..places.len() {
            if needs.reads_packet_int(PacketInt::Length) {
                axes.push((Axis::Length(p), LENGTHS.to_vec()));
            }
            if needs.reads_packet_int(PacketInt::User) {
                axes.push((Axis::PacketUser(p), PACKET_USERS.to_vec()));
            }
            if needs.reads_psh() {
                axes.push((Axis::Psh(p), count(2)));
            }
        }
        for reg in SchedReg::all() {
            if needs.reads_register(reg) || needs.writes_register(reg) {
                axes.push((Axis::Register(reg.index()), self.registers.clone()));
            }
        }
        if needs.reads_time() {
            axes.push((Axis::Time, TIMES.to_vec()));
        }
        let numbered = axes.into_iter().enumerate();
        Space {
            subflows,
            places,
            axes: numbered
                .map(|(number, (axis, values))| (axis, (number, values)))
                .collect(),
        }
    }

    fn reads(&self, property: SubflowInt) -> bool {
        let twin = match property {
            SubflowInt::Rtt => SubflowInt::RttMs,
            SubflowInt::RttMs => SubflowInt::Rtt,
            SubflowInt::User if self.needs.writes_user() => return true,
            other => other,
        };
        self.needs.reads_subflow_int(property) || self.needs.reads_subflow_int(twin)
    }

    /// The values of an integer of subflows: the ordinary one, and 0 (or 1, if that is ordinary).
    fn ints(&self, property: SubflowInt) -> Vec<u64> {
        let ordinary = Subflow::default().int(property);
        match property {
            SubflowInt::User => self.users.clone(),
            _ => vec![ordinary, u64::from(ordinary == 0)],
        }
    }

    /// Whether a state is one of those tried, in all that the program reads. A window counts as
    /// listed if it is full or free; its numbers matter only to who asks for them.
    pub(crate) fn holds(&self, state: &SchedState) -> bool {
        let needs = &self.needs;
        let named = |queue| {
            let read = needs.reads_queue(queue);
            state.queue(queue).iter().filter(move |_| read)
        };
        let packets: BTreeSet<usize> = QueueName::ALL
            .into_iter()
            .flat_map(named)
            .copied()
            .collect();
        let flight = |s: &Subflow| (s.cwnd, s.skbs_in_flight, s.queued);
        let subflow = |s: &Subflow| {
            let ints = SubflowInt::ALL.iter().filter(|&&property| {
                matches!(Axis::of_int(0, property), Axis::Int(..))
                    && needs.reads_subflow_int(property)
            });
            (self.windows.len() == WINDOWS.len() || self.windows.contains(&flight(s)))
                && (s.id <= LARGEST as u64 || !needs.reads_subflow_int(SubflowInt::Id))
                && ints
                    .filter(|&&property| property != SubflowInt::RttMs)
                    .all(|&property| self.ints(property).contains(&s.int(property)))
                && (!needs.reads_subflow_int(SubflowInt::RttMs)
                    || self.ints(SubflowInt::Rtt).contains(&s.rtt))
        };
        let packet = |&position: &usize| {
            let packet = &state.packets[position];
            (!needs.reads_packet_int(PacketInt::Length) || LENGTHS.contains(&packet.length))
                && (!needs.reads_packet_int(PacketInt::User) || PACKET_USERS.contains(&packet.user))
        };
        let register = |reg: SchedReg| {
            let used = needs.reads_register(reg) || needs.writes_register(reg);
            !used || self.registers.contains(&state.registers[reg.index()])
        };
        state.subflows.len() <= LARGEST
            && packets.len() <= LARGEST
            && state.subflows.iter().all(subflow)
            && packets.iter().all(packet)
            && SchedReg::all().all(register)
            && (!needs.reads_time() || TIMES.contains(&state.time_ms))
            && !needs.reads_packet_int(PacketInt::Seq)
    }
}

/// Whether the program reads windows only in `CWND > SKBS_IN_FLIGHT + QUEUED`.
fn only_tests_windows(program: &Program) -> bool {
    let window = |id: ExprId, wanted: SubflowInt| matches!(program.expr(id).kind, ExprKind::SubflowInt(property, _) if property == wanted);
    let is_test = |kind: &ExprKind| match *kind {
        ExprKind::Order(OrderOp::Gt, cwnd, sum) => match program.expr(sum).kind {
            ExprKind::Arith(ArithOp::Add, a, b) => {
                window(cwnd, SubflowInt::Cwnd)
                    && window(a, SubflowInt::InFlight)
                    && window(b, SubflowInt::Queued)
            }
            _ => false,
        },
        _ => false,
    };
    let is_read = |kind: &ExprKind| {
        matches!(kind, ExprKind::SubflowInt(property, _)
            if matches!(Axis::of_int(0, *property), Axis::Window(_)))
    };
    let count = |wanted: &dyn Fn(&ExprKind) -> bool| {
        program.exprs.iter().filter(|e| wanted(&e.kind)).count()
    };
    count(&is_read) == 3 * count(&is_test)
}

impl Space {
    /// The number of an axis; none if nothing reads it.
    pub(crate) fn axis(&self, axis: Axis) -> Option<usize> {
        self.axes.get(&axis).map(|(number, _)| *number)
    }

    /// How many values each axis has, by number.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.axes.len()];
        for (number, values) in self.axes.values() {
            sizes[*number] = values.len();
        }
        sizes
    }

    /// The state at a point; `point` picks a value on each axis, by number.
    ///
    /// # Panics
    /// If it breaks a fact of the environment: the lists above are wrong.
    pub(crate) fn state(&self, windows: &Listed, point: &[usize]) -> SchedState {
        let mut state = SchedState {
            subflows: vec![Subflow::default(); self.subflows],
            packets: vec![Packet::default(); self.places.len()],
            ..SchedState::default()
        };
        let position = |x: usize| x as u64 + 1;
        let descend = self
            .axis(Axis::Ids)
            .is_some_and(|number| point[number] == 1);
        for (s, subflow) in state.subflows.iter_mut().enumerate() {
            subflow.id = if descend {
                position(LARGEST - 1 - s)
            } else {
                position(s)
            };
        }
        let ids: Vec<u64> = state.subflows.iter().map(|s| s.id).collect();
        for (p, &place) in self.places.iter().enumerate() {
            state.packets[p].seq = SEQS[p];
            match place {
                Place::Q => state.q.push(p),
                Place::Qu => state.qu.push(p),
                Place::QuAndRq => {
                    state.qu.push(p);
                    state.rq.push(p);
                }
                Place::Rq => state.rq.push(p),
            }
        }
        for (&axis, (number, values)) in &self.axes {
            let value = values[point[*number]];
            match axis {
                Axis::Window(s) => {
                    let subflow = &mut state.subflows[s];
                    let (cwnd, flight, queued) = windows.windows[point[*number]];
                    (subflow.cwnd, subflow.skbs_in_flight) = (cwnd, flight);
                    subflow.queued = queued;
                }
                Axis::Int(s, property) => {
                    let property = SubflowInt::ALL[property as usize];
                    *state.subflows[s].int_mut(property) = value;
                }
                Axis::Flag(s, property) => {
                    let property = SubflowBool::ALL[property as usize];
                    *state.subflows[s].flag_mut(property) = value == 1;
                }
                Axis::SentOn(p, s) if value == 1 => {
                    state.packets[p].sent_on.insert(ids[s]);
                }
                Axis::NoWindow(p, s) if value == 1 => {
                    state.packets[p].no_window_on.insert(ids[s]);
                }
                Axis::Ids | Axis::SentOn(..) | Axis::NoWindow(..) => {}
                Axis::Length(p) => state.packets[p].length = value,
                Axis::PacketUser(p) => state.packets[p].user = value,
                Axis::Psh(p) => state.packets[p].psh = value == 1,
                Axis::Register(r) => state.registers[r] = value,
                Axis::Time => state.time_ms = value,
            }
        }
        for subflow in &mut state.subflows {
            subflow.rtt_ms = subflow.rtt / 1_000;
        }
        debug_assert_eq!(state.check(), Ok(()), "a listed state is possible");
        state
    }
}
