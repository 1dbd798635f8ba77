//! `[api]`: where it listens, and for whom; what is said about it, to the letter.

use super::{changed, good, refused};
use crate::config::SecretRef;

fn with(settings: &str) -> String {
    changed(&[("\n[[camera]]", &format!("[api]\n{settings}\n\n[[camera]]"))])
}

#[test]
fn other_machines_need_a_token_and_this_one_does_not() {
    for here in ["127.0.0.1:8787", "[::1]:0", "[::ffff:127.0.0.1]:1"] {
        let api = good(&with(&format!("listen = \"{here}\""))).api;
        assert_eq!((api.listen, api.token), (Some(here.parse().unwrap()), None));
    }
    assert_eq!(good(&with("listen = \"\"")).api.listen, None);
    let told = r#"
error: `[api]`: `listen` lets other machines call, and there is no token
 --> stakeout.toml:2:10
  |
2 | listen = "0.0.0.0:8787"
  |          ^^^^^^^^^^^^^^ set `token_file` beside it, or listen at `127.0.0.1`"#;
    assert_eq!(format!("\n{}", refused(&with("listen = \"0.0.0.0:8787\""))), told);
    for there in ["[::]:8787", "10.0.0.5:8787", "[::ffff:10.0.0.5]:8787"] {
        assert!(refused(&with(&format!("listen = \"{there}\""))).contains("there is no token"), "{there}");
    }
    let api = good(&with("listen = \"0.0.0.0:8787\"\ntoken_credential = \"api\"")).api;
    assert!(matches!(api.token, Some(SecretRef::Credential(name)) if name.value == "api"));
}

#[test]
fn a_place_to_listen_at_is_an_address_and_a_port() {
    for wrong in ["localhost:8787", "127.0.0.1", "8787", ":8787", "http://127.0.0.1:8787", "127.0.0.1:99999"] {
        let told = refused(&with(&format!("listen = \"{wrong}\"")));
        assert!(told.starts_with("error: `[api]`: `listen` is no place to listen at\n"), "{told}");
    }
    let told = refused(&with("token_file = \"/a\"\ntoken_credential = \"b\""));
    assert!(told.contains("`token_file` and `token_credential` exclude each other"), "{told}");
}
