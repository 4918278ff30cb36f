-- +goose Up

-- Whose database this is. One row, made with the file.
CREATE TABLE instance (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	mode TEXT NOT NULL CHECK (mode IN ('live', 'simulator', 'test')),
	-- epoch counts the openings; who has an older one was overtaken.
	epoch      INTEGER NOT NULL CHECK (epoch > 0),
	created_at INTEGER NOT NULL,
	-- restored_at is when the file was put back from a backup, until it has caught up.
	restored_at INTEGER
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER instance_is_for_ever BEFORE DELETE ON instance
BEGIN
	SELECT RAISE(ABORT, 'an instance is for ever');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER instance_keeps_its_mode BEFORE UPDATE ON instance
WHEN NEW.mode IS NOT OLD.mode OR NEW.id IS NOT OLD.id OR NEW.created_at IS NOT OLD.created_at OR NEW.epoch < OLD.epoch
BEGIN
	SELECT RAISE(ABORT, 'an instance keeps its mode, and its epoch does not fall');
END;
-- +goose StatementEnd
