-- Whom a screening result is about: the attempt, and a keyed hash of who was
-- searched for. What was recorded before is of the first attempt, the least that it
-- can be, and of nobody that is known: a "clear" of it then clears nobody else.
-- +goose Up
ALTER TABLE screenings ADD COLUMN attempt BIGINT NOT NULL DEFAULT 1;
ALTER TABLE screenings ADD COLUMN subject TEXT NOT NULL DEFAULT '';
DROP INDEX screenings_once;
CREATE UNIQUE INDEX screenings_once ON screenings (session, provider, reference, list, attempt, subject, result);

-- Who has withdrawn consent is compared with nobody, also while a legal hold keeps
-- the evidence.
DELETE FROM subject_marks WHERE session IN (SELECT id FROM sessions WHERE consent LIKE '%"withdrawn_at":%')
    OR session IN (SELECT session FROM outbox WHERE kind = 'erase' AND ref = 'consent_withdrawn');

-- +goose Down
DELETE FROM screenings WHERE id NOT IN (SELECT MIN(id) FROM screenings GROUP BY session, provider, reference, list);
DROP INDEX screenings_once;
CREATE UNIQUE INDEX screenings_once ON screenings (session, provider, reference, list);
ALTER TABLE screenings DROP COLUMN subject;
ALTER TABLE screenings DROP COLUMN attempt;
