/** Where user code calls us, for what it registers and what is wrong with it. */
import { dirname } from "node:path";

import type { Place } from "../core/errors";

const ownFolder = dirname(__dirname);
const position = /\(?((?:file:\/\/)?[^\s()]+):(\d+):(\d+)\)?$/;

/** The first frame of the stack that is not in the package. */
export function callerPlace(): Place | undefined {
  const frames = (new Error().stack ?? "").split("\n").slice(1);
  const frame = frames.find((line) => !line.includes(ownFolder));
  const [, file, line, column] = position.exec(frame ?? "") ?? [];
  if (file === undefined) return undefined;
  return { file: file.replace(/^file:\/\//, ""), line: Number(line), column: Number(column) };
}
