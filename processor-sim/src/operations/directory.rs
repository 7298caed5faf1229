//! Terminals and merchants in memory; a new one is boarded with its first message.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use kit::sqlite::DatabaseError;

use crate::domain::identity::TerminalKey;
use crate::store::{Acceptor, Store};

/// Names of terminals and merchants, and what they stand for.
pub struct Directory {
    terminals: RwLock<Names<TerminalKey>>,
    acceptors: RwLock<Names<Acceptor>>,
}

/// What an (acquirer, name) pair stands for.
type Names<T> = HashMap<String, HashMap<String, T>>;

impl Directory {
    /// Reads the whole directory.
    pub async fn load(store: &Store) -> Result<Self, DatabaseError> {
        let (mut terminals, mut acceptors) = (Names::default(), Names::default());
        for terminal in store.terminals().await? {
            put(&mut terminals, terminal.acquirer_id, terminal.terminal_id, terminal.key);
        }
        for acceptor in store.acceptors().await? {
            put(
                &mut acceptors,
                acceptor.acquirer_id.clone(),
                acceptor.card_acceptor_id.clone(),
                acceptor,
            );
        }
        Ok(Self { terminals: RwLock::new(terminals), acceptors: RwLock::new(acceptors) })
    }

    /// The key of a terminal.
    pub async fn terminal(
        &self,
        store: &Store,
        acquirer_id: &str,
        terminal_id: &str,
    ) -> Result<TerminalKey, DatabaseError> {
        if let Some(key) = get(&self.terminals, acquirer_id, terminal_id) {
            return Ok(key);
        }
        let (acquirer, terminal) = (acquirer_id.to_owned(), terminal_id.to_owned());
        let key = store.board_terminal(acquirer.clone(), terminal.clone()).await?;
        let mut terminals = self.terminals.write().unwrap_or_else(PoisonError::into_inner);
        put(&mut terminals, acquirer, terminal, key);
        Ok(key)
    }

    /// The names (acquirer, terminal) of a key.
    pub fn names_of(&self, key: TerminalKey) -> Option<(String, String)> {
        let terminals = self.terminals.read().unwrap_or_else(PoisonError::into_inner);
        terminals.iter().find_map(|(acquirer, names)| {
            let (terminal, _) = names.iter().find(|(_, known)| **known == key)?;
            Some((acquirer.clone(), terminal.clone()))
        })
    }

    /// A merchant.
    pub async fn acceptor(
        &self,
        store: &Store,
        acquirer_id: &str,
        card_acceptor_id: &str,
    ) -> Result<Acceptor, DatabaseError> {
        if let Some(acceptor) = get(&self.acceptors, acquirer_id, card_acceptor_id) {
            return Ok(acceptor);
        }
        let board = store.board_acceptor(acquirer_id.to_owned(), card_acceptor_id.to_owned());
        let acceptor = board.await?;
        self.remember(&acceptor);
        Ok(acceptor)
    }

    /// A merchant by its row.
    pub fn acceptor_of(&self, id: i64) -> Option<Acceptor> {
        self.all_acceptors().into_iter().find(|acceptor| acceptor.id == id)
    }

    /// Every merchant that has sent a message.
    pub fn all_acceptors(&self) -> Vec<Acceptor> {
        let acceptors = self.acceptors.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Acceptor> =
            acceptors.values().flat_map(|names| names.values().cloned()).collect();
        all.sort_by_key(|acceptor| acceptor.id);
        all
    }

    /// Takes over a merchant as it is now in the database.
    pub fn remember(&self, acceptor: &Acceptor) {
        let mut acceptors = self.acceptors.write().unwrap_or_else(PoisonError::into_inner);
        put(
            &mut acceptors,
            acceptor.acquirer_id.clone(),
            acceptor.card_acceptor_id.clone(),
            acceptor.clone(),
        );
    }
}

fn get<T: Clone>(names: &RwLock<Names<T>>, acquirer: &str, name: &str) -> Option<T> {
    let names = names.read().unwrap_or_else(PoisonError::into_inner);
    names.get(acquirer)?.get(name).cloned()
}

fn put<T>(names: &mut Names<T>, acquirer: String, name: String, value: T) {
    names.entry(acquirer).or_default().insert(name, value);
}
