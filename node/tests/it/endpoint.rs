//! The client of a language model's endpoint, against servers that answer well and servers that do not.

use std::time::{Duration, Instant};

use althing_node::endpoint::{
    ANSWER_BYTES_MAX, Answer, Ending, Endpoint, EndpointConfig, Form, MENU_WORDS_MAX, MESSAGES_MAX, Message, Question,
    Refusal, Secret, TEXT_CHARS_MAX,
};
use serde_json::{Value, json};

use crate::{
    fake_endpoint::{Deed, FakeEndpoint, Heard, News, completion, head, models},
    harness::PATIENCE,
};

/// Deadline of those cases that are to run into it.
const SHORT: Duration = Duration::from_millis(300);

/// What a flood may have written when its reader has left: what the sockets of a machine buffer, and no more.
const FLOOD_BYTES_MAX: usize = 64 << 20;

fn endpoint_at(url: &str, model: Option<&str>) -> Endpoint {
    let config = EndpointConfig {
        address: url.parse().unwrap(),
        model: model.map(Into::into),
        key: Secret::new("hidden"),
        answer_within: PATIENCE,
    };
    Endpoint::new(config).unwrap()
}

fn ask(form: Form) -> Question {
    Question { messages: vec![Message::system("Choose."), Message::user("Now.")], max_tokens: 20, form }
}

fn menu() -> Form {
    Form::OneOf(vec!["save".into(), "spend".into()])
}

/// What an endpoint that does `deed` leads to, and the endpoint itself.
async fn answer_to(deed: Deed, form: Form, within: Duration) -> (Result<Answer, Refusal>, FakeEndpoint) {
    let fake = FakeEndpoint::start(move |_| deed.clone());
    let answer = endpoint_at(&fake.url(), Some("small")).complete(&ask(form), within).await;
    (answer, fake)
}

fn heard(fake: &FakeEndpoint) -> Heard {
    match fake.news() {
        News::Heard(heard) => heard,
        left @ News::Left(_) => panic!("{left:?}"),
    }
}

fn announced(bytes: usize) -> Vec<u8> {
    format!("{}content-length: {bytes}\r\n\r\n", head(200)).into_bytes()
}

fn chunked() -> Vec<u8> {
    format!("{}transfer-encoding: chunked\r\n\r\n", head(200)).into_bytes()
}

fn half(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let mut bytes = announced(body.len());
    bytes.extend_from_slice(&body.as_bytes()[..body.len() / 2]);
    bytes
}

fn status_with(status: u16, line: &str) -> Deed {
    Deed::Send(format!("HTTP/1.1 {status} Whatever\r\n{line}\r\n\r\n").into_bytes())
}

/// What a bad server does, the name of the case, and what is made of it.
fn bad_servers() -> Vec<(&'static str, Deed, Refusal)> {
    let good = completion("{\"choice\":\"save\"}", "stop");
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n";
    let padded = format!("{}{good}", " ".repeat(ANSWER_BYTES_MAX)).into_bytes();
    let mut no_text = announced(4);
    no_text.extend_from_slice(&[0xff, 0xfe, b'{', b'}']);
    let cut = json!({ "error": { "message": "cut", "type": "t", "param": null, "code": "output_truncated" } });
    let deep = format!("{}content-length: 200000\r\n\r\n{}", head(200), "[".repeat(200_000));
    vec![
        ("drops before the head", Deed::Send(Vec::new()), Refusal::Dropped),
        ("drops in the head", Deed::Send(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()), Refusal::Dropped),
        ("drops in the body", Deed::Send(half(&good)), Refusal::Dropped),
        ("drops in a chunk", Deed::Send([chunked(), b"ff\r\n{".to_vec()].concat()), Refusal::Dropped),
        ("500", Deed::json(500, &json!({ "error": "out of order" })), Refusal::Status(500)),
        ("503 while loading", Deed::json(503, &json!({})), Refusal::Status(503)),
        (
            "400 that is never explained",
            Deed::Stall(b"HTTP/1.1 400 No\r\ncontent-length: 9\r\n\r\n".into()),
            Refusal::Status(400),
        ),
        ("429", Deed::json(429, &json!({})), Refusal::Busy),
        ("401", Deed::json(401, &json!({})), Refusal::Denied),
        ("403", Deed::json(403, &json!({})), Refusal::Denied),
        ("504", Deed::json(504, &json!({})), Refusal::Late),
        ("422, cut off", Deed::json(422, &cut), Refusal::Truncated),
        ("422, not understood", Deed::json(422, &json!({ "detail": [] })), Refusal::Status(422)),
        (
            "a redirect to itself",
            status_with(307, "location: /v1/chat/completions\r\ncontent-length: 0"),
            Refusal::Redirected,
        ),
        (
            "half of the JSON",
            Deed::Send([announced(20), br#"{"choices":[{"messag"#.to_vec()].concat()),
            Refusal::Malformed,
        ),
        ("no JSON", Deed::Send([announced(4), b"okay".to_vec()].concat()), Refusal::Malformed),
        ("a page", Deed::Send(html.into()), Refusal::Malformed),
        ("no UTF-8", Deed::Send(no_text), Refusal::Malformed),
        ("no HTTP", Deed::Send(b"220 mail.example ESMTP\r\n".into()), Refusal::Malformed),
        ("a bottomless list", Deed::Send(deep.into_bytes()), Refusal::Malformed),
        ("no choices", Deed::json(200, &json!({ "choices": [] })), Refusal::Malformed),
        ("an answer without a schema", Deed::say("I would save."), Refusal::Malformed),
        ("an answer of another schema", Deed::say(r#"{"answer":"save"}"#), Refusal::Malformed),
        ("an answer and more", Deed::say(r#"{"choice":"save","because":"x"}"#), Refusal::Malformed),
        ("two answers", Deed::say(r#"{"choice":"save","choice":"spend"}"#), Refusal::Malformed),
        ("an answer in a fence", Deed::say("```json\n{\"choice\":\"save\"}\n```"), Refusal::Malformed),
        ("nothing", Deed::json(200, &json!({ "choices": [{ "message": { "content": null } }] })), Refusal::Malformed),
        ("another menu's word", Deed::say(r#"{"choice":"steady"}"#), Refusal::OffMenu),
        ("almost a word", Deed::say(r#"{"choice":"Save"}"#), Refusal::OffMenu),
        ("a word that looks alike", Deed::say("{\"choice\":\"s\u{430}ve\"}"), Refusal::OffMenu),
        ("a cut off answer", Deed::json(200, &completion("{\"choice\":\"save\"}", "length")), Refusal::Truncated),
        ("10 MB, announced", Deed::Stall(announced(10_000_000)), Refusal::TooLong),
        (
            "a little too much",
            Deed::Send([chunked(), format!("{:x}\r\n", padded.len()).into(), padded].concat()),
            Refusal::TooLong,
        ),
        (
            "a body without end",
            Deed::Flood(chunked(), [b"10000\r\n".as_slice(), &[b' '; 1 << 16], b"\r\n"].concat()),
            Refusal::TooLong,
        ),
        ("a head without end", Deed::Flood(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'y'; 1 << 16]), Refusal::TooLong),
        (
            "a thousand headers",
            Deed::Send(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1_000)).into()),
            Refusal::TooLong,
        ),
    ]
}

#[tokio::test]
async fn every_bad_answer_is_refused_by_its_name() {
    for (case, deed, expected) in bad_servers() {
        let endless = matches!(deed, Deed::Flood(..));
        let (answer, fake) = answer_to(deed, menu(), PATIENCE).await;
        assert_eq!(answer, Err(expected), "{case}");
        heard(&fake);
        if endless {
            let News::Left(written) = fake.news() else { panic!("{case}: heard twice") };
            assert!(written < FLOOD_BYTES_MAX, "{case}: {written} bytes were taken");
        }
    }
}

#[tokio::test]
async fn whatever_takes_too_long_ends_at_the_deadline_and_closes_the_connection() {
    let good = completion("{\"choice\":\"save\"}", "stop").to_string();
    let whole = [announced(good.len()), good.into_bytes()].concat();
    let cases = [
        ("stalls before the head", Deed::Stall(Vec::new())),
        ("stalls in the head", Deed::Stall(b"HTTP/1.1 200 OK\r\n".to_vec())),
        ("stalls before the body", Deed::Stall(announced(10))),
        ("stalls in the body", Deed::Stall(whole[..whole.len() - 1].to_vec())),
        ("drips", Deed::Drip(whole, Duration::from_millis(20))),
    ];
    for (case, deed) in cases {
        let began = Instant::now();
        let (answer, fake) = answer_to(deed, menu(), SHORT).await;
        assert_eq!(answer, Err(Refusal::Late), "{case}");
        assert!((SHORT..PATIENCE / 2).contains(&began.elapsed()), "{case}: {:?}", began.elapsed());
        heard(&fake);
        assert!(matches!(fake.news(), News::Left(_)), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_loses_interest_closes_the_connection() {
    let fake = FakeEndpoint::start(|_| Deed::Stall(Vec::new()));
    let endpoint = endpoint_at(&fake.url(), Some("small"));
    let asking = tokio::spawn(async move { endpoint.complete(&ask(menu()), PATIENCE).await });
    heard(&fake);
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert!(matches!(fake.news(), News::Left(0)));
}

#[tokio::test]
async fn the_deadline_of_the_configuration_holds_too() {
    let fake = FakeEndpoint::start(|_| Deed::Stall(Vec::new()));
    let config = EndpointConfig { address: fake.url().parse().unwrap(), model: None, key: None, answer_within: SHORT };
    let endpoint = Endpoint::new(config).unwrap();
    assert_eq!(endpoint.complete(&ask(menu()), PATIENCE).await, Err(Refusal::Late));
    assert_eq!(endpoint.model().await, Err(Refusal::Late));
}

#[tokio::test]
async fn nobody_there_is_said_at_once() {
    // Bound, so that nobody else gets the port, but deaf.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = endpoint_at(&format!("http://{}", socket.local_addr().unwrap()), Some("small"));
    assert_eq!(endpoint.complete(&ask(menu()), PATIENCE).await, Err(Refusal::Unreachable));
}

#[tokio::test]
async fn a_question_is_sent_as_the_protocol_has_it() {
    let (answer, fake) = answer_to(Deed::say(" {\"choice\": \"spend\"}\n"), menu(), PATIENCE).await;
    let answer = answer.unwrap();
    assert_eq!((answer.text.as_str(), answer.ending, answer.log_probability), ("spend", Ending::Complete, None));
    assert_eq!((answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens), (40, 2, 30));
    assert!(answer.latency > Duration::ZERO);

    let heard = heard(&fake);
    assert_eq!(heard.line, "POST /v1/chat/completions");
    assert_eq!(heard.menu(), ["save", "spend"]);
    for line in ["authorization: bearer hidden", "content-type: application/json", "connection: close"] {
        assert!(heard.head.iter().any(|said| said == line), "{line}: {:?}", heard.head);
    }
    let timeout = heard.head.iter().find_map(|line| line.strip_prefix("x-timeout-ms: ")?.parse::<u128>().ok()).unwrap();
    assert!((1..=PATIENCE.as_millis()).contains(&timeout), "{timeout}");
    assert_eq!(heard.body["messages"][0], json!({ "role": "system", "content": "Choose." }));
    assert_eq!(
        (&heard.body["model"], &heard.body["temperature"], &heard.body["max_tokens"]),
        (&json!("small"), &json!(0), &json!(20))
    );
}

#[tokio::test]
async fn a_word_may_be_a_bare_string_and_everything_optional_may_be_missing() {
    let bare = json!({ "choices": [{ "message": { "role": "assistant", "content": "\"save\"" } }], "usage": null });
    let (answer, _fake) = answer_to(Deed::json(200, &bare), menu(), PATIENCE).await;
    let answer = answer.unwrap();
    assert_eq!((answer.text.as_str(), answer.prompt_tokens, answer.cached_tokens), ("save", 0, 0));
}

#[tokio::test]
async fn a_score_is_the_sum_of_the_log_probabilities() {
    let score = || Form::Score("save".into());
    let (answer, fake) = answer_to(Deed::say("\"save\""), score(), PATIENCE).await;
    assert_eq!(answer.unwrap().log_probability, Some(-0.75));
    let heard = heard(&fake);
    assert_eq!(heard.body["response_format"]["json_schema"]["schema"], json!({ "const": "save" }));
    assert_eq!(heard.body["logprobs"], json!(true));

    let mut silent = completion("\"save\"", "stop");
    let cases = [
        (json!(null), Refusal::NoLogProbabilities),
        (json!({ "content": [] }), Refusal::NoLogProbabilities),
        (json!({ "content": null }), Refusal::NoLogProbabilities),
        (json!({ "content": [{ "logprob": 0.5 }] }), Refusal::Malformed),
        (json!({ "content": [{ "logprob": -1e308 }, { "logprob": -1e308 }] }), Refusal::Malformed),
    ];
    for (logprobs, expected) in cases {
        silent["choices"][0]["logprobs"] = logprobs.clone();
        let (answer, _fake) = answer_to(Deed::json(200, &silent), score(), PATIENCE).await;
        assert_eq!(answer, Err(expected), "{logprobs}");
    }
    let (answer, _fake) = answer_to(Deed::say("\"spend\""), score(), PATIENCE).await;
    assert_eq!(answer, Err(Refusal::OffMenu));
}

#[tokio::test]
async fn a_text_becomes_one_harmless_line_of_bounded_length() {
    let text = |content: &str, finish: &str| Deed::json(200, &completion(content, finish));
    let cases = [
        (
            text("Half is\n left, \u{1b}[31mso save.\u{0}", "stop"),
            "Half is left, [31mso save.".into(),
            Ending::Complete,
        ),
        (text("Half is", "length"), "Half is".into(), Ending::Truncated),
        (text(&"ä".repeat(TEXT_CHARS_MAX + 1), "stop"), "ä".repeat(TEXT_CHARS_MAX), Ending::Truncated),
        (Deed::json(200, &json!({ "choices": [{ "message": {} }] })), String::new(), Ending::Complete),
    ];
    for (deed, expected, ending) in cases {
        let (answer, fake) = answer_to(deed, Form::Text, PATIENCE).await;
        let answer = answer.unwrap();
        assert_eq!((answer.text, answer.ending), (expected, ending));
        assert!(heard(&fake).body.get("response_format").is_none());
    }
}

#[tokio::test]
async fn a_question_out_of_bounds_is_not_sent() {
    let fake = FakeEndpoint::start(|_| Deed::say("\"save\""));
    let endpoint = endpoint_at(&fake.url(), Some("small"));
    let with = |messages: Vec<Message>, max_tokens: u32, form: Form| Question { messages, max_tokens, form };
    let one = || vec![Message::user("Now.")];
    let word = |word: &str| Form::OneOf(vec![word.into()]);
    let cases = [
        with(Vec::new(), 1, Form::Text),
        with(vec![Message::user("x"); MESSAGES_MAX + 1], 1, Form::Text),
        with(vec![Message::user("x".repeat(70_000))], 1, Form::Text),
        with(one(), 0, Form::Text),
        with(one(), 1_000_000, Form::Text),
        with(one(), 1, Form::OneOf(Vec::new())),
        with(one(), 1, Form::OneOf(vec!["x".into(); MENU_WORDS_MAX + 1])),
        with(one(), 1, word("")),
        with(one(), 1, word("two\nlines")),
        with(one(), 1, Form::Score("x".repeat(65))),
    ];
    for question in cases {
        assert_eq!(endpoint.complete(&question, PATIENCE).await, Err(Refusal::Unaskable), "{:?}", question.form);
    }
    endpoint.complete(&with(one(), 1, word("save")), PATIENCE).await.unwrap();
    assert_eq!(heard(&fake).menu(), ["save"], "the first question that was sent is the sound one");
}

#[tokio::test]
async fn the_model_is_the_wanted_one_or_the_first_and_is_asked_for_again_after_a_failure() {
    let mut served = ["large", "small"].into_iter();
    let mut serving = "";
    let fake = FakeEndpoint::start(move |heard| match heard.line.as_str() {
        "GET /v1/models" => {
            serving = served.next().unwrap_or(serving);
            Deed::json(200, &models(serving))
        }
        _ if heard.body["model"] == "large" && serving == "large" => Deed::json(404, &json!({})),
        _ => Deed::say("\"save\""),
    });
    let endpoint = endpoint_at(&fake.url(), None);
    assert_eq!(endpoint.complete(&ask(menu()), PATIENCE).await, Err(Refusal::Status(404)));
    endpoint.complete(&ask(menu()), PATIENCE).await.unwrap();
    endpoint.complete(&ask(menu()), PATIENCE).await.unwrap();
    let lines: Vec<String> = (0..5).map(|_| heard(&fake).line).collect();
    let (list, ask) = ("GET /v1/models", "POST /v1/chat/completions");
    assert_eq!(lines, [list, ask, list, ask, ask]);

    assert_eq!(endpoint_at(&fake.url(), Some("small")).model().await, Ok("small".into()));
    assert_eq!(endpoint_at(&fake.url(), Some("other")).model().await, Err(Refusal::NoModel));
}
