//! Which provider really runs the parts of a graph.
//!
//! Owns the reading of what ONNX Runtime logs about it while it makes a session: a provider that was registered may still
//! take nothing, and the API of 1.21 has no other way to ask. Refuses to know what was registered.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Provider;

/// So many nodes of a graph on each provider, most first. Empty: it was not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread(Vec<(Provider, usize)>);

impl Spread {
    /// The provider that runs most of the graph.
    pub fn main(&self) -> Option<Provider> {
        self.0.first().map(|(provider, _)| *provider)
    }

    /// Whether any part runs on `provider`.
    pub fn uses(&self, provider: Provider) -> bool {
        self.0.iter().any(|(used, _)| *used == provider)
    }

    /// Whether it was told, and none of these runs any part. Of no providers that can't be said.
    pub fn leaves_out(&self, providers: &[Provider]) -> bool {
        let idle = |provider: &Provider| !self.uses(*provider);
        !self.0.is_empty() && !providers.is_empty() && providers.iter().all(idle)
    }

    /// Counts the nodes of another graph in.
    pub fn add(&mut self, other: &Spread) {
        for (provider, nodes) in &other.0 {
            match self.0.iter_mut().find(|(known, _)| known == provider) {
                Some((_, sum)) => *sum += nodes,
                None => self.0.push((*provider, *nodes)),
            }
        }
        self.0.sort_by_key(|(_, nodes)| std::cmp::Reverse(*nodes));
    }

    /// Takes a line of ONNX Runtime's log, if it is about this:
    /// ` All nodes placed on [CPUExecutionProvider]. Number of nodes: 266`.
    fn read(&mut self, message: &str) {
        let Some((_, placed)) = message.split_once("placed on [") else { return };
        let Some((name, rest)) = placed.split_once(']') else { return };
        let Some((_, nodes)) = rest.rsplit_once("Number of nodes: ") else { return };
        let provider = Provider::ALL.into_iter().find(|provider| identifier(*provider) == name);
        if let (Some(provider), Ok(nodes)) = (provider, nodes.trim().parse()) {
            self.add(&Spread(vec![(provider, nodes)]));
        }
    }
}

/// `cuda 120 of 131 nodes, cpu 11`, or only `cpu` where there is nothing else.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("unknown"),
            [(only, _)] => write!(f, "{only}"),
            [(first, nodes), others @ ..] => {
                let all: usize = self.0.iter().map(|(_, nodes)| nodes).sum();
                write!(f, "{first} ({nodes} of {all} nodes")?;
                others.iter().try_for_each(|(provider, nodes)| write!(f, ", {provider} {nodes}"))?;
                f.write_str(")")
            }
        }
    }
}

/// ONNX Runtime's name.
pub(super) fn identifier(provider: Provider) -> &'static str {
    match provider {
        Provider::TensorRt => "TensorrtExecutionProvider",
        Provider::Cuda => "CUDAExecutionProvider",
        Provider::OpenVino => "OpenVINOExecutionProvider",
        Provider::Cpu => "CPUExecutionProvider",
    }
}

/// Listens to the log of a session in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Listener(Arc<Mutex<Spread>>);

impl Listener {
    pub(super) fn hear(&self, message: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(message);
    }

    pub(super) fn add(&self, spread: &Spread) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(spread);
    }

    pub(super) fn heard(&self) -> Spread {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_read() {
        let listener = Listener::default();
        listener.hear("Node placements");
        assert_eq!(listener.heard().to_string(), "unknown");
        listener.hear(" All nodes placed on [CPUExecutionProvider]. Number of nodes: 266");
        assert_eq!(listener.heard().to_string(), "cpu");
        listener.hear(" Node(s) placed on [CUDAExecutionProvider]. Number of nodes: 1200");
        listener.hear(" Node(s) placed on [OtherExecutionProvider]. Number of nodes: 3");
        listener.hear("what is placed on [CPUExecutionProvider is not told");
        let heard = listener.heard();
        assert_eq!(heard.to_string(), "cuda (1200 of 1466 nodes, cpu 266)");
        assert_eq!(heard.main(), Some(Provider::Cuda));
        assert!(heard.uses(Provider::Cpu) && !heard.uses(Provider::OpenVino));
    }

    #[test]
    fn providers_that_take_nothing() {
        let spread = Spread(vec![(Provider::Cuda, 9), (Provider::Cpu, 1)]);
        assert!(spread.leaves_out(&[Provider::OpenVino]));
        assert!(!spread.leaves_out(&[Provider::OpenVino, Provider::Cuda]), "one of them does");
        assert!(!spread.leaves_out(&[]), "the CPU alone was named");
        assert!(!Spread::default().leaves_out(&[Provider::OpenVino]), "it was not told");
    }
}
