//! `/metrics` of the built binary: whether it is the format, and whether it is true.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::appliance::{Appliance, SECRET};
use crate::receiver::{Answer, Receiver};

type Labels = BTreeMap<String, String>;

/// What a scraper would have understood.
#[derive(Debug, Default)]
struct Scrape {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Scrape {
    /// The sample of that name whose labels begin with these.
    fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let holds = |there: &Labels| labels.iter().all(|(key, value)| there.get(*key).is_some_and(|it| it == value));
        let mut found = self.samples.iter().filter(|((its, there), _)| its == name && holds(there));
        let value = *found.next()?.1;
        assert!(found.next().is_none(), "`{name}` {labels:?} is not one sample");
        Some(value)
    }

    fn is(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        assert_eq!(self.get(name, labels), Some(value), "`{name}` {labels:?}");
    }
}

/// Reads OpenMetrics text, or tells which rule it breaks.
fn parse(text: &str) -> Result<Scrape, String> {
    let mut scrape = Scrape::default();
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with `# EOF`")?;
    let mut family: Option<(String, String)> = None;
    for line in body.lines() {
        let broken = |why: &str| format!("{why}: `{line}`");
        if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').ok_or_else(|| broken("no type"))?;
            if scrape.kinds.insert(name.to_owned(), kind.to_owned()).is_some() {
                return Err(broken("a family twice"));
            }
            family = Some((name.to_owned(), kind.to_owned()));
        } else if !line.starts_with("# HELP ") {
            let (name, labels, value) = sample(line).ok_or_else(|| broken("no sample"))?;
            let (family, kind) = family.as_ref().ok_or_else(|| broken("no family"))?;
            if suffixes(kind).is_empty() {
                return Err(broken("an unknown type"));
            }
            if !suffixes(kind).iter().any(|suffix| name == format!("{family}{suffix}")) {
                return Err(broken("a sample outside of its family"));
            }
            if kind != "gauge" && (value < 0.0 || !value.is_finite()) {
                return Err(broken("a count below zero"));
            }
            if scrape.samples.insert((name, labels), value).is_some() {
                return Err(broken("a sample twice"));
            }
        }
    }
    check_histograms(&scrape)?;
    Ok(scrape)
}

/// What the names of a family's samples end with.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_count", "_sum"],
        _ => &[],
    }
}

/// `name{key="value",…} number`
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, told) = match head.split_once('{') {
        None => (head, ""),
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
    };
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut labels = Labels::new();
    let mut rest = told;
    while !rest.is_empty() {
        let (key, quoted) = rest.split_once("=\"")?;
        let end = quoted.find('"')?;
        let fresh = labels.insert(key.to_owned(), quoted[..end].to_owned()).is_none();
        if !is_name(key) || !fresh || quoted[..end].contains('\\') {
            return None;
        }
        rest = &quoted[end + 1..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(',').filter(|rest| !rest.is_empty())?;
        }
    }
    is_name(name).then_some((name.to_owned(), labels, value.parse().ok()?))
}

/// Buckets grow, and the last one holds everything.
fn check_histograms(scrape: &Scrape) -> Result<(), String> {
    for (family, _) in scrape.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
        let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &scrape.samples {
            if *name == format!("{family}_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").and_then(|le| le.parse().ok()).ok_or("a bucket without a bound")?;
                buckets.entry(labels).or_default().push((bound, *value));
            }
        }
        for (labels, mut buckets) in buckets {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let count = scrape.samples.get(&(format!("{family}_count"), labels.clone()));
            let grows = buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1);
            let (bound, all) = *buckets.last().unwrap();
            if !grows || bound != f64::INFINITY || count != Some(&all) {
                return Err(format!("the buckets of `{family}` {labels:?} do not add up: {buckets:?}"));
            }
        }
    }
    Ok(())
}

/// The head in lower case and the body.
fn ask(appliance: &Appliance, path: &str) -> (String, String) {
    let mut stream = UnixStream::connect(appliance.folder.path().join("stakeout.sock")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

fn scrape(appliance: &Appliance) -> Scrape {
    let (head, body) = ask(appliance, "/metrics");
    assert!(head.contains("\r\ncontent-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    parse(&body).unwrap_or_else(|broken| panic!("{broken}\n{body}"))
}

/// The samples that alert rules ask for.
fn asked_for(rules: &str) -> BTreeSet<String> {
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("stakeout_")).map(str::to_owned).collect()
}

/// A clip that shows somebody in the zone, to an endpoint that takes it and one that never does.
fn appliance(takes: &str, refuses: &str) -> Appliance {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/yard.mp4");
    Appliance::new(&format!(
        "[[camera]]\nname = \"yard\"\nurl = \"file://{}\"\n\
         [[monitor]]\nname = \"zone\"\ncamera = \"yard\"\ncondition = \"Is a person inside the marked zone?\"\n\
         model = \"yard-classifier\"\nlabels = [\"person_in_zone\"]\nconfidence_threshold = 0.8\n\
         check_interval = \"100ms\"\ncooldown = \"1h\"\nclear_after = \"1h\"\n\
         [[endpoint]]\nname = \"takes\"\nurl = \"{takes}\"\nsecret_file = \"HERE/ops.secret\"\n\
         [[endpoint]]\nname = \"refuses\"\nurl = \"{refuses}\"\nsecret_file = \"HERE/ops.secret\"\n\
         events = [\"monitor.triggered\"]\nretry = {{ delays = [\"100ms\"], max_age = \"1h\" }}\n",
        clip.display()
    ))
}

#[test]
fn what_prometheus_is_told_is_the_format_and_true() {
    let takes = Receiver::start(|_, _| Answer::status(200));
    let refuses = Receiver::start(|_, _| Answer::status(501));
    let mut appliance = appliance(&takes.url(), &refuses.url());
    appliance.start();
    let sent = [("endpoint", "takes"), ("outcome", "delivered")];
    let dead = [("endpoint", "refuses"), ("outcome", "dead")];
    let ended = "stakeout_deliveries_ended_total";
    appliance.until("an alert that was taken and one that was given up", |it| {
        let told = scrape(it);
        told.get(ended, &sent)?;
        told.get(ended, &dead)
    });
    let told = scrape(&appliance);
    let arrived: BTreeSet<String> =
        takes.arrived().iter().map(|request| request.header("webhook-id").to_owned()).collect();
    assert!(told.get(ended, &sent).unwrap() <= arrived.len() as f64);
    told.is(ended, &dead, 1.0);
    told.is("stakeout_dead_letters", &[("endpoint", "refuses")], 1.0);
    told.is("stakeout_endpoint_failing", &[("endpoint", "refuses")], 1.0);
    told.is("stakeout_endpoint_failing", &[("endpoint", "takes")], 0.0);
    told.is("stakeout_attempt_duration_seconds_count", &[("endpoint", "refuses")], refuses.arrived().len() as f64);
    told.is("stakeout_starts_total", &[], 1.0);
    told.is("stakeout_unclean_starts_total", &[], 0.0);
    told.is("stakeout_clock_synced", &[], 1.0);
    for name in [
        "stakeout_camera_frames_decoded_total",
        "stakeout_camera_packets_total",
        "stakeout_camera_packets_decoded_total",
        "stakeout_monitor_checks_total",
        "stakeout_model_inference_duration_seconds_sum",
        "stakeout_journal_commit_duration_seconds_count",
        "stakeout_journal_disk_free_bytes",
        "stakeout_uptime_seconds",
    ] {
        assert!(told.get(name, &[]).is_some_and(|value| value > 0.0), "{name}");
    }
    let database = appliance.folder.path().join("state/journal.db").metadata().unwrap().len();
    assert!(told.get("stakeout_journal_bytes", &[("part", "database")]).unwrap() <= database as f64);
    told.is("stakeout_monitor_triggers_total", &[("monitor", "zone")], 1.0);

    let manual = include_str!("../../README.md");
    for (family, kind) in &told.kinds {
        let short = family.strip_prefix("stakeout_").expect("every name begins alike");
        let suffix = if kind == "counter" { "_total" } else { "" };
        assert!(manual.contains(&format!("`{short}{suffix}`")), "README.md does not tell of `{family}`");
    }
    let rules = include_str!("../../packaging/prometheus/stakeout.rules.yml");
    let asked = asked_for(rules);
    assert!(asked.len() > 10, "{asked:?}");
    let is_served = |name: &str| {
        told.kinds.iter().any(|(family, kind)| suffixes(kind).iter().any(|it| format!("{family}{it}") == *name))
    };
    assert!(!is_served("stakeout_no_such_thing"));
    for name in &asked {
        assert!(is_served(name), "the alert rules ask for `{name}`, which is not served");
    }
    let text = ask(&appliance, "/metrics").1;
    for secret in [SECRET, "http", "file:", "127.0.0.1", ".secret"] {
        assert!(!text.contains(secret), "`{secret}` is in\n{text}");
    }

    appliance.kill();
    appliance.start();
    let told = scrape(&appliance);
    told.is(ended, &dead, 1.0);
    told.is("stakeout_starts_total", &[], 2.0);
    told.is("stakeout_unclean_starts_total", &[], 1.0);
    appliance.stop();
}

#[test]
fn broken_metrics_are_noticed() {
    let whole = "# HELP a A.\n# TYPE a counter\na_total{b=\"c\"} 1\n# EOF\n";
    assert!(parse(whole).is_ok());
    let histogram = |last: &str, count: &str| {
        format!(
            "# TYPE h histogram\nh_sum 1.0\nh_count {count}\nh_bucket{{le=\"1.0\"}} 1\nh_bucket{{le=\"{last}\"}} 2\n# EOF\n"
        )
    };
    assert!(parse(&histogram("+Inf", "2")).is_ok());
    for broken in [
        whole.replace("# EOF\n", ""),
        whole.replace("a_total", "a"),
        whole.replace("a_total", "9_total"),
        whole.replace(" 1\n", " one\n"),
        whole.replace(" 1\n", " -1\n"),
        whole.replace("b=\"c\"", "b=\"c\",b=\"d\""),
        whole.replace("b=\"c\"", "b=c"),
        whole.replace("a_total{b=\"c\"} 1\n", "a_total 1\na_total 2\n"),
        whole.replace("# HELP", "# TYPE a counter\n# HELP"),
        histogram("2.0", "2"),
        histogram("+Inf", "3"),
    ] {
        assert!(parse(&broken).is_err(), "{broken}");
    }
}
