//! The line before a model: first come, first served, and each caller stands in it once.
//!
//! Owns the order; refuses to know what waits and for how long. Pure: `post` puts a lock around it.

use std::collections::VecDeque;

/// Somebody who asks a model, one thing at a time: a model as one camera uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller(pub(super) u64);

/// What waits, in the order in which its callers came.
#[derive(Debug)]
pub(super) struct Line<T> {
    waiting: VecDeque<(Caller, T)>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Line { waiting: VecDeque::new() }
    }
}

impl<T> Line<T> {
    /// Puts something in line. What the same caller still has there is given back, and its place is kept: whoever brings
    /// newer things must not be served later for it.
    pub(super) fn put(&mut self, caller: Caller, item: T) -> Option<T> {
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == caller) {
            Some((_, earlier)) => Some(std::mem::replace(earlier, item)),
            None => {
                self.waiting.push_back((caller, item));
                None
            }
        }
    }

    /// Whether that caller has something here.
    pub(super) fn has(&self, caller: Caller) -> bool {
        self.waiting.iter().any(|(waiting, _)| *waiting == caller)
    }

    /// The first ones, at most `most`.
    pub(super) fn take(&mut self, most: usize) -> Vec<(Caller, T)> {
        self.waiting.drain(..most.min(self.waiting.len())).collect()
    }

    /// All that should wait no longer.
    pub(super) fn take_if(&mut self, mut over: impl FnMut(&T) -> bool) -> Vec<(Caller, T)> {
        let (out, stay) = std::mem::take(&mut self.waiting).into_iter().partition(|(_, item)| over(item));
        self.waiting = stay;
        Vec::from(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_newest_wins_and_keeps_its_place() {
        let mut line = Line::default();
        assert_eq!(line.put(Caller(1), "old"), None);
        assert_eq!(line.put(Caller(2), "other"), None);
        assert_eq!(line.put(Caller(1), "new"), Some("old"));
        assert_eq!(line.take(1), [(Caller(1), "new")]);
        assert!(line.has(Caller(2)) && !line.has(Caller(1)));
        assert_eq!(line.put(Caller(1), "newer"), None);
        assert_eq!(line.take_if(|item| *item == "other"), [(Caller(2), "other")]);
        assert_eq!(line.take(8), [(Caller(1), "newer")]);
        assert_eq!(line.take(8), []);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u64),
        Take(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![3 => (0..6_u64).prop_map(Step::Put), 1 => (1..4_usize).prop_map(Step::Take)];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// Between two services of one caller, whoever stood in line all that time is served.
        #[test]
        fn nobody_is_served_twice_while_another_waits(steps in steps()) {
            let mut line = Line::default();
            // For each caller that waits: who was served since it came.
            let mut passed_by: Vec<(Caller, Vec<Caller>)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Put(caller) => {
                        if line.put(Caller(caller), number).is_none() {
                            passed_by.push((Caller(caller), Vec::new()));
                        }
                    }
                    Step::Take(most) => {
                        for (served, _) in line.take(most) {
                            passed_by.retain(|(waiting, _)| *waiting != served);
                            for (waiting, others) in &mut passed_by {
                                prop_assert!(!others.contains(&served), "{served:?} again before {waiting:?}");
                                others.push(served);
                            }
                        }
                    }
                }
            }
        }

        /// What is given out for a caller is the newest that it brought.
        #[test]
        fn only_the_newest_is_given_out(steps in steps()) {
            let mut line = Line::default();
            let mut newest = std::collections::HashMap::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Put(caller) => {
                        let replaced = line.put(Caller(caller), number);
                        prop_assert_eq!(replaced, newest.insert(Caller(caller), number));
                    }
                    Step::Take(most) => {
                        for (caller, item) in line.take(most) {
                            prop_assert_eq!(newest.remove(&caller), Some(item));
                        }
                    }
                }
            }
        }
    }
}
