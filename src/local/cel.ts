/** The interpreter of CEL, an ES module, also where such cannot be required. */
import type * as Cel from "@marcbachmann/cel-js";

import { lazyRequire } from "../core/lazy";

const name = "@marcbachmann/cel-js";

/** 25 ms. Inside of Jest, which has neither import() nor require() of ES modules, it is made CommonJS first: 100 ms. */
export function loadCel(): typeof Cel {
  try {
    return lazyRequire(name);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "ERR_REQUIRE_ESM" && !(err instanceof SyntaxError)) throw err;
    return asCommonJs();
  }
}

function asCommonJs(): typeof Cel {
  const { buildSync } = lazyRequire("esbuild") as typeof import("esbuild");
  const entry = lazyRequire.resolve(name);
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    format: "cjs",
    platform: "node",
    write: false,
  });
  const module = { exports: {} as typeof Cel };
  new Function("module", "exports", outputFiles[0]?.text ?? "")(module, module.exports);
  return module.exports;
}
