//! The only source of chance: seeded streams for behaviour, the operating system for secrets.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chacha20::{ChaCha8Rng, ChaCha20Rng};
use data_encoding::BASE64URL_NOPAD;
use rand::rngs::SysRng;
use rand::{Rng, SeedableRng, TryRng};
use sha2::{Digest, Sha256};
use wire::time::Timestamp;
use zeroize::Zeroize;

use crate::clock::Clock;

/// Bytes fetched from the operating system at a time.
const SYSTEM_BUFFER_BYTES: usize = 4096;

/// A seeded generator; clones share its position, children are independent streams.
#[derive(Clone)]
pub struct Random(Arc<Stream>);

struct Stream {
    seed: [u8; 32],
    generator: Mutex<ChaCha8Rng>,
}

impl Random {
    /// The generator of a run.
    pub fn seeded(seed: u64) -> Self {
        let mut hash = Sha256::new_with_prefix(b"payrig/random/v1/root");
        hash.update(seed.to_be_bytes());
        Self::from_seed(hash.finalize().into())
    }

    fn from_seed(seed: [u8; 32]) -> Self {
        Self(Arc::new(Stream { seed, generator: Mutex::new(ChaCha8Rng::from_seed(seed)) }))
    }

    /// The stream for one purpose: depends on seed and purpose only, not on what was drawn before.
    pub fn child(&self, purpose: &str) -> Self {
        let mut hash = Sha256::new_with_prefix(b"payrig/random/v1/child");
        hash.update(self.0.seed);
        hash.update(purpose.as_bytes());
        Self::from_seed(hash.finalize().into())
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|generator| generator.fill_bytes(&mut bytes));
        bytes
    }

    /// The next 64 bits.
    pub fn u64(&self) -> u64 {
        self.with(Rng::next_u64)
    }

    /// A number below `limit`; zero when the limit is zero.
    pub fn below(&self, limit: u64) -> u64 {
        let scaled = (u128::from(self.u64()) * u128::from(limit)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }

    /// True with the given probability; below 0 counts as 0, above 1 as 1.
    #[expect(clippy::float_arithmetic, reason = "a probability, not money")]
    pub fn chance(&self, probability: f64) -> bool {
        let drawn = u32::try_from(self.u64() >> 32).unwrap_or(u32::MAX);
        f64::from(drawn) < probability * (f64::from(u32::MAX) + 1.0)
    }

    /// Puts a list into a random order.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let limit = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
            let other = usize::try_from(self.below(limit)).unwrap_or(last);
            items.swap(last, other);
        }
    }

    fn with<T>(&self, draw: impl FnOnce(&mut ChaCha8Rng) -> T) -> T {
        draw(&mut self.0.generator.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Random(..)")
    }
}

/// The source of keys, nonces and tokens; clones share it.
#[derive(Clone)]
pub struct Secrets(Arc<SecretSource>);

enum SecretSource {
    System(Mutex<SystemBuffer>),
    Seeded(Box<Mutex<ChaCha20Rng>>),
}

struct SystemBuffer {
    bytes: Vec<u8>,
    used: usize,
}

impl Secrets {
    /// From the operating system.
    pub fn system() -> Self {
        let empty = SystemBuffer { bytes: Vec::new(), used: 0 };
        Self(Arc::new(SecretSource::System(Mutex::new(empty))))
    }

    /// Reproducible: only for worlds that keep nothing. Never for a key that is written to disk.
    pub fn seeded(seed: u64) -> Self {
        Self::seeded_for(seed, "", 0)
    }

    /// Reproducible, for one program and one start of it: a program that starts again must not
    /// repeat the nonces it used before.
    pub fn seeded_for(seed: u64, program: &str, incarnation: u64) -> Self {
        let mut hash = Sha256::new_with_prefix(b"payrig/random/v1/secrets");
        hash.update(seed.to_be_bytes());
        hash.update(incarnation.to_be_bytes());
        hash.update(program.as_bytes());
        let generator = ChaCha20Rng::from_seed(hash.finalize().into());
        Self(Arc::new(SecretSource::Seeded(Box::new(Mutex::new(generator)))))
    }

    /// Whether a seed reproduces what this source gives.
    pub fn is_reproducible(&self) -> bool {
        matches!(*self.0, SecretSource::Seeded(_))
    }

    /// `N` secret bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Fills a buffer with secret bytes.
    pub fn fill(&self, target: &mut [u8]) {
        match &*self.0 {
            SecretSource::Seeded(generator) => {
                generator.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(target);
            }
            SecretSource::System(buffer) => {
                buffer.lock().unwrap_or_else(PoisonError::into_inner).take(target);
            }
        }
    }

    /// A nonce: 16 bytes, base64url without padding.
    pub fn nonce(&self) -> String {
        BASE64URL_NOPAD.encode(&self.bytes::<16>())
    }

    /// A token: the prefix and `length` secret bytes in base64url without padding.
    pub fn token(&self, prefix: &str, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        let mut token = String::from(prefix);
        BASE64URL_NOPAD.encode_append(&bytes, &mut token);
        bytes.zeroize();
        token
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets(..)")
    }
}

impl SystemBuffer {
    fn take(&mut self, target: &mut [u8]) {
        for chunk in target.chunks_mut(SYSTEM_BUFFER_BYTES) {
            if self.bytes.len().saturating_sub(self.used) < chunk.len() {
                self.bytes.resize(SYSTEM_BUFFER_BYTES, 0);
                fill_from_system(&mut self.bytes);
                self.used = 0;
            }
            let end = self.used.saturating_add(chunk.len());
            if let Some(handed_out) = self.bytes.get_mut(self.used..end) {
                chunk.copy_from_slice(handed_out);
                handed_out.zeroize();
            }
            self.used = end;
        }
    }
}

impl Drop for SystemBuffer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// A machine that gives no random bytes cannot make keys: going on would be unsafe.
fn fill_from_system(target: &mut [u8]) {
    if let Err(error) = SysRng.try_fill_bytes(target) {
        tracing::error!(%error, "the operating system gives no random bytes");
        std::process::abort();
    }
}

/// Makes time-ordered ids from the clock and the stream `ids`, of which each kind of id has a child:
/// what happens at the same moment must not change the ids of something else.
#[derive(Clone, Debug)]
pub struct IdGenerator {
    clock: Clock,
    random: Random,
    kinds: Arc<Mutex<HashMap<&'static str, Random>>>,
}

impl IdGenerator {
    /// A generator on its own child stream.
    pub fn new(clock: &Clock, random: &Random) -> Self {
        Self { clock: clock.clone(), random: random.child("ids"), kinds: Arc::default() }
    }

    /// Makes one id: `ids.with(PaymentId::new)`.
    pub fn with<T>(&self, make: impl FnOnce(Timestamp, [u8; 10]) -> T) -> T {
        let kind = std::any::type_name::<T>();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let random = kinds.entry(kind).or_insert_with(|| self.random.child(kind));
        make(self.clock.now(), random.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_purposes_do_not_disturb_each_other() {
        let (one, two) = (Random::seeded(42), Random::seeded(42));
        let expected = one.child("jitter").u64();
        two.u64();
        assert_eq!(two.child("jitter").u64(), expected);
        assert_ne!(two.child("ids").u64(), expected);
        assert_ne!(Random::seeded(43).child("jitter").u64(), expected);
    }

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let random = Random::seeded(1);
        assert_eq!(random.u64(), Random::seeded(1).u64());
        insta::assert_snapshot!(format!("{:?}", Random::seeded(1).bytes::<8>()), @"[163, 234, 89, 186, 190, 67, 243, 67]");
    }

    #[test]
    fn bounded_draws_stay_in_bounds() {
        let random = Random::seeded(7);
        assert_eq!(random.below(0), 0);
        let mut seen = [0_u32; 6];
        for _ in 0..600 {
            seen[usize::try_from(random.below(6)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
        assert!((0..100).all(|_| random.chance(1.0) && !random.chance(0.0)));
        assert!(!random.chance(f64::NAN));
        let hits = (0..1000).filter(|_| random.chance(0.2)).count();
        assert!((120..280).contains(&hits), "{hits}");
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Random::seeded(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn secrets_differ_and_a_seed_reproduces_them() {
        let secrets = Secrets::system();
        assert_ne!(secrets.bytes::<32>(), secrets.bytes::<32>());
        let mut large = vec![0; 3 * SYSTEM_BUFFER_BYTES + 1];
        secrets.fill(&mut large);
        assert!(
            large.chunks(64).all(|chunk| chunk.iter().any(|&byte| byte != 0) || chunk.len() < 8)
        );
        assert_eq!(secrets.nonce().len(), 22);
        assert!(secrets.token("pra_", 32).starts_with("pra_"));
        assert_eq!(secrets.token("pra_", 32).len(), 4 + 43);
        assert_eq!(Secrets::seeded(1).nonce(), Secrets::seeded(1).nonce());
        let (first, again) = (Secrets::seeded_for(1, "a", 0), Secrets::seeded_for(1, "a", 1));
        assert_ne!(first.nonce(), again.nonce());
        assert!(Secrets::seeded(1).is_reproducible() && !secrets.is_reproducible());
        assert!(!format!("{secrets:?}").contains(char::is_numeric));
    }

    #[test]
    fn ids_follow_the_clock() {
        let clock = Clock::virtual_at(Timestamp::from_millis(1_767_225_600_000));
        let ids = IdGenerator::new(&clock, &Random::seeded(1));
        let first = ids.with(wire::ids::PaymentId::new);
        clock.advance(std::time::Duration::from_millis(1)).unwrap();
        assert!(ids.with(wire::ids::PaymentId::new) > first);
    }
}
