-- What the one search box of staff goes by. The same version exists for the other engine. The words of customers who are there
-- already are written down by the server in the background (crm::find::store::fill).

CREATE TABLE customer_words (
    customer_id  BLOB NOT NULL REFERENCES customers (id),
    word         TEXT NOT NULL,                  -- a word of the name as it sounds: the same in each script and spelling
    PRIMARY KEY (customer_id, word)
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_words_word ON customer_words (word, customer_id);

-- Each word that any customer has, once, under itself and under what is left of it without one of its letters.
CREATE TABLE word_keys (
    key   TEXT NOT NULL,
    word  TEXT NOT NULL,
    PRIMARY KEY (key, word)
) STRICT, WITHOUT ROWID;
CREATE INDEX word_keys_word ON word_keys (word);

-- The last four digits, which people tell most.
CREATE INDEX contacts_ending ON contacts (SUBSTR(value, LENGTH(value) - 3)) WHERE kind = 'phone';
CREATE INDEX cards_ending ON cards (SUBSTR(number, LENGTH(number) - 3));

CREATE INDEX purchases_document ON purchases (document);
