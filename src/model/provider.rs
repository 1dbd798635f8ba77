//! Which execution providers a model's sessions are tried with.
//!
//! Owns the choice, from what the file names and what the library offers; refuses to try it (`session`). Pure.

use std::path::PathBuf;

use crate::config::{Provider, Providers};

/// Providers to register with a session, in order of preference. The CPU takes what they leave and is not registered.
pub type Way = Vec<Provider>;

/// A provider that is named in the file is not in the library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`execution_providers` names `{provider}`, but `{}` (ONNX Runtime {version}) offers only {}; \
     name one of these, or set `[runtime] onnxruntime` to a library that was built with {provider}",
    library.display(), offered(offers)
)]
pub struct NotOffered {
    /// The first that is missing.
    pub provider: Provider,
    /// The library.
    pub library: PathBuf,
    /// Its version.
    pub version: String,
    /// What it was built with.
    pub offers: Vec<Provider>,
}

fn offered(offers: &[Provider]) -> String {
    crate::config::quoted(offers.iter().map(|provider| provider.as_str()))
}

/// TensorRT is missing on purpose: it takes minutes to build an engine for a graph, which nobody expects of a start.
const AUTOMATIC: [Provider; 2] = [Provider::Cuda, Provider::OpenVino];

/// What to try, the best first. Of named providers there is one way only: they must work. Otherwise the last way is the CPU
/// alone, which always does.
///
/// # Errors
/// The named provider that `offers` lacks.
pub fn ways(wanted: &Providers, offers: &[Provider]) -> Result<Vec<Way>, Provider> {
    match wanted {
        Providers::Named(named) => match named.iter().find(|provider| !offers.contains(provider)) {
            Some(missing) => Err(*missing),
            None => Ok(vec![without_cpu(named)]),
        },
        Providers::Auto => {
            let accelerators = AUTOMATIC.into_iter().filter(|provider| offers.contains(provider));
            Ok(accelerators.map(|provider| vec![provider]).chain([Way::new()]).collect())
        }
    }
}

fn without_cpu(named: &[Provider]) -> Way {
    named.iter().copied().filter(|provider| *provider != Provider::Cpu).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Provider::{Cpu, Cuda, OpenVino, TensorRt};

    #[test]
    fn the_choice() {
        let auto = |offers: &[Provider]| ways(&Providers::Auto, offers).unwrap();
        assert_eq!(auto(&[Cpu]), [vec![]]);
        assert_eq!(auto(&[Cpu, OpenVino, Cuda, TensorRt]), [vec![Cuda], vec![OpenVino], vec![]]);
        assert_eq!(auto(&[TensorRt, Cpu]), [vec![]], "TensorRT only where it is asked for");
        let named = |named: &[Provider], offers: &[Provider]| ways(&Providers::Named(named.to_vec()), offers);
        assert_eq!(named(&[TensorRt, Cuda, Cpu], &[Cpu, Cuda, TensorRt]), Ok(vec![vec![TensorRt, Cuda]]));
        assert_eq!(named(&[Cpu], &[Cuda, Cpu]), Ok(vec![vec![]]));
        assert_eq!(named(&[Cuda, OpenVino, Cpu], &[Cuda, Cpu]), Err(OpenVino));
    }

    #[test]
    fn what_is_missing_is_told_with_what_is_there() {
        let (library, version) = (PathBuf::from("/usr/lib/stakeout/libonnxruntime.so"), "1.31.1".to_owned());
        let missing = NotOffered { provider: Cuda, library, version, offers: vec![OpenVino, Cpu] };
        assert_eq!(
            missing.to_string(),
            "`execution_providers` names `cuda`, but `/usr/lib/stakeout/libonnxruntime.so` (ONNX Runtime 1.31.1) offers \
             only `openvino`, `cpu`; name one of these, or set `[runtime] onnxruntime` to a library that was built with cuda"
        );
    }

    fn any_of_them() -> impl Strategy<Value = Vec<Provider>> {
        proptest::sample::subsequence(Provider::ALL.to_vec(), 0..=4).prop_shuffle()
    }

    proptest! {
        #[test]
        fn the_automatic_choice_takes_only_what_is_offered_and_ends_with_the_cpu(offers in any_of_them()) {
            let ways = ways(&Providers::Auto, &offers).unwrap();
            prop_assert!(ways.iter().flatten().all(|provider| offers.contains(provider)));
            prop_assert_eq!(ways.last(), Some(&Way::new()));
            prop_assert_eq!(ways.iter().filter(|way| way.is_empty()).count(), 1);
            prop_assert!(!ways.concat().contains(&TensorRt));
        }

        #[test]
        fn named_ones_are_all_taken_in_their_order_or_refused(named in any_of_them(), offers in any_of_them()) {
            let missing = named.iter().find(|provider| !offers.contains(provider)).copied();
            match ways(&Providers::Named(named.clone()), &offers) {
                Err(refused) => prop_assert_eq!(Some(refused), missing),
                Ok(ways) => {
                    prop_assert_eq!(missing, None);
                    let kept: Way = named.into_iter().filter(|provider| *provider != Cpu).collect();
                    prop_assert_eq!(ways, vec![kept]);
                }
            }
        }
    }
}
