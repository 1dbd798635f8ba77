//! What is written of many lines.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::time::Mono;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines without what is in front of the message.
fn logged(spared: bool, log: impl FnOnce()) -> Vec<String> {
    logged_by(if spared { Some("trace") } else { None }, log)
}

/// The same, with a filter; None: nothing is filtered nor spared.
fn logged_by(filter: Option<&str>, log: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .with_writer(move || writer.clone());
    let subscriber = tracing_subscriber::registry();
    if let Some(filter) = filter {
        let wanted = Wanted::new(EnvFilter::new(filter));
        let spared = Sparing::new(layer, wanted.clone()).with_filter(wanted);
        tracing::subscriber::with_default(subscriber.with(spared), log);
    } else {
        tracing::subscriber::with_default(subscriber.with(layer), log);
    }
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| timeless(line.trim())).collect()
}

fn fails(endpoint: &str, error: &str, tries: u64) {
    tracing::warn!(endpoint, %error, tries, id = tries.to_string(), "it fails");
}

/// A slow machine takes longer.
fn timeless(line: &str) -> String {
    match line.split_once(" more in the last ").and_then(|(before, rest)| Some((before, rest.split_once(": ")?.1))) {
        Some((before, message)) => format!("{before} more: {message}"),
        None => line.to_owned(),
    }
}

#[test]
fn a_repeated_error_is_said_once_and_then_how_often_it_came() {
    let storm = || {
        (1..=38).for_each(|tries| fails("ops", "refused", tries));
        sum_up();
        sum_up_at_the_end();
    };
    let told = logged(true, storm);
    assert_eq!(
        told,
        [
            r#"WARN it fails endpoint="ops" error=refused tries=1 id="1""#,
            r#"WARN … 37 times more: it fails endpoint="ops" error=refused tries=38 id="38""#,
        ]
    );
    assert_eq!(logged(false, storm).len(), 40, "without the layer every one is written");
}

#[test]
fn different_errors_are_never_taken_for_one() {
    let told = logged(true, || {
        fails("ops", "refused", 1);
        fails("crm", "refused", 1);
        fails("ops", "timed out", 1);
        tracing::warn!(endpoint = "ops", error = "refused", tries = 1, "it fails");
        tracing::error!(endpoint = "ops", error = "refused", tries = 1, "it fails in another way");
    });
    assert_eq!(told.len(), 5, "{told:#?}");
}

#[test]
fn something_new_about_the_same_thing_comes_after_the_summary_of_the_old() {
    let told = logged(true, || {
        fails("ops", "refused", 1);
        fails("ops", "refused", 2);
        fails("crm", "refused", 1);
        fails("ops", "timed out", 3);
        fails("ops", "refused", 4);
    });
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told[2].starts_with("WARN … once more: it fails endpoint=\"ops\" error=refused"), "{told:#?}");
    assert!(told[3].contains("timed out"), "{told:#?}");
}

#[test]
fn what_comes_back_after_a_better_word_is_news() {
    let lost = || tracing::warn!(camera = "dock", "camera offline");
    let back = |camera: &str| tracing::info!(camera, "camera online");
    let told = logged(true, || {
        for _ in 0..3 {
            lost();
            back("dock");
        }
    });
    assert_eq!(told.len(), 6, "{told:#?}");
    let told = logged(true, || {
        for _ in 0..3 {
            lost();
            back("yard");
        }
    });
    assert_eq!(told.len(), 4, "another camera's good news are none of this one's: {told:#?}");
}

#[test]
fn a_better_word_that_is_not_written_counts_all_the_same() {
    let lost = || tracing::warn!(camera = "dock", "camera offline");
    let outage = || {
        lost();
        tracing::info!(camera = "dock", "camera online");
        lost();
        lost();
    };
    let offline = r#"WARN camera offline camera="dock""#;
    assert_eq!(logged_by(Some("warn"), outage), [offline; 2]);
    assert_eq!(logged_by(Some("info"), outage).len(), 3);
    assert_eq!(logged_by(Some("error"), outage), [""; 0]);
}

#[test]
fn what_was_repeated_is_summed_up_whatever_else_is_filtered() {
    let storm = || {
        (1..=3).for_each(|tries| fails("ops", "refused", tries));
        sum_up();
        sum_up_at_the_end();
    };
    let only_here = concat!(module_path!(), "=debug");
    let told = logged_by(Some(only_here), storm);
    assert!(told.len() == 2 && told[1].starts_with("WARN … 2 times more"), "{told:#?}");
    assert_eq!(logged_by(Some("stakeout::sender=debug"), storm), [""; 0], "of others nothing is said");
}

#[test]
fn each_loss_is_told() {
    let rows =
        || (1..=4).for_each(|row| tracing::error!(row = %(row % 3), "a delivery cannot be read; it is not sent"));
    let told = logged(true, rows);
    assert_eq!(told.len(), 3, "{told:#?}");
}

#[test]
fn information_is_never_counted() {
    assert_eq!(logged(true, || (0..9).for_each(|_| tracing::info!("watching"))).len(), 9);
}

#[test]
fn a_summary_comes_every_ten_minutes_and_what_is_over_is_forgotten() {
    let seen: Arc<Mutex<Vec<(&'static Metadata<'static>, Said)>>> = Arc::default();
    struct Tap(Arc<Mutex<Vec<(&'static Metadata<'static>, Said)>>>);
    impl<S: Subscriber> Layer<S> for Tap {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push((event.metadata(), Said::of(event)));
        }
    }
    let subscriber = tracing_subscriber::registry().with(Tap(seen.clone()));
    tracing::subscriber::with_default(subscriber, || (0..40).for_each(|tries| fails("ops", "refused", tries)));
    let mut lines = std::mem::take(&mut *seen.lock().unwrap()).into_iter();
    let mut repeats = Repeats::default();
    let at = |seconds: u64| Mono(0).plus(Duration::from_secs(seconds));
    let mut hear = |repeats: &mut Repeats, seconds| {
        let (metadata, said) = lines.next().unwrap();
        repeats.hear(metadata, said, at(seconds))
    };
    let words = |summaries: Vec<Summary>| -> Vec<String> {
        let message = |it: &Summary| it.said.texts(it.metadata).into_iter().find(|(name, _)| *name == "message");
        summaries.iter().map(|it| message(it).unwrap().1).collect()
    };
    assert!(hear(&mut repeats, 0).is_news);
    assert!((1..=5).all(|n| !hear(&mut repeats, n * 60).is_news));
    assert_eq!(words(repeats.sum_up(at(599))), [""; 0]);
    assert_eq!(words(repeats.sum_up(at(600))), ["… 5 times more in the last 10 min: it fails"]);
    assert!(!hear(&mut repeats, 700).is_news, "it goes on");
    let late = hear(&mut repeats, 1300);
    assert_eq!((late.is_news, words(late.summaries)), (false, vec!["… once more in the last 12 min: it fails".into()]));
    assert_eq!(words(repeats.sum_up(at(1900))), ["… once more in the last 10 min: it fails"]);
    assert_eq!(words(repeats.sum_up(at(2500))), [""; 0], "it is over");
    assert!(hear(&mut repeats, 2501).is_news);
}

#[test]
fn the_memory_is_bounded_and_what_is_forgotten_is_summed_up_first() {
    let told = logged(true, || {
        fails("ops", "refused", 1);
        fails("ops", "refused", 2);
        (0..256).for_each(|n| tracing::warn!(n, "trouble of kind {n}"));
        fails("ops", "refused", 3);
    });
    assert_eq!(told.len(), 1 + 256 + 1 + 1, "the first came twice more: once summed up, once as news");
    assert!(told[256].starts_with("WARN … once more"), "{}", told[256]);
    let long = "x".repeat(5000);
    assert_eq!(logged(true, || (0..3).for_each(|_| tracing::warn!("{long}"))).len(), 3, "too long to be remembered");
}
