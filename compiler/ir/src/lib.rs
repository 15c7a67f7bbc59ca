//! The intermediate representation and its meaning.
//!
//! In: nothing. Out: [`Program`], [`SchedState`], one `eval` for every value
//! domain, and the calling model. Parsing, proofs and code generation live
//! elsewhere and read this crate.

mod concrete;
mod domain;
mod eval;
mod facts;
mod host;
mod needs;
mod program;
mod requirement;
mod state;
mod table;
mod trigger;
mod types;
pub mod wellformed;

pub use concrete::{Action, Concrete, Execution, execute, random, splitmix64};
pub use domain::{
    Bound, Domain, Event, EventKind, KeyFn, Nullable, PredicateFn, Role, State, Value,
};
pub use eval::{Loop, Machine};
pub use facts::{HostError, Lost};
pub use host::{Fault, Host, HostEvent, Pending};
pub use needs::Needs;
pub use program::{
    Block, Expr, ExprId, ExprKind, Lambda, Operand, PrintArg, Program, SiteId, Span, Stmt, StmtId,
    StmtKind, Var, VarId,
};
pub use requirement::{Requirement, RequirementKind};
pub use state::{Packet, SchedState, StateError, Subflow};
pub use table::table;
pub use trigger::{
    FUEL, Memory, Observer, Obstacle, Outcome, Policy, Report, Squeeze, Statistics, Step,
    unobserved,
};
pub use types::{
    ArithOp, Extremum, Kind, ListSource, OrderOp, PacketInt, QueueName, SchedReg, SubflowBool,
    SubflowInt, Tier, Type,
};
