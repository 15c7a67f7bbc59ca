//! Rules between statements: what stands for a block, and when one may take the other's place.
//!
//! A rule speaks of a range of statements. `(var ?v ?x ?a)` declares a variable for what follows
//! in the range, so a side with it at its root takes all statements up to the end of the block.

use crate::entry::{Entry, Mistake, entries};
use crate::op::Op;
use crate::sexpr::{self, Sexpr};
use crate::term::Pattern;

/// What may stand in a hole of a rule between statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectSort {
    /// Statements, also none.
    Block,
    /// Just one statement.
    Statement,
    /// A variable.
    Var,
    /// A bool.
    Bool,
    /// A list.
    List,
    /// An expression of any type.
    Value,
    /// What is pushed: an expression, or a POP.
    Source,
}

/// A hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectHole {
    /// Its name, without the question mark.
    pub name: String,
    /// What may stand in it.
    pub sort: EffectSort,
}

/// Statements with holes. Expressions are patterns whose holes are those of the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What stands in a hole.
    Hole(usize),
    /// One after the other.
    Do(Vec<Effect>),
    /// IF, with both branches.
    If(Pattern, Box<Effect>, Box<Effect>),
    /// FOREACH: the variable, the list, the body.
    Each(usize, Pattern, Box<Effect>),
    /// VAR: the variable, its value, and what follows.
    Var(usize, Pattern, Box<Effect>),
    /// PUSH of what stands in a hole.
    Push(Pattern, usize),
    /// DROP of an expression.
    Drop(Pattern),
    /// VOID.
    Void(Pattern),
    /// RETURN.
    Return,
}

/// A side condition; all numbers are holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectGuard {
    /// The variable is not read in there.
    Unread(usize, usize),
    /// The block changes nothing that the expression reads.
    Keeps(usize, usize),
    /// The block does nothing where the condition is not TRUE.
    Idle(usize, usize),
    /// Every way through the block ends the execution.
    Leaves(usize),
    /// The expression is never NULL.
    NonNull(usize),
    /// `Names(v, x, t, s)`: `s` is `t` with `x` in place of `v`, and whenever `v` is read there,
    /// `x` still has the value that it had before `t`.
    Names(usize, usize, usize, usize),
    /// The execution ends behind it.
    Last,
}

/// Under its guards, both sides do the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectRule {
    /// Its name, unique among all rules.
    pub name: String,
    /// Why it holds, in one sentence.
    pub why: String,
    /// Its holes.
    pub holes: Vec<EffectHole>,
    /// What is replaced.
    pub from: Effect,
    /// By what.
    pub to: Effect,
    /// When.
    pub guards: Vec<EffectGuard>,
    /// A variant that looks alike and does not hold.
    pub miss: Box<(Effect, Effect, Vec<EffectGuard>)>,
}

/// Reads the text of a file of rules between statements.
///
/// # Errors
/// Every mistake in it, at most one for each rule.
pub fn parse_effects(file: &str, text: &str) -> Result<Vec<EffectRule>, Vec<Mistake>> {
    entries(file, text, rule)
}

fn rule(entry: &Entry<'_>) -> Result<EffectRule, (usize, String)> {
    let mut draft = Draft::default();
    for &(number, line) in &entry.lines {
        draft.line(line).map_err(|what| (number, what))?;
    }
    draft.finish(entry.name).map_err(|what| (entry.start, what))
}

#[derive(Default)]
struct Draft {
    why: Option<String>,
    holes: Vec<EffectHole>,
    from: Option<Effect>,
    to: Option<Effect>,
    guards: Vec<EffectGuard>,
    miss_from: Option<Effect>,
    miss_to: Option<Effect>,
    unguarded: bool,
}

impl Draft {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match key {
            "why" if self.why.is_none() => self.why = Some(rest.to_owned()),
            "for" if self.from.is_none() => self.declare(rest)?,
            "from" if self.from.is_none() => self.from = Some(self.side(rest)?),
            "to" if self.to.is_none() => self.to = Some(self.side(rest)?),
            "given" => {
                let guard = self.guard(rest)?;
                self.guards.push(guard);
            }
            "miss" => match rest.split_once(' ') {
                Some(("from", text)) if self.miss_from.is_none() => {
                    self.miss_from = Some(self.side(text)?);
                }
                Some(("to", text)) if self.miss_to.is_none() => {
                    self.miss_to = Some(self.side(text)?);
                }
                None if rest == "unguarded" => self.unguarded = true,
                _ => return Err("a near miss is `from`, `to` or `unguarded`".to_owned()),
            },
            other => return Err(format!("`{other}` is no key, or does not belong here")),
        }
        Ok(())
    }

    fn declare(&mut self, text: &str) -> Result<(), String> {
        for group in text.split(',').filter(|group| !group.trim().is_empty()) {
            let (names, sort) = group
                .split_once(':')
                .ok_or("holes are `a b: block, v: var`")?;
            let sort = match sort.trim() {
                "block" => EffectSort::Block,
                "statement" => EffectSort::Statement,
                "var" => EffectSort::Var,
                "bool" => EffectSort::Bool,
                "list" => EffectSort::List,
                "value" => EffectSort::Value,
                "source" => EffectSort::Source,
                other => return Err(format!("`{other}` is no sort")),
            };
            for name in names.split_whitespace() {
                if self.holes.iter().any(|hole| hole.name == name) {
                    return Err(format!("`{name}` is declared twice"));
                }
                let name = name.to_owned();
                self.holes.push(EffectHole { name, sort });
            }
        }
        Ok(())
    }

    /// The number of a hole of one of these sorts.
    fn hole(&self, word: &str, sorts: &[EffectSort]) -> Result<usize, String> {
        let name = word.strip_prefix('?');
        let found = name.and_then(|name| self.holes.iter().position(|hole| hole.name == name));
        let number = found.ok_or_else(|| format!("`{word}` is not declared; holes are `?name`"))?;
        if sorts.contains(&self.holes[number].sort) {
            Ok(number)
        } else {
            Err(format!("`{word}` cannot stand here"))
        }
    }

    fn guard(&self, text: &str) -> Result<EffectGuard, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let block = |word| self.hole(word, BLOCKS);
        let value = |word| self.hole(word, VALUES);
        let var = |word| self.hole(word, &[EffectSort::Var]);
        let either = |word| block(word).or_else(|_| value(word));
        Ok(match words[..] {
            ["unread", v, a] => EffectGuard::Unread(var(v)?, either(a)?),
            ["keeps", a, x] => EffectGuard::Keeps(block(a)?, value(x)?),
            ["idle", a, c] => EffectGuard::Idle(block(a)?, value(c)?),
            ["leaves", a] => EffectGuard::Leaves(block(a)?),
            ["non-null", x] => EffectGuard::NonNull(value(x)?),
            ["names", v, x, t, s] => EffectGuard::Names(var(v)?, value(x)?, block(t)?, block(s)?),
            ["last"] => EffectGuard::Last,
            _ => return Err(format!("`{text}` is no guard")),
        })
    }

    fn side(&self, text: &str) -> Result<Effect, String> {
        self.effect(&sexpr::read(text)?)
    }

    fn effect(&self, sexpr: &Sexpr<'_>) -> Result<Effect, String> {
        let parts = match sexpr {
            Sexpr::Word(word) => return Ok(Effect::Hole(self.hole(word, BLOCKS)?)),
            Sexpr::List(parts) => parts,
        };
        let boxed = |part| self.effect(part).map(Box::new);
        Ok(match &parts[..] {
            [Sexpr::Word("do"), parts @ ..] => {
                let parts = parts.iter().map(|part| self.effect(part));
                Effect::Do(parts.collect::<Result<_, _>>()?)
            }
            [Sexpr::Word("if"), c, a, b] => Effect::If(self.value(c)?, boxed(a)?, boxed(b)?),
            [Sexpr::Word("each"), Sexpr::Word(e), l, a] => {
                Effect::Each(self.hole(e, &[EffectSort::Var])?, self.value(l)?, boxed(a)?)
            }
            [Sexpr::Word("var"), Sexpr::Word(v), x, a] => {
                Effect::Var(self.hole(v, &[EffectSort::Var])?, self.value(x)?, boxed(a)?)
            }
            [Sexpr::Word("push"), s, Sexpr::Word(x)] => {
                Effect::Push(self.value(s)?, self.hole(x, &[EffectSort::Source])?)
            }
            [Sexpr::Word("drop"), x] => Effect::Drop(self.value(x)?),
            [Sexpr::Word("void"), x] => Effect::Void(self.value(x)?),
            [Sexpr::Word("return")] => Effect::Return,
            _ => return Err("this is no statement".to_owned()),
        })
    }

    fn value(&self, sexpr: &Sexpr<'_>) -> Result<Pattern, String> {
        match sexpr {
            Sexpr::Word(word) if word.starts_with('?') => {
                Ok(Pattern::Hole(self.hole(word, VALUES)?))
            }
            Sexpr::Word(word) => self.node(word, &[]),
            Sexpr::List(parts) => match parts.split_first() {
                Some((Sexpr::Word(word), args)) => self.node(word, args),
                _ => Err("`(` is followed by an operator".to_owned()),
            },
        }
    }

    fn node(&self, word: &str, args: &[Sexpr<'_>]) -> Result<Pattern, String> {
        // Of numbers they know just how many subflows there are.
        if let ("==", [Sexpr::List(list), Sexpr::Word(number)]) = (word, args)
            && let [Sexpr::Word("count"), Sexpr::Word("SUBFLOWS")] = list[..]
            && let Ok(number) = number.parse::<u64>()
        {
            let count = Pattern::Node(Op::Count, vec![Pattern::Node(Op::Subflows, Vec::new())]);
            let number = Pattern::Node(Op::Int(number), Vec::new());
            return Ok(Pattern::Node(Op::Equal, vec![count, number]));
        }
        let known = |op: &Op| {
            let plain = matches!(op, Op::And | Op::Or | Op::Not | Op::Bool(_));
            plain || matches!(op, Op::NullBool | Op::NullElement(_))
        };
        let op = Op::named(word).filter(known);
        let op =
            op.ok_or_else(|| format!("`{word}` is no operator of rules between statements"))?;
        if args.len() != op.operands().len() {
            return Err(format!("`{word}` has {} operands", op.operands().len()));
        }
        let args = args.iter().map(|arg| self.value(arg));
        Ok(Pattern::Node(op, args.collect::<Result<_, _>>()?))
    }

    fn finish(self, name: &str) -> Result<EffectRule, String> {
        let missing = |key: &str| format!("`{key}` is missing");
        let from = self.from.ok_or_else(|| missing("from"))?;
        let to = self.to.ok_or_else(|| missing("to"))?;
        if self.unguarded && self.guards.is_empty() {
            return Err("there is no guard to leave out".to_owned());
        }
        if !self.unguarded && self.miss_from.is_none() && self.miss_to.is_none() {
            return Err(missing("miss"));
        }
        let guards = if self.unguarded {
            Vec::new()
        } else {
            self.guards.clone()
        };
        let miss = (
            self.miss_from.unwrap_or_else(|| from.clone()),
            self.miss_to.unwrap_or_else(|| to.clone()),
            guards,
        );
        Ok(EffectRule {
            name: name.to_owned(),
            why: self.why.ok_or_else(|| missing("why"))?,
            holes: self.holes,
            from,
            to,
            guards: self.guards,
            miss: Box::new(miss),
        })
    }
}

const BLOCKS: &[EffectSort] = &[EffectSort::Block, EffectSort::Statement];
const VALUES: &[EffectSort] = &[EffectSort::Bool, EffectSort::List, EffectSort::Value];

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "rule r\nwhy w\nfor c: bool, a: block\nfrom (if ?c ?a ?a)\nto ?a\nmiss to (do)\n";

    #[test]
    fn a_rule_is_read() {
        let rules = parse_effects("test.rules", GOOD).expect("it is right");
        assert_eq!(rules[0].to, Effect::Hole(1));
        assert_eq!(rules[0].miss.1, Effect::Do(Vec::new()));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (from, to, what) in [
            ("?a ?a)", "?a ?b)", "test.rules:4: `?b` is not declared"),
            ("?a ?a)", "?a ?c)", "test.rules:4: `?c` cannot stand here"),
            ("(if ?c", "(when ?c", "test.rules:4: this is no statement"),
            (
                "(if ?c",
                "(if (+ ?c ?c)",
                "test.rules:4: `+` is no operator",
            ),
            (
                "miss to (do)",
                "miss unguarded",
                "test.rules:1: there is no guard",
            ),
            (
                "to ?a",
                "given calm ?a",
                "test.rules:5: `calm ?a` is no guard",
            ),
            ("why w\n", "", "test.rules:1: `why` is missing"),
        ] {
            let mistakes = parse_effects("test.rules", &GOOD.replacen(from, to, 1));
            let told = mistakes.expect_err(what)[0].to_string();
            assert!(told.starts_with(what), "{told}");
        }
    }

    #[test]
    fn no_rule_has_the_name_of_another() {
        let rules = crate::all();
        for rule in &rules.effects {
            assert!(rules.named(&rule.name).is_none(), "{}", rule.name);
        }
    }
}
