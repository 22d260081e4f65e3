//! The server over real sockets, with an engine that does what a test tells it.

mod client;
mod fake;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};

use self::{
    client::{Reply, ask, ask_with, get, leave_after, send},
    fake::Fake,
};
use super::{routes::router, server::Server};
use crate::engine::{Finish, Likelihood, Odds};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port.
struct Running {
    server: Arc<Server>,
    port: u16,
    end: oneshot::Sender<()>,
    connections: JoinHandle<std::io::Result<()>>,
}

/// A server whose model is not loaded yet, with room for `waiting` questions.
async fn start(waiting: usize) -> Running {
    let server = Arc::new(Server::new("small".into(), waiting, PATIENCE));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (end, ended) = oneshot::channel::<()>();
    let stopping = Arc::clone(&server);
    let serving = axum::serve(listener, router(Arc::clone(&server))).with_graceful_shutdown(async move {
        let _ = ended.await;
        stopping.stop();
    });
    Running { server, port, end, connections: tokio::spawn(serving.into_future()) }
}

async fn start_with(waiting: usize, fake: &Arc<Fake>) -> Running {
    let running = start(waiting).await;
    running.server.set_ready(Arc::clone(fake) as Arc<dyn crate::engine::Engine>);
    running
}

fn question() -> Value {
    json!({ "messages": [{ "role": "user", "content": "Yes or no?" }], "max_tokens": 5 })
}

fn question_under(schema: Value) -> Value {
    let mut question = question();
    question["response_format"] = json!({ "type": "json_schema", "json_schema": { "name": "a", "schema": schema } });
    question
}

fn code(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.body["error"]["code"].as_str().unwrap_or_default())
}

/// What comes of `future`, which must not take long.
async fn within_patience<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("in time")
}

async fn counted(port: u16, outcome: &str) -> bool {
    get(port, "/metrics").await.text.contains(&format!("althing_lm_requests_total{{outcome=\"{outcome}\"}}"))
}

#[tokio::test]
async fn an_answer_has_the_shape_of_openai() {
    let fake = Fake::saying("yes", Finish::Complete);
    fake.add_odds(Odds {
        taken: Likelihood { token: "yes".into(), ln: -0.5 },
        likeliest: vec![Likelihood { token: "no".into(), ln: -0.25 }],
    });
    let running = start_with(1, &fake).await;
    let reply = ask(running.port, &question()).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let choice = &reply.body["choices"][0];
    assert_eq!(choice["message"], json!({ "role": "assistant", "content": "yes" }));
    assert_eq!(choice["finish_reason"], "stop");
    let place = &choice["logprobs"]["content"][0];
    assert_eq!(
        (&place["token"], &place["logprob"], &place["bytes"]),
        (&json!("yes"), &json!(-0.5), &json!([121, 101, 115]))
    );
    assert_eq!(place["top_logprobs"][0]["token"], "no");
    assert_eq!(reply.body["usage"]["total_tokens"], 10);
    assert_eq!(reply.body["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
    assert_eq!(get(running.port, "/v1/models").await.body["data"][0]["id"], "small");
    let metrics = get(running.port, "/metrics").await.text;
    for line in
        ["requests_total{outcome=\"answered\"} 1", "prompt_tokens_total 7", "reused_prompt_tokens_total 4", "ready 1"]
    {
        assert!(metrics.contains(&format!("althing_lm_{line}")), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn until_the_model_is_loaded_questions_are_to_come_again() {
    let running = start(1).await;
    let reply = ask(running.port, &question()).await;
    assert_eq!(code(&reply), (503, "model_loading"));
    assert_eq!(reply.header("retry-after"), Some("5"));
    let health = get(running.port, "/health").await;
    assert_eq!((health.status, &health.body["status"]), (503, &json!("loading")));
    running.server.set_ready(Fake::saying("yes", Finish::Complete));
    let health = get(running.port, "/health").await;
    assert_eq!((health.status, &health.body["status"]), (200, &json!("ready")));
    assert_eq!(ask(running.port, &question()).await.status, 200);
}

#[tokio::test]
async fn one_is_answered_one_waits_and_one_more_is_turned_away() {
    let fake = Fake::waiting("yes");
    let running = start_with(1, &fake).await;
    let (first, second) = (send(running.port, &question()).await, send(running.port, &question()).await);
    fake.begun(1).await;
    // The second may still be on its way; it takes the last seat before anybody is turned away.
    within_patience(async {
        while !get(running.port, "/metrics").await.text.contains("althing_lm_waiting 1") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let third = ask(running.port, &question()).await;
    assert_eq!(code(&third), (429, "queue_full"));
    assert_eq!(third.header("retry-after"), Some("5"));
    assert_eq!(fake.count_begun(), 1, "one at a time");
    fake.release();
    assert_eq!((first.reply().await.status, second.reply().await.status), (200, 200));
    assert!(counted(running.port, "full").await);
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_broken_off() {
    let fake = Fake::waiting("yes");
    let running = start_with(1, &fake).await;
    let late = within_patience(ask_with(running.port, &question(), &[("x-timeout-ms", "40")])).await;
    assert_eq!(code(&late), (504, "deadline_exceeded"));
    assert!(late.text.contains("no answer within 40 ms"), "{}", late.text);
    within_patience(fake.dropped()).await;
    fake.release();
    assert_eq!(ask(running.port, &question()).await.status, 200, "and the next one is answered");
    for wrong in ["0", "soon", "99999999999"] {
        let refused = ask_with(running.port, &question(), &[("x-timeout-ms", wrong)]).await;
        assert_eq!(code(&refused), (400, "invalid_request"), "{wrong}");
    }
}

#[tokio::test]
async fn the_deadline_counts_from_the_arrival_and_not_from_the_turn() {
    let fake = Fake::waiting("yes");
    let running = start_with(1, &fake).await;
    let first = send(running.port, &question()).await;
    fake.begun(1).await;
    let late = within_patience(ask_with(running.port, &question(), &[("x-timeout-ms", "40")])).await;
    assert_eq!(code(&late), (504, "deadline_exceeded"));
    assert_eq!(fake.count_begun(), 1, "it never had its turn");
    fake.release();
    assert_eq!(first.reply().await.status, 200);
}

#[tokio::test]
async fn the_generation_stops_when_the_caller_leaves() {
    let fake = Fake::waiting("yes");
    let running = start_with(1, &fake).await;
    leave_after(running.port, &question(), fake.begun(1)).await;
    within_patience(fake.dropped()).await;
    within_patience(async {
        while !counted(running.port, "left").await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    fake.release();
    assert_eq!(ask(running.port, &question()).await.status, 200, "and the next one is answered");
}

#[tokio::test]
async fn under_a_schema_a_truncated_answer_is_none() {
    let running = start_with(1, &Fake::saying("\"yes\"", Finish::Truncated)).await;
    let reply = ask(running.port, &question_under(json!({ "type": "string" }))).await;
    assert_eq!(code(&reply), (422, "output_truncated"), "though the words would fit the schema");
    assert!(reply.text.contains("cut off after 5 tokens: raise max_tokens"), "{}", reply.text);
    let reply = ask(running.port, &question()).await;
    assert_eq!((reply.status, &reply.body["choices"][0]["finish_reason"]), (200, &json!("length")));
}

#[tokio::test]
async fn under_a_schema_an_answer_that_breaks_it_is_none() {
    for words in ["yes", "\"maybe\"", "{\"yes\": 1}", "\"yes\" and more", ""] {
        let running = start_with(1, &Fake::saying(words, Finish::Complete)).await;
        let reply = ask(running.port, &question_under(json!({ "enum": ["yes", "no"] }))).await;
        assert_eq!(code(&reply), (500, "output_invalid"), "{words}: {}", reply.text);
    }
    let running = start_with(1, &Fake::saying(" \"yes\"\n", Finish::Complete)).await;
    assert_eq!(ask(running.port, &question_under(json!({ "enum": ["yes", "no"] }))).await.status, 200);
}

#[tokio::test]
async fn what_the_model_refuses_and_where_it_fails_are_told_apart() {
    let refused = start_with(1, &Fake::refusing("too long")).await;
    assert_eq!(code(&ask(refused.port, &question()).await), (400, "refused_by_model"));
    let failed = start_with(1, &Fake::failing("no memory")).await;
    let reply = ask(failed.port, &question()).await;
    assert_eq!(code(&reply), (500, "model_failed"));
    assert!(reply.text.contains("no memory; ask again"), "{}", reply.text);
}

#[tokio::test]
async fn requests_that_are_none_are_told_what_to_change() {
    let running = start_with(1, &Fake::saying("yes", Finish::Complete)).await;
    let port = running.port;
    let long = json!({ "messages": [{ "role": "user", "content": "a".repeat(70_000) }] });
    assert_eq!(code(&ask(port, &long).await), (413, "body_too_long"));
    let plain = ask_with(port, &question(), &[("content-type", "text/plain")]).await;
    assert_eq!(code(&plain), (415, "not_json"), "pages in a browser may send this anywhere");
    assert_eq!(code(&get(port, "/v1/chat/completions").await), (405, "method_not_allowed"));
    assert_eq!(code(&get(port, "/v1/embeddings").await), (404, "not_found"));
    let mut other = question();
    other["model"] = json!("large");
    assert_eq!(code(&ask(port, &other).await), (404, "model_not_found"));
    assert!(counted(port, "refused").await);
}

#[tokio::test]
async fn a_server_that_is_stopped_answers_nobody_and_ends() {
    let fake = Fake::waiting("yes");
    let running = start_with(1, &fake).await;
    let caught = send(running.port, &question()).await;
    fake.begun(1).await;
    running.end.send(()).unwrap();
    assert_eq!(code(&caught.reply().await), (503, "server_stopping"));
    within_patience(running.connections).await.unwrap().unwrap();
    within_patience(fake.dropped()).await;
}
