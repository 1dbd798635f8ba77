//! What the catalogue promises: entries that can be pulled, manifests that are read back, paths that stay inside.

use std::collections::BTreeSet;

use url::Url;

use super::*;

#[test]
fn the_catalogue_can_be_read_and_its_names_differ() {
    let written: Written = toml::from_str(CATALOGUE).unwrap();
    assert_eq!(written.model.len(), entries().len());
    let names: BTreeSet<&str> = entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names.len(), entries().len());
    assert!(names.contains("smolvlm-256m"));
}

#[test]
fn every_entry_is_whole() {
    for entry in entries() {
        let name = &entry.name;
        assert!(!entry.licence.is_empty() && !entry.title.is_empty(), "{name}");
        let varies = entry.files.iter().any(|file| file.path.contains("{precision}"));
        assert_eq!(varies, !entry.precisions.is_empty(), "{name}: precisions and paths go together");
        let mut paths = BTreeSet::new();
        for file in &entry.files {
            let path = file.path(entry.recommended());
            assert!(stays_inside(&path), "{name}: {path}");
            assert!(paths.insert(path), "{name}: the same path twice");
            assert!(file.sha256.as_deref().is_none_or(is_sha256), "{name}: {}", file.path);
        }
        let seen = entry.files.iter().all(|file| file.built_in.is_some() || file.sha256.is_some());
        assert_eq!(entry.verified, seen, "{name}: verified means that the hashes are known");
        let text = entry.manifest(&entry.source, entry.recommended(), &vec!["0".repeat(64); entry.files.len()]);
        let described = Described::parse(&text).unwrap_or_else(|| panic!("{name}: {text}"));
        assert_eq!(described.files.len(), entry.files.len(), "{name}");
        assert_eq!(Source::parse(&described.source).as_ref(), Ok(&entry.source), "{name}");
    }
}

#[test]
fn a_manifest_is_written_out() {
    let entry = find("yolox-nano").unwrap();
    let text = entry.manifest(&entry.source, None, &["a".repeat(64), "b".repeat(64)]);
    assert_eq!(
        text,
        format!(
            r#"# Written by `stakeout models pull`; the hashes are those of the files as they came.
name = "yolox-nano"
family = "detector"
licence = "Apache-2.0"
source = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/"

[files]
model = {{ path = "yolox_nano.onnx", sha256 = "{}" }}
labels = {{ path = "labels.txt", sha256 = "{}" }}

[input]
size = [416, 416]
resize = "letterbox-top-left"
filter = "bilinear"
pad = 114
color = "bgr"
scale = 1.0

[output]
head = "yolox"
score_threshold = 0.3
nms_iou = 0.45
"#,
            "a".repeat(64),
            "b".repeat(64)
        )
    );
}

#[test]
fn sources_lead_to_urls() {
    let hub = Source::parse("hf:org/repo").unwrap();
    assert_eq!(hub.to_string(), "hf:org/repo@main");
    let url = |source: &Source, base: Option<&str>, path: &str| {
        let base = base.map(|base| Url::parse(base).unwrap());
        source.url(base.as_ref(), path).unwrap().to_string()
    };
    assert_eq!(url(&hub, None, "onnx/a.onnx"), format!("{HUB}/org/repo/resolve/main/onnx/a.onnx"));
    assert_eq!(
        url(&hub.at("c0ffee"), Some("http://127.0.0.1:80/mirror"), "a.json"),
        "http://127.0.0.1/mirror/org/repo/resolve/c0ffee/a.json"
    );
    let web = Source::parse("https://example.com/x").unwrap();
    assert_eq!(url(&web, None, "a.onnx"), "https://example.com/x/a.onnx");
    assert_eq!(url(&web, Some("https://mirror.example/y/"), "a.onnx"), "https://mirror.example/y/a.onnx");
}

#[test]
fn what_is_no_source_is_told() {
    for wrong in ["hf:repo", "hf:org/repo/x", "hf:../repo", "hf:org/repo@a b", "hf:org/repo@../x", "hf:/repo"] {
        assert_eq!(Source::parse(wrong), Err(SourceError::Repository(wrong.to_owned())), "{wrong}");
    }
    for wrong in ["", "scripts/yard", "ftp://example.com/", "https://example.com/?x=1", "file:///etc/"] {
        assert_eq!(Source::parse(wrong), Err(SourceError::Unknown(wrong.to_owned())), "{wrong}");
    }
}

#[test]
fn secrets_in_urls_are_refused_and_not_repeated() {
    for secret in ["https://user:t0ken@example.com/", "https://t0ken@example.com/x?y", "http://:t0ken@127.0.0.1/#z"] {
        assert_eq!(Source::parse(secret), Err(SourceError::Credentials), "{secret}");
        let told = mirror(secret).unwrap_err();
        assert_eq!(told, SourceError::Credentials, "{secret}");
        assert!(!told.to_string().contains("t0ken"), "{told}");
    }
    for wrong in ["https://user:t0ken@exa mple/", "file:///t0ken", "https://example.com/?t0ken", "t0ken"] {
        let told = mirror(wrong).unwrap_err().to_string();
        assert!(told.starts_with("`--base-url` ") && !told.contains("t0ken"), "{told}");
    }
    assert_eq!(mirror("http://mirror.lan:8080/x").map(|url| url.to_string()), Ok("http://mirror.lan:8080/x/".into()));
}

#[test]
fn paths_stay_inside() {
    for good in ["a.onnx", "onnx/a.onnx", "a/b/c-d_e.json"] {
        assert!(stays_inside(good), "{good}");
    }
    for bad in ["", "/etc/passwd", "../a", "a/../../b", "a/./b", "./a", "a//b", "a/", "a?b", "a#b", "a\\b", "%2e%2e/a"]
    {
        assert!(!stays_inside(bad), "{bad}");
    }
}

#[test]
fn a_lock_file_reads_back() {
    let file = |model: &str, path: &str, sha256: &str| Locked {
        model: Name::new(model).unwrap(),
        path: path.to_owned(),
        url: "https://example.com/\"quoted\"".to_owned(),
        revision: "c0ffee".to_owned(),
        size: 7,
        sha256: sha256.repeat(64),
    };
    let mut lock = Lock::default();
    lock.take(vec![file("b", "x", "1"), file("a", "y", "2")]);
    lock.take(vec![file("b", "x", "3")]);
    assert_eq!(lock.files, [file("a", "y", "2"), file("b", "x", "3")]);
    assert_eq!(Lock::parse(&lock.text()), Ok(lock.clone()));
    assert_eq!(lock.find(&Name::new("b").unwrap(), "x").unwrap().sha256, "3".repeat(64));
    assert_eq!(lock.revision(&Name::new("a").unwrap()), Some("c0ffee"));
    assert_eq!(lock.revision(&Name::new("c").unwrap()), None);
    assert!(Lock::parse("[[file]]\nmodel = 1\n").unwrap_err().to_string().starts_with("line 2: "));
    assert_eq!(Lock::parse(""), Ok(Lock::default()));
}
