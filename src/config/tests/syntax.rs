//! What is no TOML, and what is said about it, to the letter.

use super::{changed, refused};

#[test]
fn a_url_with_a_password_in_the_wrong_place() {
    let source =
        changed(&[("name = \"dock\"\n", "name = \"dock\"\ndecode = \"rtsp://viewer:hunter2@10.0.0.21/stream1\"\n")]);
    let told = r#"
error: camera `dock`: `decode` can't be `rtsp://viewer:*******@10.0.0.21/stream1`
 --> stakeout.toml:4:10
  |
4 | decode = "rtsp://viewer:*******@10.0.0.21/stream1"
  |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ one of `auto`, `all`, `keyframes`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_value_without_quotes() {
    let source = changed(&[("camera = \"dock\"", "camera = dock")]);
    let told = r#"
error: invalid TOML: this is no value
 --> stakeout.toml:8:10
  |
8 | camera = dock
  |          ^^^^ put quotes around it, if it is a string"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_string_without_its_end() {
    let source = changed(&[("camera = \"dock\"", "camera = \"dock")]);
    let told = r#"
error: invalid TOML: invalid basic string
 --> stakeout.toml:8:15
  |
8 | camera = "dock
  |               ^ expected `"`"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn a_key_that_is_set_twice() {
    let source =
        changed(&[("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldown = \"5s\"\ncooldown = \"6s\"\n")]);
    let told = r#"
error: `cooldown` is set twice
  --> stakeout.toml:12:1
   |
12 | cooldown = "6s"
   | ^^^^^^^^ keep one of them"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}

#[test]
fn syntax_errors_do_not_hide_the_rest_nor_passwords() {
    let source = changed(&[
        ("camera = \"dock\"", "camera = dock"),
        ("labels = [\"person\"]\n", "labels = [\"person\"]\ncooldwon = \"5s\"\n"),
        ("rtsp://10.0.0.21/stream1", "rtsp://viewer:hunter2@10.0.0.21/stream1"),
    ]);
    let told = r#"
error: camera `dock`: `url` must not contain credentials
 --> stakeout.toml:4:7
  |
4 | url = "rtsp://viewer:*******@10.0.0.21/stream1"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ leave out what stands before the `@`
  |
  = help: write `username = "viewer"` and `password_file = "/etc/stakeout/cam.pass"` beside it

error: invalid TOML: this is no value
 --> stakeout.toml:8:10
  |
8 | camera = dock
  |          ^^^^ put quotes around it, if it is a string

error: monitor `person`: unknown key `cooldwon`
  --> stakeout.toml:11:1
   |
11 | cooldwon = "5s"
   | ^^^^^^^^ did you mean `cooldown`?"#;
    assert_eq!(format!("\n{}", refused(&source)), told);
}
