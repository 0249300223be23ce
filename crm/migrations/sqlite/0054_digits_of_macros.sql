-- The key that carries a macro out at a request. Of those of one owner each has another one. The same version exists for the other
-- engine.
ALTER TABLE macros ADD COLUMN digit INTEGER CHECK (digit BETWEEN 1 AND 9);   -- none: it is only chosen from the menu
CREATE UNIQUE INDEX macros_shared_digit ON macros (digit) WHERE owner_id IS NULL;
CREATE UNIQUE INDEX macros_own_digit ON macros (owner_id, digit) WHERE owner_id IS NOT NULL;
