//! `althing ask`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::Answer;
use crate::{
    cli::AskArgs,
    config::{Agents, Config},
    endpoint::{self, Address, Ending, Endpoint, Form, Message, Question, Refusal},
    failure::{Blame, Blamed, Failure},
};

/// How often the progress is drawn again.
const TICK: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
#[error("no answer of {address} ({}): {refusal}", refusal.name())]
struct NoAnswer {
    address: Address,
    refusal: Refusal,
}

impl Blamed for NoAnswer {
    fn blame(&self) -> Blame {
        match self.refusal {
            Refusal::Dropped | Refusal::Late | Refusal::Busy | Refusal::Status(_) | Refusal::Malformed => {
                Blame::Machine
            }
            _ => Blame::User,
        }
    }
}

pub(super) fn execute(args: &AskArgs) -> Result<Answer, Failure> {
    let agents = agents(args)?;
    let nowhere = || {
        Failure::user(format_args!(
            "{} names no endpoint; write `endpoint` under [agents], or give --endpoint",
            args.config.display()
        ))
    };
    let endpoint = Endpoint::configured(&agents)?.ok_or_else(nowhere)?;
    let question = Question {
        messages: vec![Message::user(&args.question)],
        max_tokens: args.max_tokens,
        form: match (args.choose.as_slice(), &args.score) {
            (_, Some(word)) => Form::Score(word.clone()),
            ([], None) => Form::Text,
            (words, None) => Form::OneOf(words.to_vec()),
        },
    };
    let (model, answer) = wait(&endpoint, &question, Duration::from_millis(agents.answer_within_ms))?;
    Ok(show(&model, &answer))
}

/// Whom to ask: who is named on the command line, or whom the node of the configuration asks.
fn agents(args: &AskArgs) -> Result<Agents, Failure> {
    let mut agents = match args.endpoint {
        Some(_) => Agents { endpoint: args.endpoint.clone(), ..Agents::default() },
        None => Config::load(&args.config)?.agents,
    };
    agents.model = args.model.clone().or(agents.model);
    agents.key_env = args.key_env.clone().or(agents.key_env);
    agents.answer_within_ms = args.answer_within_ms.unwrap_or(agents.answer_within_ms);
    Ok(agents)
}

fn wait(endpoint: &Endpoint, question: &Question, within: Duration) -> Result<(String, endpoint::Answer), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::machine)?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is a constant, so it can be parsed.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    let answered = runtime.block_on(async {
        bar.set_message("looking for the model");
        let model = endpoint.model().await?;
        bar.set_message("waiting for the answer");
        Ok((model, endpoint.complete(question, within).await?))
    });
    bar.finish_and_clear();
    answered.map_err(|refusal| NoAnswer { address: endpoint.address().clone(), refusal }.into())
}

fn show(model: &str, answer: &endpoint::Answer) -> Answer {
    let endpoint::Answer { text, prompt_tokens, completion_tokens, cached_tokens, .. } = answer;
    let seconds = answer.latency.as_secs_f64();
    let cut = if answer.ending == Ending::Truncated { " (cut off)" } else { "" };
    let likely =
        answer.log_probability.map(|ln| format!("likely   {:.6} (ln {ln:.4})\n", ln.exp())).unwrap_or_default();
    let lines = format!(
        "answer   {text}{cut}\n{likely}model    {model}\nlatency  {seconds:.2} s\n\
         tokens   {prompt_tokens} asked, {cached_tokens} of them known already; {completion_tokens} answered\n"
    );
    let json = json!({
        "answer": text,
        "complete": answer.ending == Ending::Complete,
        "log_probability": answer.log_probability,
        "model": model,
        "latency_ms": answer.latency.as_millis() as u64,
        "prompt_tokens": prompt_tokens,
        "cached_tokens": cached_tokens,
        "completion_tokens": completion_tokens,
    });
    Answer { text: lines, json }
}
