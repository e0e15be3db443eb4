const row = (name, title, module, atMost) => ({
  name,
  title,
  measure: "reload",
  module,
  servers: [{ name: "dev" }, { name: "node -e 0" }],
  bars: [{ against: "node -e 0", atMost }],
});

/** @type {import("../rows.mjs").Row} */
export const reload = row(
  "reload",
  "a changed file to the first answer of the new code",
  { file: "index.js", text: (version) => `exports.hello = (req, res) => res.send("${version}");\n` },
  2.5,
);

/** @type {import("../rows.mjs").Row} */
export const reloadTypescript = row(
  "reload-ts",
  "the same from TypeScript",
  {
    file: "index.ts",
    text: (version) => `export const hello = (req: object, res: any): void => res.send("${version}");\n`,
  },
  4.2,
);
