//! Vcode made smaller without a change of meaning: what is never reached or used goes, parameters
//! with one value go, chains of blocks become one block.

use std::collections::BTreeMap;

use crate::cfg;
use crate::isa::{Cond, Width};
use crate::vcode::{BlockId, Op, Src, Term, Vcode, Vreg};

/// Simplifies a program.
pub(crate) fn simplify(mut code: Vcode) -> Vcode {
    let order = cfg::order(&code);
    code = cfg::arranged(code, &order);
    single_values(&mut code);
    decide(&mut code);
    forward_empty(&mut code);
    merge_chains(&mut code);
    let order = cfg::order(&code);
    code = cfg::arranged(code, &order);
    single_values(&mut code);
    crate::share::share(&mut code);
    remove_unused(&mut code);
    code
}

/// What a vreg stands for after renamings.
fn find(names: &mut [Vreg], vreg: Vreg) -> Vreg {
    let mut root = vreg;
    while names[root.index()] != root {
        root = names[root.index()];
    }
    let mut at = vreg;
    while names[at.index()] != root {
        at = std::mem::replace(&mut names[at.index()], root);
    }
    root
}

/// Renames every vreg.
pub(crate) fn rename(code: &mut Vcode, mut of: impl FnMut(Vreg) -> Vreg) {
    for block in &mut code.blocks {
        for inst in &mut block.insts {
            inst.op = inst.op.map(&mut of);
        }
        block.term.rename(&mut of);
    }
}

/// Removes parameters that all edges give the same value (or the parameter itself).
fn single_values(code: &mut Vcode) {
    let mut names: Vec<Vreg> = (0..code.vregs).map(Vreg::new).collect();
    loop {
        let mut changed = false;
        // Of each block, the one value of each parameter: none yet, one, or several.
        let mut values: Vec<Vec<Option<Option<Vreg>>>> = code
            .blocks
            .iter()
            .map(|block| vec![None; block.params.len()])
            .collect();
        for block in &code.blocks {
            for edge in block.term.edges() {
                let params = &code.at(edge.to).params;
                for (place, (&arg, &param)) in edge.args.iter().zip(params).enumerate() {
                    let arg = find(&mut names, arg);
                    if arg == param {
                        continue;
                    }
                    let cell = &mut values[edge.to.index()][place];
                    *cell = match *cell {
                        None => Some(Some(arg)),
                        Some(Some(other)) if other == arg => Some(Some(arg)),
                        Some(_) => Some(None),
                    };
                }
            }
        }
        for (position, values) in values.iter().enumerate() {
            let removed: Vec<bool> = values.iter().map(|v| matches!(v, Some(Some(_)))).collect();
            if !removed.contains(&true) {
                continue;
            }
            changed = true;
            for (place, value) in values.iter().enumerate() {
                if let Some(Some(value)) = *value {
                    let param = code.blocks[position].params[place];
                    let value = find(&mut names, value);
                    // Two parameters may name each other; the first to go decides.
                    if value != param {
                        names[param.index()] = value;
                    }
                }
            }
            keep_where(&mut code.blocks[position].params, &removed);
            let to = BlockId::new(position);
            for block in &mut code.blocks {
                for edge in block.term.edges_mut().filter(|edge| edge.to == to) {
                    keep_where(&mut edge.args, &removed);
                }
            }
        }
        if !changed {
            break;
        }
    }
    rename(code, |vreg| find(&mut names, vreg));
}

fn keep_where(vregs: &mut Vec<Vreg>, removed: &[bool]) {
    let mut removed = removed.iter();
    vregs.retain(|_| !removed.next().expect("as many flags as vregs"));
}

/// A test that was made before, on every way to where it is made again, has the same answer.
fn decide(code: &mut Vcode) {
    let dominance = cfg::Dominance::new(code);
    let counts = cfg::predecessors(code);
    let mut same: BTreeMap<(Cond, Width, Vreg, Src), Vec<usize>> = BTreeMap::new();
    for (position, block) in code.blocks.iter().enumerate() {
        if let Term::If {
            cond, width, a, b, ..
        } = block.term
        {
            let places = same.entry((cond, width, a, b)).or_default();
            places.push(position);
        }
    }
    let mut decided = BTreeMap::new();
    for places in same.values() {
        for (&before, &after) in places
            .iter()
            .flat_map(|a| places.iter().map(move |b| (a, b)))
        {
            let Term::If { yes, no, .. } = &code.blocks[before].term else {
                unreachable!("only tests were collected");
            };
            for (edge, answer) in [(yes, true), (no, false)] {
                let to = edge.to.index();
                // An edge is taken on every way to what its end dominates, if it alone leads there.
                if before != after && counts[to] == 1 && dominance.dominates(to, after) {
                    decided.insert(after, answer);
                }
            }
        }
    }
    for (position, answer) in decided {
        if let Term::If { yes, no, .. } = &code.blocks[position].term {
            let edge = if answer { yes } else { no };
            code.blocks[position].term = Term::Jump(edge.clone());
        }
    }
}

/// Edges to a block that only goes on lead to where it goes on.
fn forward_empty(code: &mut Vcode) {
    let target = |code: &Vcode, mut at: BlockId| {
        // A ring of empty blocks would have no end; none is made, but a count costs nothing.
        for _ in 0..code.blocks.len() {
            let block = code.at(at);
            match &block.term {
                Term::Jump(edge)
                    if block.insts.is_empty()
                        && block.params.is_empty()
                        && edge.args.is_empty() =>
                {
                    at = edge.to;
                }
                _ => break,
            }
        }
        at
    };
    for position in 0..code.blocks.len() {
        let mut term = code.blocks[position].term.clone();
        for edge in term.edges_mut() {
            if edge.args.is_empty() {
                edge.to = target(code, edge.to);
            }
        }
        if let Term::If { yes, no, .. } = &term
            && yes == no
        {
            term = Term::Jump(yes.clone());
        }
        code.blocks[position].term = term;
    }
}

/// A block to which only one jump leads becomes part of the block that jumps.
fn merge_chains(code: &mut Vcode) {
    let order = cfg::order(code);
    *code = cfg::arranged(std::mem::take(code), &order);
    let predecessors = cfg::predecessors(code);
    let mut names: Vec<Vreg> = (0..code.vregs).map(Vreg::new).collect();
    for position in 0..code.blocks.len() {
        while let Term::Jump(edge) = &code.blocks[position].term {
            let (to, args) = (edge.to, edge.args.clone());
            if predecessors[to.index()] != 1 || to.index() == position || to.index() == 0 {
                break;
            }
            let next = code.at_mut(to);
            let params = std::mem::take(&mut next.params);
            let insts = std::mem::take(&mut next.insts);
            let term = std::mem::replace(&mut next.term, Term::Exit);
            let span = next.span;
            for (param, arg) in params.into_iter().zip(args) {
                names[param.index()] = arg;
            }
            let block = &mut code.blocks[position];
            block.insts.extend(insts);
            block.term = term;
            block.span = span;
        }
    }
    rename(code, |vreg| find(&mut names, vreg));
}

/// Removes instructions whose result nobody reads, and parameters that nobody reads.
fn remove_unused(code: &mut Vcode) {
    let mut used = vec![false; code.vregs];
    let mut work: Vec<Vreg> = Vec::new();
    let mut definition = vec![None; code.vregs];
    let mut passed: Vec<Vec<Vreg>> = vec![Vec::new(); code.vregs];
    for block in &code.blocks {
        work.extend(block.term.uses());
        for inst in &block.insts {
            match inst.def {
                None => work.extend(inst.op.uses()),
                Some(def) => definition[def.index()] = Some(inst.op),
            }
        }
        for edge in block.term.edges() {
            let params = &code.at(edge.to).params;
            for (&arg, &param) in edge.args.iter().zip(params) {
                passed[param.index()].push(arg);
            }
        }
    }
    while let Some(vreg) = work.pop() {
        if std::mem::replace(&mut used[vreg.index()], true) {
            continue;
        }
        work.extend(definition[vreg.index()].iter().flat_map(Op::uses));
        work.append(&mut passed[vreg.index()]);
    }
    let kept = |inst: &crate::vcode::Inst| {
        inst.def.is_none_or(|def| used[def.index()]) || inst.op == Op::Base
    };
    let removed: Vec<Vec<bool>> = code
        .blocks
        .iter()
        .map(|block| block.params.iter().map(|p| !used[p.index()]).collect())
        .collect();
    for (position, block) in code.blocks.iter_mut().enumerate() {
        block.insts.retain(kept);
        keep_where(&mut block.params, &removed[position]);
        for edge in block.term.edges_mut() {
            keep_where(&mut edge.args, &removed[edge.to.index()]);
        }
    }
}
