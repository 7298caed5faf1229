-- What networks tell about cards: their account reference, network tokens, and where refunds went.

-- Payment account reference, as the network told it with the approval.
ALTER TABLE attempts ADD COLUMN par TEXT;
-- Last four digits of the network token that paid in the place of the card.
ALTER TABLE attempts ADD COLUMN network_token TEXT;
-- Last four digits of the card that a refund went to, where another one took the card's place.
ALTER TABLE refunds ADD COLUMN moved_to TEXT;
-- The network token of a saved card: where it stands, its name, and its record in the vault.
ALTER TABLE stored_cards ADD COLUMN network_token TEXT;
