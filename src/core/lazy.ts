import { createRequire } from "node:module";

/**
 * Loads a heavy CommonJS package at its place of use. Not `import()`: what is reachable from the package's entries
 * must work inside Jest, which cannot do that.
 */
export const lazyRequire = createRequire(__filename);
