use std::sync::Arc;

use althing_protocol::model::{Manifest, Width};
use burn::tensor::Device;

use super::{Workload, WorkloadLearner, manifest};
use crate::{
    config,
    learn::{
        catalogue::{Task, TaskError},
        facts,
        job::Learn,
        portion::Portion,
        state_dict::{self, Entry},
    },
};

/// The task of learning a workload.
pub(super) struct WorkloadTask<W>(pub(super) Arc<W>);

impl<W: Workload> Task for WorkloadTask<W> {
    fn manifest(&self) -> Manifest {
        manifest(&*self.0)
    }

    fn first_model(&self, seed: u64) -> Vec<f32> {
        self.0.first_model(facts::start(seed))
    }

    fn learner(&self, data: &config::Data) -> Result<Box<dyn Learn>, TaskError> {
        let Portion { train, held_out } = self.0.portion(data)?;
        Ok(Box::new(WorkloadLearner::member(Arc::clone(&self.0), train, held_out)))
    }

    fn examiner(&self, data: &config::Data) -> Result<Box<dyn Learn>, TaskError> {
        Ok(Box::new(WorkloadLearner::examiner(Arc::clone(&self.0), self.0.test(data)?)))
    }

    fn state_dict(&self) -> Vec<Entry> {
        state_dict::entries(&self.0.network(Width::Full, &Device::flex()))
    }
}
