-- The W3C trace context that a row was written under (section 3.2 of the
-- recommendation): what ties a request to the task and the webhook that follow.
-- +goose Up
ALTER TABLE outbox ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE outbox DROP COLUMN traceparent;
