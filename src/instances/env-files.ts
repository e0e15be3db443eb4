/** Environment files of a function: `NAME=value` lines, read by Node's own rules. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";

import { frameworkError, messageOf } from "../core/errors";

/** All of them as one, later files win; relative paths are meant from `folder`. Error: FF_INSTANCE_ENV_FILE. */
export function readEnvFiles(
  files: readonly string[],
  { folder, function: name }: { folder: string; function: string },
): NodeJS.ProcessEnv {
  return Object.assign({}, ...files.map((file) => readEnvFile(resolve(folder, file), name)));
}

function readEnvFile(file: string, name: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(file, "utf8"));
  } catch (err) {
    const why = (err as NodeJS.ErrnoException).code ?? messageOf(err);
    throw frameworkError("FF_INSTANCE_ENV_FILE", { function: name, file, why }, { cause: err });
  }
}
