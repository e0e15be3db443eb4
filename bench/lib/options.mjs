import { parseArgs } from "node:util";

import { readerError } from "./errors.mjs";

/** Reads the arguments; says what is allowed when one is not. */
export function readOptions(args, rows) {
  const names = rows.map(({ name }) => name);
  const { rounds, seconds, only, json } = parse(args);
  const chosen = only === undefined ? names : only.split(",");
  const unknown = chosen.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw readerError(`There is no row "${unknown[0]}". Rows: ${names.join(", ")}.`);
  return { json, rounds: count("--rounds", rounds), seconds: count("--seconds", seconds), only: chosen };
}

function parse(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        json: { type: "boolean", default: false },
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "3" },
        only: { type: "string" },
      },
    });
    return values;
  } catch (err) {
    throw readerError(
      `${err.message}\nUsage: npm run bench -- [--json] [--rounds N] [--seconds S] [--only row,row]`,
    );
  }
}

function count(flag, text) {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw readerError(`${flag} "${text}" is not a whole number from 1.`);
  return Number(text);
}
