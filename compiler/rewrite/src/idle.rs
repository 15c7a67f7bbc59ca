//! What does nothing unless a condition is TRUE.
//!
//! In: a block and a condition. The block is gone through with what follows from the condition not
//! being TRUE: lists without members, elements that are NULL, truth values. It does nothing if no
//! statement on any way that is left has an effect.

use std::collections::BTreeMap;

use progmp_rules::{Op, Term};

use crate::cost::price;
use crate::tree::{Node, NodeKind, Source, Tree};

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// A list without members.
    Empty,
    Null,
    True,
    False,
}

struct Facts<'t> {
    tree: &'t Tree,
    /// Lists and bools of which the condition says something.
    given: Vec<(Term, Known)>,
    vars: BTreeMap<u32, Known>,
}

/// What a block is expected to cost where a condition is not TRUE, if it does nothing then; else
/// `None`.
pub(crate) fn wasted(tree: &Tree, block: &[Node], condition: &Term) -> Option<u64> {
    let mut facts = Facts {
        tree,
        given: Vec::new(),
        vars: BTreeMap::new(),
    };
    facts.is_not_true(condition);
    facts.block(block)
}

impl Facts<'_> {
    /// The condition is FALSE or NULL.
    fn is_not_true(&mut self, condition: &Term) {
        match (condition.op, &condition.args[..]) {
            (Op::Or, [a, b]) => {
                self.is_not_true(a);
                self.is_not_true(b);
            }
            // EMPTY is never NULL.
            (Op::Not, [inner]) if inner.op == Op::Empty => {
                self.given.push((inner.args[0].clone(), Known::Empty));
            }
            _ if self.tree.never_null(condition) => {
                self.given.push((condition.clone(), Known::False));
            }
            _ => {}
        }
    }

    fn known(&self, term: &Term) -> Option<Known> {
        let given = self.given.iter().find(|(what, _)| what == term);
        if let Some((_, known)) = given {
            return Some(*known);
        }
        let arg = |index: usize| self.known(&term.args[index]);
        match term.op {
            Op::Var(number, _) => self.vars.get(&number).copied(),
            Op::Bool(true) => Some(Known::True),
            Op::Bool(false) => Some(Known::False),
            Op::NullBool | Op::NullInt | Op::NullElement(_) => Some(Known::Null),
            Op::Filter => arg(0).filter(|known| *known == Known::Empty),
            Op::Empty => (arg(0)? == Known::Empty).then_some(Known::True),
            Op::Extremum(_) | Op::First | Op::Last | Op::Get => {
                (arg(0)? == Known::Empty).then_some(Known::Null)
            }
            Op::Not => Some(match arg(0)? {
                Known::True => Known::False,
                Known::False => Known::True,
                other => other,
            }),
            Op::And => match (arg(0), arg(1)) {
                (Some(Known::False | Known::Null), _) | (_, Some(Known::False | Known::Null)) => {
                    Some(Known::False)
                }
                (Some(Known::True), Some(Known::True)) => Some(Known::True),
                _ => None,
            },
            Op::Or => match (arg(0), arg(1)) {
                (Some(Known::True), _) | (_, Some(Known::True)) => Some(Known::True),
                (Some(Known::False | Known::Null), Some(Known::False | Known::Null)) => {
                    Some(Known::False)
                }
                _ => None,
            },
            Op::Equal | Op::Unequal => {
                let both = [arg(0), arg(1)] == [Some(Known::Null); 2];
                both.then_some(if term.op == Op::Equal {
                    Known::True
                } else {
                    Known::False
                })
            }
            // A property of NULL is NULL, as is arithmetic with it.
            Op::SubflowInt(_)
            | Op::SubflowBool(_)
            | Op::PacketInt(_)
            | Op::Psh
            | Op::SentOnAll
            | Op::HasWindowFor
            | Op::SentOn
            | Op::Arith(_)
            | Op::Order(_) => {
                let null = (0..term.args.len()).any(|index| arg(index) == Some(Known::Null));
                null.then_some(Known::Null)
            }
            _ => None,
        }
    }

    fn block(&mut self, block: &[Node]) -> Option<u64> {
        let mut cost = 0_u64;
        for node in block {
            cost = cost.saturating_add(self.node(node)?);
        }
        Some(cost)
    }

    /// What looking at an expression costs.
    fn look(&self, term: &Term) -> u64 {
        price(self.tree, term)
    }

    fn is_nothing(&self, source: &Source) -> bool {
        let known = self.known(&source.place().term);
        match source {
            Source::Value(_) => known == Some(Known::Null),
            Source::Pop(..) => known == Some(Known::Empty),
        }
    }

    fn node(&mut self, node: &Node) -> Option<u64> {
        match &node.kind {
            NodeKind::Let { var, init } => {
                let term = &init.place().term;
                let known = match init {
                    Source::Value(_) => self.known(term),
                    Source::Pop(..) => {
                        if !self.is_nothing(init) {
                            return None;
                        }
                        Some(Known::Null)
                    }
                };
                if let Some(known) = known {
                    self.vars.insert(*var, known);
                }
                Some(self.look(term))
            }
            NodeKind::If {
                cond,
                then,
                otherwise,
            } => {
                let otherwise = otherwise.as_deref().unwrap_or_default();
                let test = self.look(&cond.term) + 1;
                let inner = match self.known(&cond.term) {
                    Some(Known::True) => self.block(then)?,
                    Some(_) => self.block(otherwise)?,
                    None => u64::midpoint(self.block(then)?, self.block(otherwise)?),
                };
                Some(test.saturating_add(inner))
            }
            NodeKind::Foreach { list, body, .. } => {
                let look = self.look(&list.term);
                if self.known(&list.term) == Some(Known::Empty) {
                    return Some(look);
                }
                Some(look.saturating_add(self.block(body)?.saturating_mul(2)))
            }
            NodeKind::Push { target, packet } => {
                let nobody = self.known(&target.term) == Some(Known::Null);
                (nobody || self.is_nothing(packet)).then(|| self.look(&target.term) + 1)
            }
            NodeKind::Drop { packet } => self.is_nothing(packet).then_some(2),
            NodeKind::Set { value, .. } => {
                let nothing = self.known(&value.term) == Some(Known::Null);
                nothing.then(|| self.look(&value.term))
            }
            NodeKind::SetUser { target, value } => {
                let nothing = [target, value]
                    .iter()
                    .any(|place| self.known(&place.term) == Some(Known::Null));
                nothing.then(|| self.look(&target.term) + self.look(&value.term))
            }
            NodeKind::Void(place) => Some(place.as_ref().map_or(0, |place| self.look(&place.term))),
            NodeKind::Print { .. } | NodeKind::Return => None,
        }
    }
}
