-- Customers who found out by themselves, each once a day, whatever they did for it. Who looked on the days that are counted is gone:
-- there the larger of the two parts stands, which counts nobody in both. The same version exists for the other engine.
INSERT INTO report_figures (figure, day, store_id, part_id, value)
    SELECT 'alone', day, store_id, part_id, MAX(value) FROM report_figures WHERE figure IN ('chats', 'looks')
    GROUP BY day, store_id, part_id;
