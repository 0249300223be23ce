//! A device that holds passkeys, in software: it answers as a browser does (W3C Web Authentication, 6 and 7).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const WITH_KEY: u8 = 0x40;

/// A device. What it does is what a test may change.
#[derive(Clone)]
pub struct Authenticator {
    /// The page that the browser shows.
    pub origin: String,
    /// Whether it makes sure of its owner.
    pub verifies: bool,
    /// The answers it has given; a copied device gives the same number twice.
    pub counter: u32,
    keys: Vec<Held>,
}

#[derive(Clone)]
struct Held {
    id: [u8; 16],
    key: SigningKey,
    user: String,
}

impl Authenticator {
    /// A new device before a page of this origin.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.into(),
            verifies: true,
            counter: 0,
            keys: Vec::new(),
        }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        json!({"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false})
            .to_string()
            .into_bytes()
    }

    /// Hash of the party's name, flags, counter.
    fn data(&mut self, party: &str, more: u8) -> Vec<u8> {
        self.counter += 1;
        let verified = if self.verifies { VERIFIED } else { 0 };
        let mut data = Sha256::digest(party).to_vec();
        data.push(PRESENT | verified | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// Makes a key for what a page asks; the answer as JSON.
    ///
    /// # Panics
    /// When the options are none.
    pub fn create(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("options");
        let held = Held {
            id: rand::random(),
            key: SigningKey::from_slice(&rand::random::<[u8; 32]>()).expect("a key"),
            user: options["user"]["id"].as_str().expect("a user").into(),
        };
        let mut data = self.data(options["rp"]["id"].as_str().expect("a party"), WITH_KEY);
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(held.id);
        let point = held.key.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        // COSE: kty EC2, alg ES256, crv P-256, x, y.
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(x);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(y);
        // CBOR: {"fmt": "none", "attStmt": {}, "authData": …}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("short"));
        object.extend(data);
        let id = BASE64.encode(held.id);
        self.keys.push(held);
        let client = self.client_data("webauthn.create", &options);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64.encode(client), "attestationObject": BASE64.encode(object),
                "transports": ["internal"],
            },
        })
        .to_string()
    }

    /// Answers with the newest key; the answer as JSON.
    ///
    /// # Panics
    /// When the options are none, or the device has no key.
    pub fn get(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("options");
        let held = self.keys.last().expect("a key").clone();
        let client = self.client_data("webauthn.get", &options);
        let data = self.data(options["rpId"].as_str().expect("a party"), 0);
        let signed = [data.as_slice(), &Sha256::digest(&client)].concat();
        let signature: Signature = held.key.sign(&signed);
        let id = BASE64.encode(held.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64.encode(client), "authenticatorData": BASE64.encode(data),
                "signature": BASE64.encode(signature.to_der().as_bytes()), "userHandle": held.user,
            },
        })
        .to_string()
    }
}
