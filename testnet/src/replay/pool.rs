//! Work shared among threads, with a result that does not depend on how it was shared.

use std::{
    num::NonZeroUsize,
    panic,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// What `work` makes of each of `items`, in their order. Whichever thread is free takes the next item.
pub(super) fn map<T, R>(threads: NonZeroUsize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R>
where
    T: Sync,
    R: Send,
{
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let mut made = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return made };
            made.push((place, work(item)));
        }
    };
    let mut made: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get().min(items.len())).map(|_| scope.spawn(take_turns)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|cause| panic::resume_unwind(cause)))
            .collect()
    });
    made.sort_unstable_by_key(|&(place, _)| place);
    made.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..100).collect();
        for threads in [1, 2, 7, 200] {
            let made = map(NonZeroUsize::new(threads).unwrap(), &items, |item| item * 2);
            assert!(made.iter().copied().eq((0..100).map(|item| item * 2)), "{threads} threads");
        }
        assert!(map(NonZeroUsize::MIN, &[], |item: &u32| *item).is_empty());
    }

    #[test]
    fn threads_work_at_the_same_time() {
        let meeting = Barrier::new(2);
        // With one thread this would wait for ever.
        map(NonZeroUsize::new(2).unwrap(), &[1, 2], |_| meeting.wait().is_leader());
    }
}
