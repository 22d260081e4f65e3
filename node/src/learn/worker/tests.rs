use std::{
    sync::mpsc::{SyncSender, sync_channel},
    time::Duration,
};

use althing_protocol::model::Width;

use super::*;
use crate::learn::{
    data::{Dataset, PIXELS},
    job::Method,
    model::Architecture,
    params,
    train::{EvaluateOn, Hyper, Learner},
};

/// Random-looking samples: the worker's promises do not depend on what is learnt.
fn dataset(samples: usize) -> Dataset {
    let images = (0..samples * PIXELS).map(|index| (index * 31 % 251) as u8).collect();
    Dataset::new(images, (0..samples).map(|index| (index % 10) as u8).collect()).unwrap()
}

fn worker() -> WorkerHandle {
    WorkerHandle::spawn(Box::new(Learner::new(Architecture::TwoNn, dataset(200), dataset(50), dataset(50)))).unwrap()
}

/// A training that ends by itself only after hours if `epochs` is large.
fn train_job(epochs: u32) -> TrainJob {
    let hyper = Hyper { epochs, batch: 10, learning_rate: 0.001, momentum: 0.0 };
    let weights = params::init(Architecture::TwoNn, [1; 32]).into();
    TrainJob { weights, width: Width::Full, method: Method::Plain(hyper), seed: [2; 32] }
}

fn evaluate_job() -> EvaluateJob {
    let weights = params::init(Architecture::TwoNn, [1; 32]).into();
    EvaluateJob { weights, width: Width::Full, on: EvaluateOn::HeldOut }
}

const FOREVER: u32 = 1_000_000;

/// What came back, in the order in which it came.
#[derive(Debug, PartialEq)]
enum Answer {
    Trained(&'static str, Result<u64, LearnError>),
    Evaluated(Result<u32, LearnError>),
}

fn train(worker: &WorkerHandle, name: &'static str, epochs: u32, answers: &SyncSender<Answer>) {
    let answers = answers.clone();
    let reply = move |result: Result<Trained, LearnError>| {
        let _ = answers.send(Answer::Trained(name, result.map(|trained| trained.samples)));
    };
    worker.train(train_job(epochs), reply).unwrap();
}

fn evaluate(worker: &WorkerHandle, answers: &SyncSender<Answer>) {
    let answers = answers.clone();
    let reply = move |result: Result<Evaluation, LearnError>| {
        let _ = answers.send(Answer::Evaluated(result.map(|evaluation| evaluation.samples)));
    };
    worker.evaluate(evaluate_job(), reply).unwrap();
}

/// The next answer; a worker that owes one for a minute is broken.
fn next(answers: &Receiver<Answer>) -> Answer {
    answers.recv_timeout(Duration::from_secs(60)).expect("an answer in time")
}

#[test]
fn jobs_are_answered() {
    let (worker, (sender, answers)) = (worker(), sync_channel(512));
    train(&worker, "only", 1, &sender);
    assert_eq!(next(&answers), Answer::Trained("only", Ok(200)));
    evaluate(&worker, &sender);
    assert_eq!(next(&answers), Answer::Evaluated(Ok(50)));
}

#[test]
fn an_evaluation_does_not_wait_for_the_training() {
    let (worker, (sender, answers)) = (worker(), sync_channel(512));
    train(&worker, "long", FOREVER, &sender);
    evaluate(&worker, &sender);
    assert_eq!(next(&answers), Answer::Evaluated(Ok(50)));
    worker.cancel();
    assert_eq!(next(&answers), Answer::Trained("long", Err(LearnError::Cancelled)));
}

#[test]
fn a_newer_training_takes_the_place_of_the_older() {
    let (worker, (sender, answers)) = (worker(), sync_channel(512));
    train(&worker, "first", FOREVER, &sender);
    train(&worker, "second", FOREVER, &sender);
    train(&worker, "third", 1, &sender);
    let mut stopped = [next(&answers), next(&answers)];
    stopped.sort_by_key(|answer| format!("{answer:?}"));
    let cancelled = |name| Answer::Trained(name, Err(LearnError::Cancelled));
    assert_eq!(stopped, [cancelled("first"), cancelled("second")]);
    assert_eq!(next(&answers), Answer::Trained("third", Ok(200)));
}

#[test]
fn cancelling_spares_the_training_asked_for_afterwards() {
    let (worker, (sender, answers)) = (worker(), sync_channel(512));
    worker.cancel();
    train(&worker, "after", 1, &sender);
    assert_eq!(next(&answers), Answer::Trained("after", Ok(200)));
}

#[test]
fn dropping_the_handle_ends_the_thread_and_answers_everybody() {
    let (worker, (sender, answers)) = (worker(), sync_channel(512));
    train(&worker, "long", FOREVER, &sender);
    for _ in 0..3 {
        evaluate(&worker, &sender);
    }
    drop(worker);
    drop(sender);
    assert_eq!(answers.iter().count(), 4);
}

#[test]
fn more_jobs_than_fit_are_refused_and_not_answered() {
    let (worker, (sender, answers)) = (worker(), sync_channel(512));
    let (blocker, release) = sync_channel::<()>(0);
    // The reply of the first job holds the thread up until the queue has been filled.
    let hold_up = move |_| assert!(release.recv().is_err(), "the other end is dropped, nothing is sent");
    worker.evaluate(evaluate_job(), hold_up).unwrap();
    let mut accepted = 0;
    let refused = loop {
        let sender = sender.clone();
        let reply = move |result: Result<Evaluation, LearnError>| {
            let _ = sender.send(Answer::Evaluated(result.map(|evaluation| evaluation.samples)));
        };
        match worker.evaluate(evaluate_job(), reply) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, LearnError::Busy);
    drop(blocker);
    drop(sender);
    let answers: Vec<Answer> = answers.iter().collect();
    assert_eq!(answers.len(), accepted);
    assert!(answers.iter().all(|answer| *answer == Answer::Evaluated(Ok(50))), "{answers:?}");
}

#[test]
fn an_answer_that_nobody_gives_is_that_the_learner_stopped() {
    let (sender, answers) = sync_channel(512);
    drop(Reply::<Evaluation>::new(move |result| sender.send(result).unwrap()));
    assert_eq!(answers.recv().unwrap(), Err(LearnError::Stopped));
}
