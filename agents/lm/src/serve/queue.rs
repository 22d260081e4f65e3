//! Whose turn it is: one question is answered, so many wait, and one more is turned away.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The line of questions.
#[derive(Debug)]
pub(crate) struct Queue {
    /// A seat for the question that is answered and for each that may wait.
    seats: Arc<Semaphore>,
    capacity: usize,
    /// Given to one question after the other, in the order of arrival.
    turn: Semaphore,
}

/// A place in the line, given up when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _seat: OwnedSemaphorePermit,
}

/// The right to be answered now, given up when dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _turn: tokio::sync::SemaphorePermit<'a>,
}

impl Queue {
    /// A line in which `waiting` questions may wait behind the one that is answered.
    pub(crate) fn new(waiting: usize) -> Self {
        let capacity = waiting + 1;
        Self { seats: Arc::new(Semaphore::new(capacity)), capacity, turn: Semaphore::new(1) }
    }

    /// A place in the line; `None` when it is full.
    pub(crate) fn enter(&self) -> Option<Seat> {
        Arc::clone(&self.seats).try_acquire_owned().ok().map(|seat| Seat { _seat: seat })
    }

    /// Waits for the turn of whoever holds `_seat`. `None` never comes: the line is not closed.
    pub(crate) async fn turn(&self, _seat: &Seat) -> Option<Turn<'_>> {
        self.turn.acquire().await.ok().map(|turn| Turn { _turn: turn })
    }

    /// How many questions are answered now: none or one.
    pub(crate) fn running(&self) -> usize {
        1_usize.saturating_sub(self.turn.available_permits())
    }

    /// How many questions wait.
    pub(crate) fn waiting(&self) -> usize {
        self.capacity.saturating_sub(self.seats.available_permits()).saturating_sub(self.running())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_line_is_answered_in_order_and_full_at_its_capacity() {
        let queue = Queue::new(1);
        let first = queue.enter().unwrap();
        let turn = queue.turn(&first).await.unwrap();
        let second = queue.enter().unwrap();
        assert_eq!((queue.running(), queue.waiting()), (1, 1));
        assert!(queue.enter().is_none(), "one is answered and one waits");

        let mut next = Box::pin(queue.turn(&second));
        assert!(look_once(&mut next).is_none(), "it is the first one's turn");
        drop((turn, first));
        assert!(next.await.is_some());
        assert!(queue.enter().is_some());
    }

    /// Looks once whether `future` is done.
    fn look_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
