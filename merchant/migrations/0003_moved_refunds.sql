-- Last four digits of the card that a refund went to, where it took the place of the card that had
-- paid.
ALTER TABLE refunds ADD COLUMN moved_to TEXT;
