// The pages as `app/src/lib.rs` lists them: a new one is in here at once. The browser tests and Lighthouse share the list.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

/** @returns {{ path: string, access: string, forms: number }[]} */
exports.routes = () => {
  const source = readFileSync(join(__dirname, "..", "app", "src", "lib.rs"), "utf8");
  const found = [...source.matchAll(/page!\(\s*"([^"]+)",\s*(\w+),\s*[\w:]+\s*(?:,\s*\[([^\]]*)\])?/g)];
  const forms = (list) => (list ?? "").split(",").filter((form) => form.trim()).length;
  return found.map(([, path, access, list]) => ({ path, access, forms: forms(list) }));
};
