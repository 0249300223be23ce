-- Files of requests are opened by a right of their own. Whoever could open them before still can: by a request, or in the cabinet as its
-- customer sees it. The same version exists for the other engine.
UPDATE roles SET rights = rights || '["documents"]'
    WHERE (rights @> '["requests"]' OR rights @> '["view_as"]') AND NOT rights @> '["documents"]';
