-- What becomes of a card, and what its holder wants of it.

-- The card that took its place, and the reference that both share; null: derived from the number.
ALTER TABLE cards ADD COLUMN replaced_by INTEGER REFERENCES cards (id);
ALTER TABLE cards ADD COLUMN par TEXT;
-- The bank wants to speak to the cardholder before it pays anything more.
ALTER TABLE cards ADD COLUMN contact_wanted INTEGER NOT NULL DEFAULT 0
    CHECK (contact_wanted IN (0, 1));
-- The cardholder does not want merchants to hear of changes.
ALTER TABLE cards ADD COLUMN updater_opt_out INTEGER NOT NULL DEFAULT 0
    CHECK (updater_opt_out IN (0, 1));
-- Stop orders, separated by spaces: a code, and the merchant that it is about.
ALTER TABLE cards ADD COLUMN stop_orders TEXT;
