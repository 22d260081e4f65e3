//! What all policies have in common.

use althing_protocol::event::DecidedBy;

/// A question with a menu of answers, each of which is valid.
pub trait Question {
    /// One entry of the menu.
    type Option: Copy + PartialEq;

    /// The menu. It is never empty, and its first entry is the one that does no harm.
    fn menu(&self) -> &[Self::Option];
}

/// A question whose menu can be read out in another order, to find out whether the order decides.
pub trait Reorder: Question + Sized {
    /// The same question with the entry that stood at `order[n]` in the `n`th place of its menu. `order` is a permutation
    /// of the menu's places.
    #[must_use]
    fn reordered(&self, order: &[usize]) -> Self;
}

/// The entries of `menu` in this order.
pub(crate) fn in_order<T: Copy>(menu: &[T], order: &[usize]) -> Vec<T> {
    order.iter().filter_map(|place| menu.get(*place)).copied().collect()
}

/// Somebody who answers questions of one kind.
pub trait Policy<Q: Question>: Send {
    /// Picks an entry of the question's menu, at once.
    fn decide(&mut self, question: &Q) -> Pick<Q::Option>;
}

/// What was picked, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick<T> {
    /// The entry.
    pub option: T,
    /// Who picked it.
    pub by: DecidedBy,
}

/// Asks `policy`, and takes its answer only if it stands on the menu.
///
/// Whoever answers otherwise is overruled by the menu's first entry.
pub fn ask<Q: Question>(policy: &mut dyn Policy<Q>, question: &Q) -> Option<Pick<Q::Option>> {
    let pick = policy.decide(question);
    if question.menu().contains(&pick.option) {
        return Some(pick);
    }
    question.menu().first().map(|option| Pick { option: *option, by: DecidedBy::Fallback })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Colours(Vec<u8>);

    impl Question for Colours {
        type Option = u8;

        fn menu(&self) -> &[u8] {
            &self.0
        }
    }

    struct Always(u8);

    impl Policy<Colours> for Always {
        fn decide(&mut self, _: &Colours) -> Pick<u8> {
            Pick { option: self.0, by: DecidedBy::Model }
        }
    }

    #[test]
    fn an_answer_off_the_menu_is_overruled() {
        let question = Colours(vec![3, 5]);
        assert_eq!(ask(&mut Always(5), &question), Some(Pick { option: 5, by: DecidedBy::Model }));
        assert_eq!(ask(&mut Always(9), &question), Some(Pick { option: 3, by: DecidedBy::Fallback }));
        assert_eq!(ask(&mut Always(9), &Colours(vec![])), None);
    }
}
