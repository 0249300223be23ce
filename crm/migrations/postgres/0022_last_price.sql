-- What an article cost last: of its lines the one that was booked last.
DROP INDEX purchase_lines_article;
CREATE INDEX purchase_lines_article ON purchase_lines (article_id, id);
