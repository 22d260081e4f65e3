//! The program with a real model, over real sockets: SmolLM2 135M, as `althing-lm fetch smollm2-135m` gets it.
//!
//! The model is looked for where `ALTHING_LM_TEST_MODEL` says, and else in the cache folder.

mod program;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::program::Program;

/// Times are compared, so no two tests may share the processor.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks for one word of a menu.
fn menu(words: &[&str], number: u32) -> Value {
    json!({
        "messages": [
            { "role": "system", "content": "You answer with one word of the menu, as JSON." },
            { "role": "user", "content": format!("Menu: {}. There are {number} apples. Choose.", words.join(", ")) },
        ],
        "max_tokens": 24,
        "response_format": { "type": "json_schema", "json_schema": { "name": "choice", "schema": {
            "type": "object",
            "properties": { "choice": { "enum": words } },
            "required": ["choice"],
            "additionalProperties": false,
        } } },
    })
}

fn content(reply: &Value) -> &str {
    reply["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("no answer in {reply}"))
}

fn milliseconds(since: Instant) -> u128 {
    since.elapsed().as_millis()
}

#[test]
fn a_model_answers_within_a_schema_is_broken_off_and_refuses_half_answers() {
    let _alone = alone();
    let program = Program::serving_smollm2(&[]);

    // Within a schema.
    let begun = Instant::now();
    let (status, reply) = program.ask(&menu(&["red", "green"], 3), &[]);
    assert_eq!(status, 200, "{reply}");
    let choice: Value = serde_json::from_str(content(&reply)).unwrap();
    assert!(["red", "green"].contains(&choice["choice"].as_str().unwrap()), "{choice}");
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    let undisturbed = milliseconds(begun);

    // Half an answer is none.
    let mut cut = menu(&["red", "green"], 3);
    cut["max_tokens"] = json!(2);
    let (status, reply) = program.ask(&cut, &[]);
    assert_eq!((status, &reply["error"]["code"]), (422, &json!("output_truncated")), "{reply}");

    // A schema that cannot be followed is the caller's to mend.
    let mut empty = menu(&["red"], 3);
    empty["response_format"]["json_schema"]["schema"] = json!({ "allOf": [{ "const": "a" }, { "const": "b" }] });
    let (status, reply) = program.ask(&empty, &[]);
    assert_eq!((status, &reply["error"]["code"]), (400, &json!("refused_by_model")), "{reply}");

    // More than the model takes.
    let mut long = menu(&["red", "green"], 3);
    long["messages"][1]["content"] = json!("apple ".repeat(3000));
    let (status, reply) = program.ask(&long, &[]);
    assert_eq!((status, &reply["error"]["code"]), (400, &json!("refused_by_model")), "{reply}");

    // A deadline breaks off a generation that would take much longer, and the model is free at once.
    let story = json!({ "messages": [{ "role": "user", "content": "Tell a very long story." }], "max_tokens": 1000 });
    let (status, reply) = program.ask(&story, &["x-timeout-ms: 1500"]);
    assert_eq!((status, &reply["error"]["code"]), (504, &json!("deadline_exceeded")), "{reply}");
    let free = Instant::now();
    let (status, _) = program.ask(&menu(&["red", "green"], 4), &[]);
    let after_deadline = milliseconds(free);
    assert_eq!(status, 200);

    // So does a caller who leaves.
    program.ask_and_leave(&story, Duration::from_millis(1500));
    let free = Instant::now();
    let (status, _) = program.ask(&menu(&["red", "green"], 5), &[]);
    let after_leaving = milliseconds(free);
    assert_eq!(status, 200);
    let metrics = program.get("/metrics");
    for counted in
        ["{outcome=\"left\"} 1", "{outcome=\"late\"} 1", "{outcome=\"truncated\"} 1", "{outcome=\"answered\"} 3"]
    {
        assert!(metrics.contains(&format!("althing_lm_requests_total{counted}")), "{counted} in {metrics}");
    }
    // The story would take many times as long as a word of a menu.
    let most = 6 * undisturbed;
    assert!(after_deadline < most && after_leaving < most, "{after_deadline} and {after_leaving} of {most} ms");
    program.stop();
}

#[test]
fn probabilities_are_those_of_the_model_and_not_of_the_schema() {
    let _alone = alone();
    let program = Program::serving_smollm2(&[]);
    let ln = |word: &str| -> f64 {
        let body = json!({
            "messages": [{ "role": "user", "content": "The capital of France is which city? Answer with its name." }],
            "max_tokens": 12, "logprobs": true, "top_logprobs": 5,
            "response_format": { "type": "json_schema", "json_schema": { "schema": { "const": word } } },
        });
        let (status, reply) = program.ask(&body, &[]);
        assert_eq!(status, 200, "{reply}");
        let places = reply["choices"][0]["logprobs"]["content"].as_array().unwrap();
        let text: String = places.iter().map(|place| place["token"].as_str().unwrap()).collect();
        assert_eq!(text.trim(), content(&reply), "the tokens are the answer");
        for place in places {
            let top: Vec<f64> =
                place["top_logprobs"].as_array().unwrap().iter().map(|t| t["logprob"].as_f64().unwrap()).collect();
            assert!(top.len() == 5 && top.is_sorted_by(|a, b| a >= b), "{place}");
            assert!(top.iter().map(|ln| ln.exp()).sum::<f64>() <= 1.0 + 1e-6, "{place}");
            assert!(place["logprob"].as_f64().unwrap() <= top[0], "{place}");
        }
        places.iter().map(|place| place["logprob"].as_f64().unwrap()).sum()
    };
    let (paris, banana) = (ln("Paris"), ln("Banana"));
    assert!(paris < 0.0 && banana < paris - 2.0, "Paris {paris}, Banana {banana}");
    program.stop();
}

#[test]
fn a_repeated_beginning_costs_only_its_new_tokens_and_changes_nothing() {
    let _alone = alone();
    let remembering = Program::serving_smollm2(&["--remember", "4"]);
    let forgetful = Program::serving_smollm2(&["--remember", "0"]);
    let rules = "Members of a federation train one model together, each on its own data. ".repeat(9);
    let question = |number: u32| {
        let mut body = menu(&["save", "steady", "spend"], number);
        body["messages"][0]["content"] = json!(rules);
        body
    };
    let mut times = Vec::new();
    // Four blocks are full after four questions, and for the fifth everything is forgotten.
    for number in 1..=6 {
        let begun = Instant::now();
        let (status, known) = remembering.ask(&question(number), &[]);
        times.push(milliseconds(begun));
        assert_eq!(status, 200, "{known}");
        let usage = &known["usage"];
        let prompt = usage["prompt_tokens"].as_u64().unwrap();
        let reused = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
        match number {
            1 | 5 => assert_eq!(reused, 0, "question {number}"),
            _ => assert!(reused > prompt * 3 / 4, "question {number}: {reused} of {prompt}"),
        }
        if number == 3 || number == 6 {
            let (_, anew) = forgetful.ask(&question(number), &[]);
            assert_eq!(content(&known), content(&anew), "question {number}");
        }
    }
    let (anew, known) = (times[0].min(times[4]), times[1].min(times[2]).min(times[3]));
    assert!(known * 2 < anew && times[5] * 2 < anew, "milliseconds: {times:?}");

    // What is known from end to end costs nothing.
    let begun = Instant::now();
    let (_, again) = remembering.ask(&question(6), &[]);
    assert_eq!(again["usage"]["prompt_tokens_details"]["cached_tokens"], again["usage"]["prompt_tokens"]);
    assert!(milliseconds(begun) * 2 < known);
    remembering.stop();
    forgetful.stop();
}
