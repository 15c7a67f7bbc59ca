//! Rules between statements as formulas.
//!
//! A state is anything that a statement can see or change, and whether the execution has ended.
//! A block is an arbitrary function from states to states, an expression one from states to words;
//! both may read the variables in scope, unless a guard says that they do not. What a guard says
//! holds of every state, so it is assumed of those that occur. A loop is unrolled once: both sides must
//! enter it alike, and one round from one state, for one element, must do the same; then all do.

use progmp_rules::{Effect, EffectGuard, EffectRule, EffectSort, Op, Pattern};

use super::scope::scopes;
use crate::smt::{Func, Sort, Term, Terms};

/// The sort of states: any sort of which nothing is known serves.
const STATE: Sort = Sort::Packet;
const WORD: Sort = Sort::Word;

/// What stood in a hole was executed or evaluated here.
struct Seen {
    hole: usize,
    before: Term,
    vars: Vec<Option<Term>>,
    result: Term,
}

/// A loop: where it is entered, and one round of it.
#[derive(Clone, Copy)]
struct Round {
    list: Term,
    entered: Term,
    element: Term,
    before: Term,
    after: Term,
    behind: Term,
}

/// Both sides of a rule under construction.
pub(super) struct Effects<'r> {
    pub(super) terms: Terms,
    holes: Vec<(EffectSort, Func)>,
    guards: &'r [EffectGuard],
    /// For each hole and variable, whether it is in scope where the hole is found.
    visible: Vec<Vec<bool>>,
    ended: Func,
    left_over: Func,
    end: Func,
    pushed: Func,
    dropped: Func,
    count: Func,
    null: Term,
    truth: [Term; 2],
    seen: Vec<Seen>,
    rounds: Vec<Round>,
    /// Loops of the side that is run now.
    reached: usize,
    assumed: Vec<Term>,
    wrong: Vec<Term>,
}

/// The query that is unsatisfiable if the rule holds.
pub(super) fn violation<'r>(
    rule: &EffectRule,
    from: &Effect,
    to: &Effect,
    guards: &'r [EffectGuard],
) -> (Effects<'r>, Term) {
    let mut effects = Effects::new(rule, guards);
    let mut found = vec![None; rule.holes.len()];
    scopes(from, &vec![false; rule.holes.len()], &mut found);
    // What stands on the right side only is chosen: it may read all that is in scope there.
    let all = vec![true; rule.holes.len()];
    let visible = found.into_iter().map(|scope| scope.unwrap_or(all.clone()));
    effects.visible = visible.collect();
    let start = effects.terms.constant("start", STATE);
    effects.goes_on(start);
    let none = vec![None; rule.holes.len()];
    let left = effects.run(from, start, &none);
    let loops = std::mem::take(&mut effects.reached);
    let right = effects.run(to, start, &none);
    if effects.reached != loops {
        // Nothing is known of a loop that stands on one side only.
        let all = effects.terms.bool(true);
        effects.wrong.push(all);
    }
    let (left, right) = if guards.contains(&EffectGuard::Last) {
        (
            effects.terms.apply(effects.left_over, &[left]),
            effects.terms.apply(effects.left_over, &[right]),
        )
    } else {
        (left, right)
    };
    let same = effects.terms.eq(left, right);
    let other = effects.terms.not(same);
    effects.wrong.push(other);
    effects.assume_guards();
    let wrong = effects.terms.or(&effects.wrong.clone());
    effects.assumed.push(wrong);
    let query = effects.terms.and(&effects.assumed.clone());
    (effects, query)
}

impl<'r> Effects<'r> {
    fn new(rule: &EffectRule, guards: &'r [EffectGuard]) -> Self {
        let mut terms = Terms::plain();
        let mut domain = vec![STATE];
        domain.extend(rule.holes.iter().map(|_| WORD));
        let holes = rule.holes.iter().map(|hole| {
            let range = match hole.sort {
                EffectSort::Block | EffectSort::Statement => STATE,
                _ => WORD,
            };
            (hole.sort, terms.declare(&hole.name, &domain, range))
        });
        let holes = holes.collect();
        let null = terms.constant("null", WORD);
        let truth = [terms.word(0), terms.word(1)];
        let distinct = terms.distinct(&[null, truth[0], truth[1]]);
        Self {
            holes,
            guards,
            visible: Vec::new(),
            ended: terms.declare("ended", &[STATE], Sort::Bool),
            left_over: terms.declare("left_over", &[STATE], WORD),
            end: terms.declare("return", &[STATE], STATE),
            pushed: terms.declare("push", &[STATE, WORD, WORD], STATE),
            dropped: terms.declare("drop", &[STATE, WORD], STATE),
            count: terms.declare("count", &[STATE], WORD),
            null,
            truth,
            seen: Vec::new(),
            rounds: Vec::new(),
            reached: 0,
            assumed: vec![distinct],
            wrong: Vec::new(),
            terms,
        }
    }

    fn has_ended(&mut self, state: Term) -> Term {
        self.terms.apply(self.ended, &[state])
    }

    fn goes_on(&mut self, state: Term) {
        let ended = self.has_ended(state);
        let goes_on = self.terms.not(ended);
        self.assumed.push(goes_on);
    }

    /// What stands in a hole, in a state, with the values of the variables in scope.
    fn hole(&mut self, hole: usize, state: Term, vars: &[Option<Term>]) -> Term {
        let mut args = vec![state];
        for (var, value) in vars.iter().enumerate() {
            let unread = self.guards.contains(&EffectGuard::Unread(var, hole));
            args.push(match value {
                Some(value) if !unread && self.visible[hole][var] => *value,
                _ => self.truth[0],
            });
        }
        let result = self.terms.apply(self.holes[hole].1, &args);
        if self.holes[hole].0 == EffectSort::Bool {
            let values = [self.null, self.truth[0], self.truth[1]];
            let is = values.map(|value| self.terms.eq(result, value));
            let one = self.terms.or(&is);
            self.assumed.push(one);
        }
        self.seen.push(Seen {
            hole,
            before: state,
            vars: vars.to_vec(),
            result,
        });
        result
    }

    fn run(&mut self, effect: &Effect, state: Term, vars: &[Option<Term>]) -> Term {
        match effect {
            Effect::Hole(hole) => self.hole(*hole, state, vars),
            Effect::Do(parts) => {
                let mut state = state;
                for part in parts {
                    let ended = self.has_ended(state);
                    let next = self.run(part, state, vars);
                    state = self.terms.ite(ended, state, next);
                }
                state
            }
            Effect::If(c, a, b) => {
                let condition = self.value(c, state, vars);
                let is_true = self.terms.eq(condition, self.truth[1]);
                let (a, b) = (self.run(a, state, vars), self.run(b, state, vars));
                self.terms.ite(is_true, a, b)
            }
            Effect::Var(v, x, a) => {
                let mut vars = vars.to_vec();
                vars[*v] = Some(self.value(x, state, &vars));
                self.run(a, state, &vars)
            }
            Effect::Each(e, l, body) => self.each(*e, l, body, state, vars),
            Effect::Push(s, x) => {
                let target = self.value(s, state, vars);
                let packet = self.hole(*x, state, vars);
                let nobody = self.terms.eq(target, self.null);
                let pushed = self.terms.apply(self.pushed, &[state, target, packet]);
                self.terms.ite(nobody, state, pushed)
            }
            Effect::Drop(x) => {
                let packet = self.value(x, state, vars);
                let nothing = self.terms.eq(packet, self.null);
                let dropped = self.terms.apply(self.dropped, &[state, packet]);
                self.terms.ite(nothing, state, dropped)
            }
            Effect::Void(_) => state,
            Effect::Return => {
                let end = self.terms.apply(self.end, &[state]);
                let ended = self.has_ended(end);
                let before = self.terms.apply(self.left_over, &[state]);
                let after = self.terms.apply(self.left_over, &[end]);
                let same = self.terms.eq(before, after);
                self.assumed.extend([ended, same]);
                end
            }
        }
    }

    fn each(
        &mut self,
        e: usize,
        list: &Pattern,
        body: &Effect,
        state: Term,
        vars: &[Option<Term>],
    ) -> Term {
        let list = self.value(list, state, vars);
        let place = self.reached;
        // The second side's loops have the symbols of the first side's.
        let first = self.rounds.get(place).copied();
        let made = first.unwrap_or_else(|| Round {
            list,
            entered: state,
            element: self.terms.constant("element", WORD),
            before: self.terms.constant("round", STATE),
            after: state,
            behind: self.terms.constant("behind", STATE),
        });
        self.goes_on(made.before);
        let mut inner = vars.to_vec();
        inner[e] = Some(made.element);
        let after = self.run(body, made.before, &inner);
        if after == made.before {
            return state;
        }
        self.reached += 1;
        match first {
            Some(first) => {
                let pairs = [
                    (first.list, list),
                    (first.entered, state),
                    (first.after, after),
                ];
                for (a, b) in pairs {
                    let same = self.terms.eq(a, b);
                    let other = self.terms.not(same);
                    self.wrong.push(other);
                }
            }
            None => self.rounds.push(Round { after, ..made }),
        }
        made.behind
    }

    fn value(&mut self, pattern: &Pattern, state: Term, vars: &[Option<Term>]) -> Term {
        let Pattern::Node(op, args) = pattern else {
            let Pattern::Hole(hole) = pattern else {
                unreachable!("a pattern is a hole or a node")
            };
            return self.hole(*hole, state, vars);
        };
        if let (Op::Equal, Some(Pattern::Node(Op::Int(number), _))) = (op, args.get(1)) {
            // Nothing is known of the number of subflows.
            let count = self.terms.apply(self.count, &[state]);
            let number = self.terms.word(*number);
            let same = self.terms.eq(count, number);
            let [no, yes] = self.truth;
            return self.terms.ite(same, yes, no);
        }
        let args: Vec<Term> = args
            .iter()
            .map(|arg| self.value(arg, state, vars))
            .collect();
        let [no, yes] = self.truth;
        let is_true: Vec<Term> = args.iter().map(|&arg| self.terms.eq(arg, yes)).collect();
        match op {
            Op::Bool(value) => self.truth[usize::from(*value)],
            Op::NullBool | Op::NullElement(_) => self.null,
            Op::And => {
                let both = self.terms.and(&is_true);
                self.terms.ite(both, yes, no)
            }
            Op::Or => {
                let either = self.terms.or(&is_true);
                self.terms.ite(either, yes, no)
            }
            Op::Not => {
                let null = self.terms.eq(args[0], self.null);
                let inverse = self.terms.ite(is_true[0], no, yes);
                self.terms.ite(null, self.null, inverse)
            }
            other => unreachable!("`{other}` is not read in rules between statements"),
        }
    }

    /// What the guards say of the states that occur.
    fn assume_guards(&mut self) {
        for guard in self.guards {
            let seen = std::mem::take(&mut self.seen);
            for at in &seen {
                self.assume(*guard, at);
            }
            // What was evaluated for a guard is no place of the rule.
            self.seen = seen;
        }
    }

    fn assume(&mut self, guard: EffectGuard, at: &Seen) {
        let fact = match guard {
            EffectGuard::Keeps(block, value) if block == at.hole => {
                let before = self.hole(value, at.before, &at.vars);
                let after = self.hole(value, at.result, &at.vars);
                self.terms.eq(before, after)
            }
            EffectGuard::Keeps(_, value) => return self.assume_through_loops(value, at),
            EffectGuard::Idle(block, condition) if block == at.hole => {
                let condition = self.hole(condition, at.before, &at.vars);
                let holds = self.terms.eq(condition, self.truth[1]);
                let same = self.terms.eq(at.before, at.result);
                self.terms.or(&[holds, same])
            }
            EffectGuard::Leaves(block) if block == at.hole => self.has_ended(at.result),
            EffectGuard::NonNull(value) if value == at.hole => {
                let null = self.terms.eq(at.result, self.null);
                self.terms.not(null)
            }
            EffectGuard::Names(var, value, after, before) if before == at.hole => {
                let mut vars = at.vars.clone();
                vars[var] = Some(self.hole(value, at.before, &at.vars));
                let renamed = self.hole(after, at.before, &vars);
                self.terms.eq(renamed, at.result)
            }
            _ => return,
        };
        self.assumed.push(fact);
    }

    /// What a loop keeps is in each round what it was before the loop: that each round keeps it is to
    /// be shown, once for each place where it is evaluated.
    fn assume_through_loops(&mut self, value: usize, at: &Seen) {
        if at.hole != value {
            return;
        }
        let rounds: Vec<[Term; 3]> = self
            .rounds
            .iter()
            .filter(|round| round.before == at.before)
            .map(|round| [round.entered, round.before, round.after])
            .collect();
        for states in rounds {
            let [entered, before, after] = states.map(|state| self.hole(value, state, &at.vars));
            let kept = self.terms.eq(entered, before);
            self.assumed.push(kept);
            let still = self.terms.eq(entered, after);
            let broken = self.terms.not(still);
            self.wrong.push(broken);
        }
    }
}
