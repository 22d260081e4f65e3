//! A GGUF file, answered by `mistralrs` in this process. Nothing is fetched from anywhere.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use either::Either;
use mistralrs::{
    Constraint, GgufModelBuilder, Model, Request, RequestBuilder, Response, SamplingParams, StopTokens, TextMessages,
    TokenSource,
};
use tokio::sync::Mutex;

use super::{
    Answer, Ask, Engine, EngineError, Finish, Likelihood, Message, Odds, Pending, Usage,
    memory::{Memory, Room},
    recorder::{Place, Recorder, Scored},
    translate::{failed, finish, refusal, role},
};
use crate::{failure::one_line, serve::limits::PROMPT_TOKENS_MAX};

/// How long the library may take to finish its step and start anew.
const FORGETTING_MAX: Duration = Duration::from_secs(120);

/// How often to look whether it has.
const FORGETTING_POLL: Duration = Duration::from_millis(2);

/// The tokens by which models say that they are done, in the families that the library reads. It knows one of a file's
/// own, but ends an answer under a schema with whichever of these its grammar engine likes best, and would go on.
const ENDS: [&str; 8] =
    ["</s>", "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|end|>", "<eos>", "<end_of_turn>"];

/// A loaded model.
pub(crate) struct Local {
    model: Arc<Model>,
    /// Tokens of question and answer together that the model can take.
    context: usize,
    /// Those of [`ENDS`] that the model has.
    ends: Vec<u32>,
    /// Held while a question is answered, so that there is one at a time.
    memory: Mutex<Memory>,
    /// The texts of tokens that have been asked for.
    vocabulary: Mutex<BTreeMap<u32, String>>,
}

/// What came of a stream.
struct Generated {
    text: String,
    finish: Finish,
    /// The last token, where the library says it.
    last: Option<u32>,
    prompt_time: Duration,
    completion_time: Duration,
    prompt_tokens: usize,
    completion_tokens: usize,
}

impl Local {
    /// Loads the GGUF file at `path`; `remember` blocks of tokens are kept for questions that begin alike.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when the library cannot read or run the file.
    pub(crate) async fn load(path: &Path, remember: usize) -> Result<Self, EngineError> {
        let (folder, file) = folder_and_file(path)?;
        let builder = GgufModelBuilder::new(folder, vec![file])
            .with_token_source(TokenSource::None)
            .with_force_cpu()
            .with_max_num_seqs(1)
            .with_prefix_cache_n((remember > 0).then_some(remember));
        // A task of its own: the library may panic on a file that it does not understand.
        let model = tokio::spawn(builder.build()).await.map_err(failed)?.map_err(failed)?;
        let context = model.max_sequence_length().map_err(failed)?.unwrap_or(PROMPT_TOKENS_MAX);
        let ends = ends(&model).await?;
        Ok(Self {
            model: Arc::new(model),
            context,
            ends,
            memory: Mutex::new(Memory::new(remember)),
            vocabulary: Mutex::default(),
        })
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, EngineError> {
        let mut memory = self.memory.lock().await;
        if let Some(known) = memory.answer(&ask) {
            return Ok(from_memory(known));
        }
        let prompt = self.tokens(&ask.messages).await?;
        self.check_length(prompt.len(), ask.max_tokens)?;
        let tokens = prompt.len() + ask.max_tokens;
        if memory.reserve(tokens) == Room::Full {
            self.forget().await?;
            memory.clear();
            memory.reserve(tokens);
        }
        let reused_tokens = memory.common(&prompt);
        let recorder = ask.odds.map(|keep| Arc::new(Recorder::new(keep)));
        let generated = self.generate(&ask, recorder.clone()).await?;
        let odds = match recorder {
            Some(recorder) => Some(self.odds(&recorder, &generated).await?),
            None => None,
        };
        let usage = Usage {
            prompt_tokens: generated.prompt_tokens,
            reused_tokens,
            completion_tokens: generated.completion_tokens,
            prompt_time: generated.prompt_time,
            completion_time: generated.completion_time,
        };
        let answer = Answer { text: generated.text, finish: generated.finish, usage, odds };
        memory.remember(prompt, ask, answer.clone());
        Ok(answer)
    }

    fn check_length(&self, prompt: usize, max_tokens: usize) -> Result<(), EngineError> {
        if prompt > PROMPT_TOKENS_MAX {
            return Err(EngineError::Refused(format!(
                "the messages are {prompt} tokens long, and at most {PROMPT_TOKENS_MAX} are read: shorten them"
            )));
        }
        if prompt + max_tokens > self.context {
            return Err(EngineError::Refused(format!(
                "{prompt} tokens of messages and max_tokens {max_tokens} are more than the {} that this model takes: \
                 shorten the messages or lower max_tokens",
                self.context
            )));
        }
        Ok(())
    }

    /// The question as the model reads it.
    async fn tokens(&self, messages: &[Message]) -> Result<Vec<u32>, EngineError> {
        let messages = messages.iter().fold(TextMessages::new(), |all, m| all.add_message(role(m.speaker), &m.text));
        let model = Arc::clone(&self.model);
        // A task of its own: the library's thread would panic if nobody took its answer.
        let tokens =
            tokio::spawn(async move { model.tokenize(Either::Left(messages), None, true, true, None).await }).await;
        tokens.map_err(failed)?.map_err(|error| {
            EngineError::Refused(format!(
                "the messages do not fit the model's template: {}",
                one_line(&error.to_string())
            ))
        })
    }

    async fn generate(&self, ask: &Ask, recorder: Option<Arc<Recorder>>) -> Result<Generated, EngineError> {
        let sampling = SamplingParams {
            temperature: Some(0.0),
            max_len: Some(ask.max_tokens),
            top_n_logprobs: 1,
            stop_toks: Some(StopTokens::Ids(self.ends.clone())),
            ..SamplingParams::deterministic()
        };
        let mut request = RequestBuilder::new().set_sampling(sampling).return_logprobs(recorder.is_some());
        request = ask.messages.iter().fold(request, |all, m| all.add_message(role(m.speaker), &m.text));
        if let Some(schema) = &ask.schema {
            request = request.set_constraint(Constraint::JsonSchema(schema.clone()));
        }
        if let Some(recorder) = recorder {
            request = request.add_logits_processor(recorder);
        }
        let begun = Instant::now();
        // The stream is what notices a caller who has left: the library stops when a token cannot be delivered.
        let mut stream = self.model.stream_chat_request(request).await.map_err(failed)?;
        let (mut text, mut last, mut prompt_time) = (String::new(), None, None);
        while let Some(response) = stream.next().await {
            let chunk = match response {
                Response::Chunk(chunk) => chunk,
                other => return Err(refusal(other, ask)),
            };
            let prompt_time = *prompt_time.get_or_insert_with(|| begun.elapsed());
            let Some(choice) = chunk.choices.into_iter().next() else { continue };
            text.push_str(choice.delta.content.as_deref().unwrap_or_default());
            if let Some(odds) = choice.logprobs {
                last = odds.top_logprobs.first().map(|top| top.token);
            }
            let Some(reason) = choice.finish_reason else { continue };
            let usage = chunk.usage.ok_or_else(|| failed("it did not say what the answer cost"))?;
            return Ok(Generated {
                text,
                finish: finish(&reason)?,
                last,
                prompt_time,
                completion_time: begun.elapsed().saturating_sub(prompt_time),
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
            });
        }
        Err(failed("it fell silent in the middle of an answer"))
    }

    /// Has the library start anew, with the same model and without what it remembers.
    async fn forget(&self) -> Result<(), EngineError> {
        let runner = self.model.inner();
        let old = runner.get_sender(None).map_err(failed)?;
        // Nobody takes the message where the library has ended already.
        let _ = old.send(Request::Terminate).await;
        let anew = async {
            old.closed().await;
            // Its thread ends a moment later, and asking for it then starts another.
            while runner.get_sender(None).is_ok_and(|sender| sender.is_closed()) {
                tokio::time::sleep(FORGETTING_POLL).await;
            }
        };
        tokio::time::timeout(FORGETTING_MAX, anew).await.map_err(|_| failed("it did not start anew"))
    }

    async fn odds(&self, recorder: &Recorder, generated: &Generated) -> Result<Vec<Odds>, EngineError> {
        let mut places = recorder.finish(generated.last);
        if generated.finish == Finish::Complete {
            // The token that ends an answer is no part of it.
            places.pop();
        }
        let mut all = Vec::with_capacity(places.len());
        for Place { taken, likeliest } in places {
            let taken = self.likelihood(taken).await?;
            let mut others = Vec::with_capacity(likeliest.len());
            for scored in likeliest {
                others.push(self.likelihood(scored).await?);
            }
            all.push(Odds { taken, likeliest: others });
        }
        Ok(all)
    }

    async fn likelihood(&self, (token, ln): Scored) -> Result<Likelihood, EngineError> {
        let mut vocabulary = self.vocabulary.lock().await;
        if let Some(text) = vocabulary.get(&token) {
            return Ok(Likelihood { token: text.clone(), ln });
        }
        let model = Arc::clone(&self.model);
        let text = tokio::spawn(async move { model.detokenize(vec![token], false).await }).await;
        let text = text.map_err(failed)?.map_err(failed)?;
        vocabulary.insert(token, text.clone());
        Ok(Likelihood { token: text, ln })
    }
}

impl Engine for Local {
    fn answer(&self, ask: Ask) -> Pending<'_> {
        Box::pin(self.ask(ask))
    }
}

/// The numbers of those [`ENDS`] that are tokens of `model`.
async fn ends(model: &Model) -> Result<Vec<u32>, EngineError> {
    let mut ends = Vec::new();
    for end in ENDS {
        let tokens = model.tokenize(Either::Right(end.to_owned()), None, false, false, None).await.map_err(failed)?;
        if let [token] = tokens[..] {
            ends.push(token);
        }
    }
    Ok(ends)
}

/// A known answer, which costs nothing now.
fn from_memory(known: Answer) -> Answer {
    let usage = Usage {
        reused_tokens: known.usage.prompt_tokens,
        prompt_time: Duration::ZERO,
        completion_time: Duration::ZERO,
        ..known.usage
    };
    Answer { usage, ..known }
}

fn folder_and_file(path: &Path) -> Result<(String, String), EngineError> {
    let whole: PathBuf = path.canonicalize().map_err(|error| failed(format!("{}: {error}", path.display())))?;
    match (whole.parent().and_then(Path::to_str), whole.file_name().and_then(|name| name.to_str())) {
        (Some(folder), Some(file)) => Ok((folder.to_owned(), file.to_owned())),
        _ => Err(failed(format!("{} is no path in UTF-8", path.display()))),
    }
}
