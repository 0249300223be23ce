-- Files of requests are opened by a right of their own. Whoever could open them before still can: by a request, or in the cabinet as its
-- customer sees it. The same version exists for the other engine.
UPDATE roles SET rights = json_insert(rights, '$[#]', 'documents')
    WHERE EXISTS (SELECT 1 FROM json_each(rights) WHERE value IN ('requests', 'view_as'))
    AND NOT EXISTS (SELECT 1 FROM json_each(rights) WHERE value = 'documents');
