//! Cycles of a graph: its strongly connected components.

/// The strongly connected components among `nodes`, each in front of those that lead to it.
///
/// After R. Tarjan, "Depth-first search and linear graph algorithms" (1972), without recursion.
pub(super) fn components(nodes: &[usize], edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        number: vec![None; edges.len()],
        lowest: vec![0; edges.len()],
        waiting: vec![false; edges.len()],
        member: vec![false; edges.len()],
        stack: Vec::new(),
        found: 0,
        components: Vec::new(),
    };
    for &node in nodes {
        search.member[node] = true;
    }
    for &node in nodes {
        if search.number[node].is_none() {
            search.from(node, edges);
        }
    }
    search.components
}

/// Whether a component has a cycle.
pub(super) fn is_cyclic(component: &[usize], edges: &[Vec<usize>]) -> bool {
    match component {
        [node] => edges[*node].contains(node),
        _ => true,
    }
}

struct Search {
    number: Vec<Option<usize>>,
    lowest: Vec<usize>,
    /// Not in a component yet.
    waiting: Vec<bool>,
    member: Vec<bool>,
    stack: Vec<usize>,
    found: usize,
    components: Vec<Vec<usize>>,
}

impl Search {
    fn enter(&mut self, node: usize) {
        self.number[node] = Some(self.found);
        self.lowest[node] = self.found;
        self.found += 1;
        self.waiting[node] = true;
        self.stack.push(node);
    }

    fn from(&mut self, start: usize, edges: &[Vec<usize>]) {
        self.enter(start);
        let mut path = vec![(start, 0)];
        while let Some((node, edge)) = path.last_mut() {
            let node = *node;
            if let Some(&to) = edges[node].get(*edge) {
                *edge += 1;
                match self.number[to] {
                    _ if !self.member[to] => {}
                    None => {
                        self.enter(to);
                        path.push((to, 0));
                    }
                    Some(number) if self.waiting[to] => {
                        self.lowest[node] = self.lowest[node].min(number);
                    }
                    Some(_) => {}
                }
                continue;
            }
            path.pop();
            if let Some(&(before, _)) = path.last() {
                self.lowest[before] = self.lowest[before].min(self.lowest[node]);
            }
            if self.number[node] == Some(self.lowest[node]) {
                let at = self.stack.iter().rposition(|&other| other == node);
                let component = self.stack.split_off(at.expect("it was entered"));
                for &member in &component {
                    self.waiting[member] = false;
                }
                self.components.push(component);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reached_comes_first() {
        // 0 -> 1 <-> 2 -> 3, and 3 to itself.
        let edges = [vec![1], vec![2], vec![1, 3], vec![3]];
        let mut found = components(&[0, 1, 2, 3], &edges);
        for component in &mut found {
            component.sort_unstable();
        }
        assert_eq!(found, [vec![3], vec![1, 2], vec![0]]);
        assert!(is_cyclic(&[3], &edges) && is_cyclic(&[1, 2], &edges) && !is_cyclic(&[0], &edges));
    }

    #[test]
    fn nodes_that_are_not_asked_for_lead_nowhere() {
        let edges = [vec![1], vec![2], vec![0]];
        assert_eq!(components(&[0, 2], &edges), [vec![0], vec![2]]);
    }
}
