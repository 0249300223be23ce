-- Promises of a first answer wait for nobody; staff are told that a request is theirs no more; articles are found by their words. The
-- same version exists for the other engine.

-- A first answer that stood still is owed: the job lets it run on.
UPDATE request_clocks SET next_at = paused_at
    WHERE kind = 'first_answer' AND paused_at IS NOT NULL AND met_at IS NULL AND dropped_at IS NULL;

ALTER TABLE level_notices DROP CONSTRAINT level_notices_kind_check;
ALTER TABLE level_notices ADD CONSTRAINT level_notices_kind_check
    CHECK (kind IN ('warning', 'breach', 'escalation', 'returned', 'given', 'taken'));

-- The words of each article, by which the search of staff finds it. The program puts them together anew where the name is another
-- one than that which they were made of.
ALTER TABLE articles ADD COLUMN indexed TEXT;   -- the folded name that its words were made of
CREATE INDEX articles_unindexed ON articles (id) WHERE COALESCE(indexed, '') <> search;
CREATE TABLE article_words (
    article_id  UUID NOT NULL REFERENCES articles (id),
    word        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (article_id, word)
);
CREATE INDEX article_words_word ON article_words (word, article_id);
