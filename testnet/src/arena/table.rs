//! The figures for people.

use super::{
    seat::Seat,
    stats::Estimate,
    summary::{PolicySummary, SeatSummary, Summary},
    usage::Usage,
};
use crate::replay::aligned;

impl Summary {
    /// The figures for people, a table for each seat.
    pub fn table(&self) -> String {
        let tables = self.seats.iter().map(|seat| seat.table(self.seeds.len()));
        let tables = tables.collect::<Vec<_>>().join("\n");
        let model = self.setting.model.as_ref().map_or_else(String::new, |model| {
            let seconds = model.answer_within_ms as f64 / 1e3;
            format!("  model        {}, each answer within {seconds} s\n", model.name)
        });
        format!("{tables}\n{model}  time         {:.1} s\n", self.wall_s)
    }
}

impl SeatSummary {
    fn table(&self, seeds: usize) -> String {
        let asked = self.policies.first().map_or(0, |policy| policy.asked);
        let title = format!("  {}: {asked} questions from {seeds} seeds, 95 % intervals over seeds\n", self.seat);
        let mut heading = vec!["policy", "valid", "wrong", "fallback", "regret", "beyond rules", "ms", "order"];
        heading.extend(self.asks_a_model().then_some("tokens"));
        heading.extend(match self.seat {
            Seat::Bidder => &["gain", "equal pay", "at the end", "credits", "hired", "value"][..],
            Seat::Selector => &["equal bytes", "at the end", "MB", "Jain", "worst tenth"],
            Seat::Guardian | Seat::Pace => &["work", "late", "spent"],
        });
        let mut rows: Vec<Vec<String>> = vec![heading.into_iter().map(str::to_owned).collect()];
        rows.extend(self.policies.iter().map(|policy| self.row(policy)));
        title + &aligned(&rows)
    }

    /// Whether a language model is among those who answered.
    fn asks_a_model(&self) -> bool {
        self.policies.iter().any(|policy| policy.usage.is_some())
    }

    fn row(&self, policy: &PolicySummary) -> Vec<String> {
        let mut row = vec![
            policy.policy.clone(),
            share(policy.valid),
            share(policy.wrong_valid),
            share(policy.fallback),
            percent(policy.regret),
            policy.beyond_rules.map_or_else(String::new, |beyond| percent(Some(beyond))),
            policy.latency_ms.map_or_else(String::new, |[median, _]| format!("{median:.3}")),
            order(policy),
        ];
        row.extend(self.asks_a_model().then(|| tokens(policy)));
        row.extend(match self.seat {
            Seat::Bidder => vec![
                number(policy.value, 3),
                percent(policy.accuracy_at_equal_pay),
                percent(policy.final_accuracy),
                number(policy.paid_per_round, 0),
                number(policy.hired_per_round, 2),
                number(policy.value_per_round, 0),
            ],
            Seat::Selector => vec![
                percent(policy.accuracy_at_equal_bytes),
                percent(policy.final_accuracy),
                policy.megabytes.map_or_else(String::new, |megabytes| format!("{:.0}", megabytes.mean)),
                number(policy.participation, 2),
                percent(policy.worst_decile),
            ],
            Seat::Guardian | Seat::Pace => vec![number(policy.work, 2), number(policy.late, 1), percent(policy.spent)],
        });
        row
    }
}

fn share(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// Answers that changed, and between what that share lies, where there were any.
fn order(policy: &PolicySummary) -> String {
    match (policy.order_changed, policy.intervals.order_changed) {
        (Some(changed), Some([low, high])) if changed > 0.0 => {
            format!("{} ({:.0} to {:.0})", share(changed), 100.0 * low, 100.0 * high)
        }
        (changed, _) => changed.map_or_else(String::new, share),
    }
}

/// For each decision: of questions, and of answers.
fn tokens(policy: &PolicySummary) -> String {
    let Some(Usage { prompt_tokens, completion_tokens, .. }) = policy.usage else { return String::new() };
    let each = |tokens: u64| tokens as f64 / policy.asked.max(1) as f64;
    format!("{:.0} + {:.0}", each(prompt_tokens), each(completion_tokens))
}

fn percent(estimate: Option<Estimate>) -> String {
    let Some(Estimate { mean, half }) = estimate else { return "-".to_owned() };
    let half = half.map_or_else(String::new, |half| format!(" ± {:.1}", 100.0 * half));
    format!("{:.1}{half} %", 100.0 * mean)
}

fn number(estimate: Option<Estimate>, decimals: usize) -> String {
    let Some(Estimate { mean, half }) = estimate else { return "-".to_owned() };
    let half = half.map_or_else(String::new, |half| format!(" ± {half:.decimals$}"));
    format!("{mean:.decimals$}{half}")
}
