//! Passwords of the people who sign in: random, hashed with argon2id, shown in one place.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use kit::random::Secrets;
use serde_json::{Value, json};

use super::{Account, KeysError};

/// OWASP's smallest set for argon2id. The passwords carry 100 random bits, so that no cost could
/// make guessing them easier or harder; this one keeps the first start short.
const MEMORY_KIB: u32 = 7168;
const PASSES: u32 = 5;

/// Letters and digits that cannot be mistaken for one another: 32, five bits each.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
const GROUPS: usize = 4;
const GROUP_LENGTH: usize = 5;

/// A new account and the hash of its password.
pub(super) struct Person {
    pub account: Account,
    hash: String,
}

/// Makes a password for each of the people (program, name, role), hashing side by side.
pub(super) fn generate(
    secrets: &Secrets,
    people: &[(&str, &str, &str)],
) -> Result<Vec<Person>, KeysError> {
    let accounts: Vec<Account> = people
        .iter()
        .map(|(program, name, role)| Account {
            program: (*program).to_owned(),
            name: (*name).to_owned(),
            role: (*role).to_owned(),
            password: password(secrets),
        })
        .collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = accounts
            .into_iter()
            .map(|account| {
                let salt = secrets.bytes::<16>();
                scope.spawn(move || {
                    let hash = hash(&account.password, &salt)?;
                    Ok(Person { account, hash })
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(KeysError::Password)))
            .collect()
    })
}

/// What the program of these people gets to know.
pub(super) fn operators(people: &[Person], program: &str) -> Vec<Value> {
    people
        .iter()
        .filter(|person| person.account.program == program)
        .map(|person| {
            json!({
                "name": person.account.name,
                "role": person.account.role,
                "password_hash": person.hash,
            })
        })
        .collect()
}

fn password(secrets: &Secrets) -> String {
    let group = || {
        let bytes = secrets.bytes::<GROUP_LENGTH>();
        let letter = |byte: &u8| LETTERS.get(usize::from(byte & 31)).copied().map(char::from);
        bytes.iter().filter_map(letter).collect::<String>()
    };
    (0..GROUPS).map(|_| group()).collect::<Vec<_>>().join("-")
}

fn hash(password: &str, salt: &[u8; 16]) -> Result<String, KeysError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| KeysError::Password)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(password.as_bytes(), salt)
        .map(|hash| hash.to_string())
        .map_err(|_| KeysError::Password)
}
