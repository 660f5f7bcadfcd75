//! What resources were last started with on this node, so that a stop ends what runs and not what a changed
//! or removed configuration says (rule 4.10.7).

use std::collections::BTreeMap;

use crate::executor::Order;
use crate::operation::{ExecutionStatus, OperationResult};

/// Instance parameters by resource. Lost when the node restarts: then the current ones are used.
#[derive(Debug, Default)]
pub struct Started {
    parameters: BTreeMap<String, BTreeMap<String, String>>,
}

impl Started {
    /// Remembers what a start, a reload or a probe that found the resource was given; a stop that succeeded
    /// ends the memory.
    pub fn learn(&mut self, order: &Order, result: &OperationResult) {
        let runs = result.status == ExecutionStatus::Done && matches!(result.exit_code, 0 | 8 | 190 | 191);
        match order.operation.as_str() {
            "start" | "reload" | "reload-agent" | "monitor" if runs && order.interval == 0 => {
                let own = order.parameters.iter().filter(|(name, _)| !is_meta(name));
                let own = own.map(|(name, value)| (name.clone(), value.clone())).collect();
                self.parameters.insert(order.resource.clone(), own);
            }
            "stop" if runs => self.forget(&order.resource),
            _ => {}
        }
    }

    /// Ends the memory of a resource.
    pub fn forget(&mut self, resource: &str) {
        self.parameters.remove(resource);
    }

    /// The resources that were started, or found, here and not stopped since.
    pub fn resources(&self) -> Vec<String> {
        self.parameters.keys().cloned().collect()
    }

    /// What the agent gets: for a stop what the resource was started with, and the order's meta attributes.
    pub fn parameters(&self, order: &Order) -> BTreeMap<String, String> {
        let given = &order.parameters;
        match self.parameters.get(&order.resource) {
            Some(started) if order.operation == "stop" => {
                let meta = given.iter().filter(|(name, _)| is_meta(name));
                let meta = meta.map(|(name, value)| (name.clone(), value.clone()));
                started.clone().into_iter().chain(meta).collect()
            }
            _ => given.clone(),
        }
    }
}

fn is_meta(name: &str) -> bool {
    name.starts_with("CRM_meta_") || name == "crm_feature_set"
}
