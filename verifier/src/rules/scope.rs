//! Which variables of a rule between statements may be read where.

use progmp_rules::Effect;

/// For each hole of a side, which variables are in scope at one place of it at least.
pub(super) fn scopes(effect: &Effect, scope: &[bool], found: &mut [Option<Vec<bool>>]) {
    let with = |var: usize| {
        let mut inner = scope.to_vec();
        inner[var] = true;
        inner
    };
    let mut holes = Vec::new();
    match effect {
        Effect::Hole(hole) => holes.push(*hole),
        Effect::Do(parts) => parts.iter().for_each(|part| scopes(part, scope, found)),
        Effect::If(c, a, b) => {
            c.holes(&mut holes);
            scopes(a, scope, found);
            scopes(b, scope, found);
        }
        Effect::Each(v, x, a) | Effect::Var(v, x, a) => {
            x.holes(&mut holes);
            scopes(a, &with(*v), found);
        }
        Effect::Push(s, x) => {
            s.holes(&mut holes);
            holes.push(*x);
        }
        Effect::Drop(x) | Effect::Void(x) => x.holes(&mut holes),
        Effect::Return => {}
    }
    for hole in holes {
        let visible = found[hole].get_or_insert_with(|| scope.to_vec());
        for (seen, more) in visible.iter_mut().zip(scope) {
            *seen |= more;
        }
    }
}
