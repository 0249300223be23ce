//! PostgreSQL reached by TLS.

use crate::common::{Installation, told};
use std::path::Path;
use std::process::Command;

/// A PostgreSQL of the test's own that lets nobody in without TLS, stopped at the end.
struct Server(String);

fn tool(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/postgres.sh");
    let done = Command::new(script)
        .args(arguments)
        .output()
        .expect("tools/postgres.sh");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        tool(&["stop", &self.0]);
    }
}

#[test]
fn a_database_is_reached_by_tls_and_its_certificate_is_checked() {
    let server = Server(format!("tls-{}", std::process::id()));
    let url = tool(&["start", &server.0, "tls"]);
    let (address, _) = url.split_once('?').expect("an address with settings");
    let by = |url: &str| Installation::new().with("KABINET_DATABASE_URL", url);

    // In clear the server refuses; with a certificate that nobody vouches for, or another name, we do.
    for wrong in [
        format!("{address}?sslmode=disable"),
        format!("{address}?sslmode=verify-full"),
        url.replace("127.0.0.1", "localhost"),
    ] {
        let output = by(&wrong).run(&["migrate"]);
        assert!(!output.status.success(), "{wrong}: {}", told(&output));
    }
    by(&url).succeed(&["migrate"]);
    let said = by(&url).succeed(&["migrate", "--check"]);
    assert!(said.starts_with("The database has schema "), "{said}");
}
