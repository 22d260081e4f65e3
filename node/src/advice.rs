//! A language model is asked for one order.
//!
//! First it thinks aloud, in few tokens; then it chooses, in one of the ways of [`Asking`]. What it says counts only as
//! a word of the menu that code built; whatever else happens is a [`Setback`], and the rules decide.

use std::time::Duration;

use althing_agents::orders::{
    Choice, Inquiry, REASON_TOKENS, Speaker,
    verdict::{Asking, Habit, chosen},
};
use serde::{Deserialize, Serialize};

use crate::endpoint::{Answer, Endpoint, Form, Message, Question, Refusal};

/// Tokens that a word of a menu may take, with what a schema puts around it.
const CHOICE_TOKENS: u32 = 48;

/// The answer whose likelihood is an entry's score.
const YES: &str = "yes";

/// Why a model has given no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// It did not answer.
    Refused(Refusal),
    /// Asked twice with the menu in two orders, it chose two different entries.
    Undecided,
}

impl Setback {
    /// A short name for transcripts and reports, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.name(),
            Self::Undecided => "undecided",
        }
    }
}

impl From<Refusal> for Setback {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What asking has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Questions sent and answered.
    pub answers: u32,
    /// Tokens of all questions, those that the server knew already included.
    pub prompt_tokens: u32,
    /// Of those, the ones that the server knew already.
    pub cached_tokens: u32,
    /// Tokens of all answers.
    pub completion_tokens: u32,
    /// Time until the last answer, in milliseconds.
    pub latency_ms: u64,
}

impl Cost {
    fn add(&mut self, answer: &Answer) {
        self.answers += 1;
        self.prompt_tokens = self.prompt_tokens.saturating_add(answer.prompt_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(answer.cached_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(answer.completion_tokens);
        self.latency_ms = self.latency_ms.saturating_add(millis(answer.latency));
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// What the model thought aloud, on one line; empty if it came to nothing.
    pub reason: String,
    /// The order, or why there is none.
    pub choice: Result<Choice, Setback>,
    /// The scores of the entries, if each was asked about alone.
    pub scores: Vec<(Choice, f64)>,
    /// What it cost.
    pub cost: Cost,
}

/// Whoever answers single questions: an endpoint, or somebody who stands before one and remembers.
pub trait Respondent: Sync {
    /// The answer to `question`, if there is one `within` that time.
    ///
    /// # Errors
    /// [`Refusal`] says why there is none.
    fn complete(&self, question: &Question, within: Duration) -> impl Future<Output = Result<Answer, Refusal>> + Send;
}

impl Respondent for Endpoint {
    async fn complete(&self, question: &Question, within: Duration) -> Result<Answer, Refusal> {
        Self::complete(self, question, within).await
    }
}

/// Somebody who asks a model for orders.
#[derive(Debug, Clone)]
pub struct Adviser<R = Endpoint> {
    /// Where the model is.
    pub endpoint: R,
    /// How it is asked to choose.
    pub asking: Asking,
    /// How long each answer may take.
    pub within: Duration,
}

impl<R: Respondent> Adviser<R> {
    /// Asks for an order. What the model usually says about the topic is in `habit`, which learns from it.
    pub async fn consult(&self, inquiry: &Inquiry, habit: &mut Habit) -> Advice {
        let mut advice = Advice {
            reason: String::new(),
            choice: Err(Setback::Undecided),
            scores: Vec::new(),
            cost: Cost::default(),
        };
        advice.choice = self.settle(inquiry, habit, &mut advice).await;
        advice
    }

    async fn settle(&self, inquiry: &Inquiry, habit: &mut Habit, advice: &mut Advice) -> Result<Choice, Setback> {
        let question = question(inquiry.think(), REASON_TOKENS, Form::Text);
        advice.reason = self.ask(&question, &mut advice.cost).await?.text;
        match self.asking {
            Asking::Once => self.choose(inquiry, &inquiry.menu, advice).await,
            Asking::BothWays => {
                let forwards = self.choose(inquiry, &inquiry.menu, advice).await?;
                let reversed: Vec<Choice> = inquiry.menu.iter().rev().copied().collect();
                let backwards = self.choose(inquiry, &reversed, advice).await?;
                if forwards == backwards { Ok(forwards) } else { Err(Setback::Undecided) }
            }
            Asking::EachAlone => {
                for choice in &inquiry.menu {
                    let score = self.weigh(inquiry, *choice, advice).await?;
                    advice.scores.push((*choice, score));
                }
                habit.judge(&advice.scores).ok_or(Setback::Undecided)
            }
        }
    }

    async fn choose(&self, inquiry: &Inquiry, menu: &[Choice], advice: &mut Advice) -> Result<Choice, Setback> {
        let words = menu.iter().map(|choice| choice.word()).collect();
        let question = question(inquiry.choose(&advice.reason, menu), CHOICE_TOKENS, Form::OneOf(words));
        let answer = self.ask(&question, &mut advice.cost).await?;
        chosen(menu, &answer.text).ok_or(Setback::Refused(Refusal::OffMenu))
    }

    async fn weigh(&self, inquiry: &Inquiry, choice: Choice, advice: &mut Advice) -> Result<f64, Setback> {
        let form = Form::Score(YES.to_owned());
        let question = question(inquiry.weigh(&advice.reason, choice), CHOICE_TOKENS, form);
        let answer = self.ask(&question, &mut advice.cost).await?;
        answer.log_probability.ok_or(Setback::Refused(Refusal::NoLogProbabilities))
    }

    async fn ask(&self, question: &Question, cost: &mut Cost) -> Result<Answer, Refusal> {
        let answer = self.endpoint.complete(question, self.within).await?;
        cost.add(&answer);
        Ok(answer)
    }
}

fn question(messages: Vec<althing_agents::orders::Message>, max_tokens: u32, form: Form) -> Question {
    let said = |message: althing_agents::orders::Message| match message.speaker {
        Speaker::System => Message::system(message.text),
        Speaker::User => Message::user(message.text),
        Speaker::Assistant => Message::assistant(message.text),
    };
    Question { messages: messages.into_iter().map(said).collect(), max_tokens, form }
}
