-- +goose Up

-- When the last checkout of a campaign begins, where test terms say so.
ALTER TABLE campaign ADD COLUMN checkouts_until INTEGER;
