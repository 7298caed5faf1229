-- What stands on a cardholder's statement (field 43), as the merchant sent it and as the bank posted it.
ALTER TABLE acquirer_transactions ADD COLUMN descriptor TEXT;
ALTER TABLE issuer_postings ADD COLUMN descriptor TEXT;

-- How far the acquirer lets a merchant's captures exceed their authorization, in percent; the
-- networks have rules of their own.
ALTER TABLE card_acceptors ADD COLUMN over_capture INTEGER NOT NULL DEFAULT 0
    CHECK (over_capture BETWEEN 0 AND 100);
