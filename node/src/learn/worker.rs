//! The thread named `learner`: it trains, and evaluates without waiting for the training to end.
//!
//! One thread, because a node should burden its machine by one core however many jobs there are. An evaluation takes a
//! fraction of a second and a training many, so evaluations are served between two batches of the running training.
//! At most one training is wanted at a time: a newer one, or [`WorkerHandle::cancel`], stops the older at its next batch.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{
    job::{EvaluateJob, Learn, TrainJob},
    train::{Evaluation, LearnError, Trained},
};

/// Jobs that may wait: an evaluation for each of some dozens of updates, and a training.
pub const QUEUE: usize = 256;

/// What somebody does with the result of a job.
type Callback<T> = Box<dyn FnOnce(Result<T, LearnError>) + Send>;

/// The answer to a job, called exactly once; if the worker ends first, with [`LearnError::Stopped`].
struct Reply<T>(Option<Callback<T>>);

impl<T> Reply<T> {
    fn new(reply: impl FnOnce(Result<T, LearnError>) + Send + 'static) -> Self {
        Self(Some(Box::new(reply)))
    }

    fn send(mut self, result: Result<T, LearnError>) {
        if let Some(reply) = self.0.take() {
            reply(result);
        }
    }

    /// Drops the answer uncalled, for a job that was refused.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            reply(Err(LearnError::Stopped));
        }
    }
}

/// A job, with what to do with its result.
enum Job {
    Train { ticket: u64, job: Box<TrainJob>, reply: Reply<Trained> },
    Evaluate { job: EvaluateJob, reply: Reply<Evaluation> },
}

impl Job {
    fn forget(self) {
        match self {
            Self::Train { reply, .. } => reply.forget(),
            Self::Evaluate { reply, .. } => reply.forget(),
        }
    }
}

/// What both sides of the channel look at besides it.
#[derive(Default)]
struct Shared {
    /// The ticket of the training that is wanted. Cancelling draws a ticket that no job holds.
    ticket: AtomicU64,
    /// Whether the handle is gone.
    closing: AtomicBool,
}

/// The learner's thread, which ends with this handle.
pub struct WorkerHandle {
    /// Taken when the handle is dropped, which ends the thread's wait for jobs.
    jobs: Option<SyncSender<Job>>,
    shared: Arc<Shared>,
    /// Joined when the handle is dropped.
    thread: Option<JoinHandle<()>>,
}

impl WorkerHandle {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the operating system says if it grants no thread.
    pub fn spawn(learner: Box<dyn Learn>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let worker = Worker { learner, jobs: receiver, shared: shared.clone() };
        let thread = thread::Builder::new().name("learner".into()).spawn(move || worker.run())?;
        Ok(Self { jobs: Some(sender), shared, thread: Some(thread) })
    }

    /// Trains, in place of any training asked for before, which is answered with [`LearnError::Cancelled`].
    ///
    /// `reply` is called once, on the learner's thread, and should be quick: send the result on and return.
    ///
    /// # Errors
    /// [`LearnError::Busy`] or [`LearnError::Stopped`]; then `reply` is not called.
    pub fn train(
        &self,
        job: TrainJob,
        reply: impl FnOnce(Result<Trained, LearnError>) + Send + 'static,
    ) -> Result<(), LearnError> {
        let ticket = self.next_ticket();
        self.submit(Job::Train { ticket, job: Box::new(job), reply: Reply::new(reply) })
    }

    /// Evaluates, between two batches if a training is running. `reply` is as in [`train`](Self::train).
    ///
    /// # Errors
    /// [`LearnError::Busy`] or [`LearnError::Stopped`]; then `reply` is not called.
    pub fn evaluate(
        &self,
        job: EvaluateJob,
        reply: impl FnOnce(Result<Evaluation, LearnError>) + Send + 'static,
    ) -> Result<(), LearnError> {
        self.submit(Job::Evaluate { job, reply: Reply::new(reply) })
    }

    /// Stops the training at its next batch, if there is one. Evaluations go on.
    pub fn cancel(&self) {
        self.next_ticket();
    }

    fn next_ticket(&self) -> u64 {
        self.shared.ticket.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn submit(&self, job: Job) -> Result<(), LearnError> {
        let Some(jobs) = &self.jobs else {
            job.forget();
            return Err(LearnError::Stopped);
        };
        jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(job) => {
                job.forget();
                LearnError::Busy
            }
            TrySendError::Disconnected(job) => {
                job.forget();
                LearnError::Stopped
            }
        })
    }
}

impl Drop for WorkerHandle {
    /// Ends the thread and waits for it: for the rest of one batch at most.
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook, and there is nobody else to tell.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Worker {
    learner: Box<dyn Learn>,
    jobs: Receiver<Job>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(self) {
        while let Ok(job) = self.jobs.recv() {
            let mut next = Some(job);
            while let Some(job) = next.take() {
                next = self.work(job);
            }
        }
    }

    /// Does one job and returns the training that came in meanwhile, if one did.
    fn work(&self, job: Job) -> Option<Job> {
        match job {
            Job::Evaluate { job, reply } => {
                self.evaluate(&job, reply);
                None
            }
            Job::Train { ticket, job, reply } => {
                let mut newer = None;
                let mut pause = || self.between_batches(ticket, &mut newer);
                let result = self.learner.train(*job, &mut pause);
                reply.send(result);
                newer
            }
        }
    }

    fn evaluate(&self, job: &EvaluateJob, reply: Reply<Evaluation>) {
        let result = self.learner.evaluate(job, &mut || self.break_if(self.is_closing()));
        reply.send(result);
    }

    /// Serves the evaluations that wait, and keeps the latest training of those that wait for later.
    fn between_batches(&self, ticket: u64, newer: &mut Option<Job>) -> ControlFlow<()> {
        loop {
            match self.jobs.try_recv() {
                Ok(Job::Evaluate { job, reply }) => self.evaluate(&job, reply),
                Ok(training) => {
                    if let Some(Job::Train { reply, .. }) = newer.replace(training) {
                        reply.send(Err(LearnError::Cancelled));
                    }
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        self.break_if(self.is_closing() || self.shared.ticket.load(Ordering::Relaxed) != ticket)
    }

    fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Relaxed)
    }

    fn break_if(&self, stop: bool) -> ControlFlow<()> {
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[cfg(test)]
mod tests;
