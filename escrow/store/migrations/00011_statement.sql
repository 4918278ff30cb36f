-- +goose Up

-- What limits against fraud ask.
CREATE INDEX campaign_by_author ON campaign (author, phase);
CREATE INDEX campaign_payee_by_payee ON campaign_payee (payee);
CREATE INDEX change_released ON change (pledge, n) WHERE status = 'released';
