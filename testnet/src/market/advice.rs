//! What came of asking a language model, in figures.

use std::{collections::BTreeMap, fmt, fmt::Write as _};

use serde::Serialize;

use super::{page::escape, record::Run, summary::Summary};

/// What came of asking a language model for a part of the population, all seeds together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Advice {
    /// Questions for an order: each takes two to five answers of the model.
    pub questions: u64,
    /// Of these, those that brought an order.
    pub orders: u64,
    /// Why the others brought none, and how many of them.
    pub failed: BTreeMap<String, u64>,
    /// What was ordered, and how often.
    pub ordered: BTreeMap<String, u64>,
    /// Bids that followed an order.
    pub bids_by_model: u64,
    /// Bids by the rules, because the model gave no order or one that did not fit.
    pub bids_by_fallback: u64,
    /// Bids by the rules, because the model had not been asked.
    pub bids_by_rules: u64,
    /// Answers that questions took; one that was asked twice in the experiment counts twice, and was sent once.
    pub answers: u64,
    /// Tokens of what was asked.
    pub prompt_tokens: u64,
    /// Tokens of what was answered.
    pub completion_tokens: u64,
}

impl Advice {
    pub(super) fn of(runs: &[&Run], part: usize) -> Self {
        let mut advice = Self::default();
        for row in runs.iter().flat_map(|run| &run.orders).filter(|row| row.part == part) {
            advice.questions += 1;
            advice.orders += u64::from(row.why.is_empty());
            let (counts, word) =
                if row.why.is_empty() { (&mut advice.ordered, &*row.choice) } else { (&mut advice.failed, row.why) };
            *counts.entry(word.to_owned()).or_default() += 1;
            advice.answers += row.answers;
            advice.prompt_tokens += row.prompt_tokens;
            advice.completion_tokens += row.completion_tokens;
        }
        for row in runs.iter().flat_map(|run| &run.parts).filter(|row| row.part == part) {
            advice.bids_by_model += row.sway.followed;
            advice.bids_by_fallback += row.sway.fell_back;
            advice.bids_by_rules += row.sway.ruled;
        }
        advice
    }

    fn cells(&self) -> [String; 8] {
        [
            self.questions.to_string(),
            self.orders.to_string(),
            counted(&self.failed),
            counted(&self.ordered),
            self.bids_by_model.to_string(),
            self.bids_by_fallback.to_string(),
            self.bids_by_rules.to_string(),
            (self.prompt_tokens + self.completion_tokens).to_string(),
        ]
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [questions, orders, failed, ordered, model, fallback, rules, _] = self.cells();
        write!(
            f,
            "model: {orders} orders ({ordered}) from {questions} questions, failed: {failed}; bids that followed one: \
             {model}, by rules for want of one: {fallback}, before any: {rules}"
        )
    }
}

/// Words and how often each was said.
fn counted(words: &BTreeMap<String, u64>) -> String {
    let each: Vec<String> = words.iter().map(|(word, count)| format!("{word} {count}")).collect();
    if each.is_empty() { "none".to_owned() } else { each.join(", ") }
}

/// A table of it for the report, if anybody was asked.
pub(super) fn write(page: &mut String, summary: &Summary) {
    const COLUMNS: [&str; 8] = [
        "questions",
        "orders",
        "failed",
        "ordered",
        "bids that followed an order",
        "by rules for want of one",
        "by rules, not asked",
        "tokens",
    ];
    let Some(model) = &summary.model else { return };
    let _ = writeln!(
        page,
        "<h2>Orders of the model</h2>\n<p>{}, over all seeds. A question is shared by all members who would ask it, and \
         takes two to five answers. <em>answers.jsonl</em> has each of them.</p>\n<table class=\"parts\"><tr><th></th>",
        escape(model)
    );
    for column in COLUMNS {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr>\n");
    for point in &summary.points {
        for advice in point.parts.iter().filter_map(|part| part.advice.as_ref()) {
            let _ = write!(page, "<tr><td>{}</td>", escape(&point.name));
            for cell in advice.cells() {
                let _ = write!(page, "<td>{}</td>", escape(&cell));
            }
            page.push_str("</tr>\n");
        }
    }
    page.push_str("</table>\n");
}
