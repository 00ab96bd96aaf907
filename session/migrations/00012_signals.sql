-- Risk signals that the relying service stated at creation, as JSON; they select
-- step-up rules.
-- +goose Up
ALTER TABLE sessions ADD COLUMN signals TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE sessions DROP COLUMN signals;
