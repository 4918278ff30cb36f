-- +goose Up

-- All receipts, of pledges and of donations, in the order in which they began. What they
-- say is in other tables.
CREATE TABLE receipt (
	number      INTEGER PRIMARY KEY,
	subject     TEXT    NOT NULL,
	development TEXT -- as it was pinned; a receipt without a pin is in no list of a development
) STRICT;

CREATE UNIQUE INDEX receipt_of_subject ON receipt (subject);
CREATE INDEX receipt_of_development ON receipt (development, number);

-- +goose StatementBegin
CREATE TRIGGER receipt_is_not_changed BEFORE UPDATE ON receipt
BEGIN
	SELECT RAISE(ABORT, 'a receipt keeps its place');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER receipt_is_not_deleted BEFORE DELETE ON receipt
BEGIN
	SELECT RAISE(ABORT, 'a receipt is for ever');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER change_begins_a_receipt AFTER INSERT ON change WHEN NEW.n = 1
BEGIN
	INSERT INTO receipt (subject, development)
	VALUES (NEW.pledge, (SELECT development FROM receipt_pin WHERE pledge = NEW.pledge));
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER donation_begins_a_receipt AFTER INSERT ON donation
BEGIN
	INSERT INTO receipt (subject, development)
	VALUES (NEW.subject, (SELECT development FROM receipt_pin WHERE pledge = NEW.subject));
END;
-- +goose StatementEnd
