-- +goose Up

-- The words of titles alone, under the same row ids: to find titles that hold several
-- words by proposal_fts is to read of every text that holds them where they stand.
CREATE VIRTUAL TABLE title_fts USING fts5 (
    title,
    content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2 categories ''L* M* N* Co''', prefix = '1 2 3'
);

-- A virtual table takes part in no cascade.
-- +goose StatementBegin
CREATE TRIGGER wording_untitle AFTER DELETE ON wording BEGIN
    DELETE FROM title_fts WHERE rowid = old.id;
END;
-- +goose StatementEnd
