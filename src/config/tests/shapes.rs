//! Keys, sections and types: bad input of any section, and what is said about it, to the letter.

use super::{changed, refused};

#[test]
fn an_unknown_key_with_what_was_meant() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldwon = \"5s\"\n")]);
    let told = r#"
error: monitor `person`: unknown key `cooldwon`
  --> stakeout.toml:11:1
   |
11 | cooldwon = "5s"
   | ^^^^^^^^ did you mean `cooldown`?"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_unknown_key_like_no_other() {
    let source = changed(&[("name = \"dock\"\n", "name = \"dock\"\ncolour = \"red\"\n")]);
    let told = r#"
error: camera `dock`: unknown key `colour`
 --> stakeout.toml:4:1
  |
4 | colour = "red"
  | ^^^^^^ no such key here; `stakeout config` prints all there are"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn an_unknown_section() {
    let source = changed(&[("[[camera]]", "[[camra]]")]);
    let told = r#"
error: unknown section `camra`
 --> stakeout.toml:2:3
  |
2 | [[camra]]
  |   ^^^^^ did you mean `camera`?

error: monitor `person`: unknown camera `dock`
 --> stakeout.toml:8:10
  |
8 | camera = "dock"
  |          ^^^^^^ there is no `[[camera]]` in this file"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_key_outside_of_any_section() {
    let source = changed(&[("\n[[camera]]", "cooldown = \"5s\"\n\n[[camera]]")]);
    let told = r#"
error: unknown key `cooldown`
 --> stakeout.toml:1:1
  |
1 | cooldown = "5s"
  | ^^^^^^^^ keys belong below a section such as `[device]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_section_that_is_written_as_one_of_a_kind() {
    let source = changed(&[("[[endpoint]]", "[endpoint]")]);
    let told = r#"
error: `endpoint` must be a list of sections
  --> stakeout.toml:12:1
   |
12 | [endpoint]
   | ^^^^^^^^^^ write `[[endpoint]]`: there can be several"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_section_that_is_written_as_one_of_many() {
    let source = changed(&[("\n[[camera]]", "[[storage]]\n\n[[camera]]")]);
    let told = r#"
error: there is only one `[storage]`
 --> stakeout.toml:1:1
  |
1 | [[storage]]
  | ^^^^^^^^^^^ write `[storage]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_number_for_a_duration() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldown = 60\n")]);
    let told = r#"
error: monitor `person`: `cooldown` must be a duration, not an integer
  --> stakeout.toml:11:12
   |
11 | cooldown = 60
   |            ^^ for example `"30s"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_string_for_a_number() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nconfidence_threshold = \"0.8\"\n")]);
    let told = r#"
error: monitor `person`: `confidence_threshold` must be a number, not a string
  --> stakeout.toml:11:24
   |
11 | confidence_threshold = "0.8"
   |                        ^^^^^ for example `0.8`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_string_for_a_list() {
    let source = changed(&[("labels = [\"person\"]", "labels = \"person\"")]);
    let told = r#"
error: monitor `person`: `labels` must be a list, not a string
  --> stakeout.toml:10:10
   |
10 | labels = "person"
   |          ^^^^^^^^ for example `["person"]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_number_among_labels() {
    let source = changed(&[("labels = [\"person\"]", "labels = [\"person\", 3]")]);
    let told = r#"
error: monitor `person`: `labels` must be strings, not an integer
  --> stakeout.toml:10:21
   |
10 | labels = ["person", 3]
   |                     ^ for example `["person"]`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_duration_in_words() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldown = \"5 minutes\"\n")]);
    let told = r#"
error: monitor `person`: `cooldown` is not a duration
  --> stakeout.toml:11:12
   |
11 | cooldown = "5 minutes"
   |            ^^^^^^^^^^^ a whole number and one of `ms`, `s`, `m`, `h`, `d`: for example `"30s"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_size_in_the_wrong_units() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nmax_body = \"256KB\"\n")]);
    let told = r#"
error: endpoint `ops`: `max_body` is not a size
  --> stakeout.toml:14:12
   |
14 | max_body = "256KB"
   |            ^^^^^^^ a whole number and one of `KiB`, `MiB`, `GiB`: for example `"512MiB"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_rate_without_its_time() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\nrate = \"10\"\n")]);
    let told = r#"
error: endpoint `ops`: `rate` is not a rate
  --> stakeout.toml:14:8
   |
14 | rate = "10"
   |        ^^^^ a whole number up to 1000000 and one of `/s`, `/min`, `/h`: for example `"10/s"`; or `"off"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_duration_that_is_too_long() {
    let source = changed(&[("name = \"ops\"\n", "name = \"ops\"\ntimeout = \"2m\"\n")]);
    let told = r#"
error: endpoint `ops`: `timeout` is out of range
  --> stakeout.toml:14:11
   |
14 | timeout = "2m"
   |           ^^^^ must be between `1s` and `30s`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_threshold_above_one() {
    let source = changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\nconfidence_threshold = 80\n")]);
    let told = r#"
error: monitor `person`: `confidence_threshold` is out of range
  --> stakeout.toml:11:24
   |
11 | confidence_threshold = 80
   |                        ^^ must be between 0 and 1"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_missing_key() {
    let source = changed(&[("url = \"rtsp://10.0.0.21/stream1\"\n", "")]);
    let told = r#"
error: camera `dock`: `url` is missing
 --> stakeout.toml:2:1
  |
2 | [[camera]]
  | ^^^^^^^^^^ add `url = "rtsp://10.0.0.21/stream1"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_mask_that_is_one_polygon() {
    let mask = "mask = [[0.7, 0.0], [1.0, 0.0], [1.0, 0.1]]\n";
    let told = r#"
error: camera `dock`: `mask` is one polygon, not a list of them
 --> stakeout.toml:4:8
  |
4 | mask = [[0.7, 0.0], [1.0, 0.0], [1.0, 0.1]]
  |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ one more pair of brackets: `[[[0.7, 0.0], [1.0, 0.0], [1.0, 0.1]]]`"#;
    let source = changed(&[("name = \"dock\"\n", &format!("name = \"dock\"\n{mask}"))]);
    assert_eq!(format!("\n{}", refused(&source)), told);
}
