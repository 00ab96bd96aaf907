-- Sandboxes and simulated cases are no work and no evidence for what is real: test
-- cases leave the queue of reviews, and what removed simulated cases left behind in
-- scores and figures goes. Two indexes answer what watches a canary.
-- +goose Up
DELETE FROM review_queue WHERE session IN (SELECT id FROM sessions WHERE substr(tenant, length(tenant) - 4) = ':test');

-- Figures are counted again where a removal has left some.
DELETE FROM figures WHERE EXISTS (SELECT 1 FROM case_scores c WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = c.session));
DELETE FROM vault_state WHERE name LIKE 'figures_counted%'
    AND EXISTS (SELECT 1 FROM case_scores c WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = c.session));
DELETE FROM case_scores WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = case_scores.session);

CREATE INDEX sessions_under_policy ON sessions (policy_hash, created_at);
CREATE INDEX decisions_at ON decisions (decider, at);

-- +goose Down
DROP INDEX decisions_at;
DROP INDEX sessions_under_policy;
