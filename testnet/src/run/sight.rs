//! What the page of the run is shown.

use super::Run;
use crate::{
    options::RunOptions,
    page::{Sight, View},
    setup::Federation,
};

/// Before anything has happened.
pub(super) fn first(options: &RunOptions, federation: &Federation) -> View {
    View {
        network: federation.network.short(),
        task: format!("{} on {}", options.model, options.dataset),
        unit: if options.is_epidemic() { "step" } else { "round" },
        goal: options.rounds,
        ..View::default()
    }
}

impl Run<'_> {
    /// Shows everybody who looks what is known by now.
    pub(super) fn show_page(&mut self) {
        let Self { judge, accuracies, .. } = self;
        let mut accuracy = |model: &_| match judge {
            Some(judge) => judge.accuracy(model),
            None => accuracies.get(model).copied(),
        };
        self.view.look(Sight {
            federation: self.fleet.federation(),
            observer: &self.observer,
            traffic: &self.traffic,
            processes: self.fleet.doings(),
            told: &self.told,
            accuracy: &mut accuracy,
        });
        self.view.said = self.progress.said();
        self.page.show(self.view.clone());
    }
}
