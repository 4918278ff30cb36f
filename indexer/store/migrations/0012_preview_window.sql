-- +goose Up

-- Previews in the order in which they open, for an escrow that opens them.
CREATE INDEX attempt_part_opens ON attempt_part (opens_at, uri) WHERE kind = 'preview';
