/** JSON of the user's: where it is broken, which JSON.parse tells on some Node versions only, and not for every mistake. */

/** A syntax error with its place; line and column start at 1. */
export class JsonSyntaxError extends Error {
  readonly line: number;
  readonly column: number;

  constructor(message: string, text: string, offset: number) {
    const before = text.slice(0, offset).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    super(`${message} (line ${before.length} column ${column})`);
    this.line = before.length;
    this.column = column;
  }
}

/** Error: JsonSyntaxError. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const offset = findError(text);
    const found = offset >= text.length ? "the end" : JSON.stringify(text[offset]);
    throw new JsonSyntaxError(`unexpected ${found}`, text, offset);
  }
}

// RFC 8259. A token that is broken counts as broken where it begins.
const space = /[\x20\t\r\n]*/y;
const scalar =
  /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/uy;

function findError(text: string): number {
  let at = 0;
  const isAt = (character: string) => {
    at += match(space, text, at);
    if (text[at] !== character) return false;
    at++;
    return true;
  };

  /** Reads one value; false when `at` stands at the mistake. */
  function value(): boolean {
    if (isAt("{")) return members("}", () => name() && isAt(":") && value());
    if (isAt("[")) return members("]", value);
    return token();
  }
  const token = () => {
    const length = match(scalar, text, at);
    at += length;
    return length > 0;
  };
  const name = () => {
    at += match(space, text, at);
    return text[at] === '"' && token();
  };
  function members(end: string, member: () => boolean): boolean {
    if (isAt(end)) return true;
    do if (!member()) return false;
    while (isAt(","));
    return isAt(end);
  }

  if (value()) at += match(space, text, at);
  return at;
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}
