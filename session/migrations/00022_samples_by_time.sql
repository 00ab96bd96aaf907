-- Blind checks are counted from a day on: not by reading all of them.
-- +goose Up
CREATE INDEX review_samples_entered ON review_samples (entered_at);

-- +goose Down
DROP INDEX review_samples_entered;
