-- Promises of a first answer wait for nobody; staff are told that a request is theirs no more; articles are found by their words. The
-- same version exists for the other engine.

-- A first answer that stood still is owed: the job lets it run on.
UPDATE request_clocks SET next_at = paused_at
    WHERE kind = 'first_answer' AND paused_at IS NOT NULL AND met_at IS NULL AND dropped_at IS NULL;

-- SQLite changes no check: the table is made anew.
CREATE TABLE level_notices_with_taken (
    id          BLOB NOT NULL PRIMARY KEY,
    staff_id    BLOB NOT NULL REFERENCES staff (id),
    at          TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('warning', 'breach', 'escalation', 'returned', 'given', 'taken')),
    request_id  BLOB NOT NULL REFERENCES requests (id),
    read_at     TEXT
) STRICT;
INSERT INTO level_notices_with_taken (id, staff_id, at, kind, request_id, read_at)
    SELECT id, staff_id, at, kind, request_id, read_at FROM level_notices;
DROP TABLE level_notices;
ALTER TABLE level_notices_with_taken RENAME TO level_notices;
CREATE INDEX level_notices_staff ON level_notices (staff_id, at, id);
CREATE INDEX level_notices_unread ON level_notices (staff_id) WHERE read_at IS NULL;
CREATE INDEX level_notices_request ON level_notices (request_id);

-- The words of each article, by which the search of staff finds it. The program puts them together anew where the name is another
-- one than that which they were made of.
ALTER TABLE articles ADD COLUMN indexed TEXT;   -- the folded name that its words were made of
CREATE INDEX articles_unindexed ON articles (id) WHERE COALESCE(indexed, '') <> search;
CREATE TABLE article_words (
    article_id  BLOB NOT NULL REFERENCES articles (id),
    word        TEXT NOT NULL,
    PRIMARY KEY (article_id, word)
) STRICT, WITHOUT ROWID;
CREATE INDEX article_words_word ON article_words (word, article_id);
