//! Partial evaluation: the program once more for one, two, three or four subflows, if that pays.

use progmp_ir::{Kind, ListSource};
use progmp_rules::{Op, Term};

use crate::block::{Path, blocks_mut, number, places_mut};
use crate::effect::Filled;
use crate::estimate::{LARGEST, of, size, weight};
use crate::graph::Rewrites;
use crate::guard::{ALWAYS, NUMBER};
use crate::settle::Work;
use crate::tree::{Node, NodeKind, Tree};

/// The rules, and for how many subflows.
const RULES: [(&str, u64); 4] = [
    ("for-one", 1),
    ("for-two", 2),
    ("for-three", 3),
    ("for-four", 4),
];
/// What the whole must be cheaper by, as a part of what it costs: it gets twice as long.
const PART: u64 = 32;
/// What asking for the number of subflows costs.
const ASKING: u64 = 15;

impl Work<'_> {
    /// Code of its own for a number of subflows, where it is estimated to pay.
    pub(crate) fn specialise(&mut self, rewrites: &Rewrites) {
        for (rule, subflows) in RULES {
            let now = of(&self.tree);
            let least = now - now / PART;
            // First without the rules: what could be gained at most?
            let mut hoped = self.tree.clone();
            hope(&self.tree, &mut hoped.body, subflows);
            let saved = now.saturating_sub(of(&hoped)) / ALWAYS * NUMBER;
            if now.saturating_sub(saved) + weight(ASKING) >= least
                || size(&self.tree.body) * 2 > LARGEST
            {
                continue;
            }
            let path = self.behind_questions();
            let nodes = self.block(&path).to_vec();
            let place = (&path, 0, nodes.len());
            let mut work = self.clone();
            if work.rewrite(rule, place, &[("a", Filled::Block(nodes.clone()))]) {
                work.express(rewrites);
                work.tidy();
                if of(&work.tree) < least {
                    *self = work;
                }
            }
        }
    }
}

impl Work<'_> {
    /// Behind the questions that are asked of the whole, and where there are no other numbers of subflows
    /// with code of their own.
    fn behind_questions(&self) -> Path {
        let mut path = Path::new();
        while let [only] = self.block(&path)
            && let NodeKind::If { otherwise, .. } = &only.kind
        {
            let other = Path::from([(0, 0)]);
            let arm = match otherwise {
                None => 0,
                Some(_) if number(std::slice::from_ref(only), &other).is_some() => 1,
                Some(_) => break,
            };
            path.push((0, arm));
        }
        path
    }
}

/// What the rules could make of statements for so many subflows, roughly: only an estimate follows. In a
/// statement that NULL ends nothing is computed behind the first one, so it counts once.
fn hope(tree: &Tree, block: &mut [Node], number: u64) {
    for node in block {
        let mut missed = false;
        for place in places_mut(node) {
            place.term = hoped(tree, &place.term, number, &mut missed);
        }
        for inner in blocks_mut(node) {
            hope(tree, inner, number);
        }
    }
}

fn hoped(tree: &Tree, term: &Term, number: u64, missed: &mut bool) -> Term {
    let of_subflows = |list: &Term| tree.list_source(list) == ListSource::Subflows;
    match (term.op, &term.args[..]) {
        (Op::Extremum(_), [list, _]) if number == 1 && of_subflows(list) => {
            Term::new(Op::First, vec![list.clone()])
        }
        (Op::Get, [list, index])
            if of_subflows(list)
                && !*missed
                && matches!(index.op, Op::Int(index) if index >= number) =>
        {
            *missed = true;
            Term::leaf(Op::NullElement(Kind::Subflow))
        }
        _ => {
            let args = term.args.iter().map(|arg| hoped(tree, arg, number, missed));
            Term::new(term.op, args.collect())
        }
    }
}
