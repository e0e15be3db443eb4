import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";

import { type FlagName, flags } from "../../../src/core/flags";
import { readServeFlags, resolveFlags } from "../../../src/core/read-flags";

const values: [flag: FlagName, text: string, value: unknown][] = [
  ["workers", "1", 1],
  ["workers", "999", 999],
  ["workers", "auto", availableParallelism()],
  ["workers", "0", undefined],
  ["workers", "1000", undefined],
  ["workers", "-1", undefined],
  ["workers", "1.5", undefined],
  ["workers", "AUTO", undefined],
  ["port", "0", 0],
  ["port", "8080", 8080],
  ["port", "65535", 65535],
  ["port", "65536", undefined],
  ["port", "-1", undefined],
  ["port", "80.5", undefined],
  ["port", "0x50", undefined],
  ["port", " 80", undefined],
  ["port", "abc", undefined],
  ["grace-period", "10", 10],
  ["grace-period", "0", 0],
  ["grace-period", "0.5", 0.5],
  ["grace-period", "5s", 5],
  ["grace-period", "-1", undefined],
  ["grace-period", "1e3", undefined],
  ["grace-period", "5m", undefined],
  ["grace-period", "2000000", 2_000_000],
  ["grace-period", "2000000.5", undefined],
  ["grace-period", "2147483", undefined],
  ["body-limit", "0", 0],
  ["body-limit", "1024", 1024],
  ["body-limit", "512kb", 512 * 1024],
  ["body-limit", "1.5KB", 1536],
  ["body-limit", "32mb", 32 * 1024 ** 2],
  ["body-limit", "2gb", 2 * 1024 ** 3],
  ["body-limit", "10 b", 10],
  ["body-limit", "3gb", undefined],
  ["body-limit", "1tb", undefined],
  ["body-limit", "-1", undefined],
  ["body-limit", "much", undefined],
  ["signature-type", "http", "http"],
  ["signature-type", "cloudevent", "cloudevent"],
  ["signature-type", "openfunction", "openfunction"],
  ["signature-type", "HTTP", undefined],
  ["verbose", "true", true],
  ["verbose", "TRUE", true],
  ["verbose", "1", true],
  ["verbose", "false", false],
  ["verbose", "0", false],
  ["verbose", "yes", undefined],
  ["verbose", "constructor", undefined],
  ["log-level", "warn", "warn"],
  ["log-level", "trace", undefined],
  ["target", "any.thing", "any.thing"],
];

test("what each kind of option allows", () => {
  for (const [flag, text, value] of values) {
    assert.equal(flags[flag].parse(text), value, `--${flag}=${text}`);
  }
});

test("without arguments and variables the defaults are taken, and nothing counts as given", () => {
  const { values, explicit, warnings } = readServeFlags([], {});

  assert.equal(values.port, 8080);
  assert.equal(values["signature-type"], "http");
  assert.equal(values["body-limit"], 1024 ** 3);
  assert.equal(values["grace-period"], 10);
  assert.equal(values.verbose, false);
  assert.equal(values.target, undefined);
  assert.deepEqual([...explicit], []);
  assert.deepEqual(warnings, []);
});

const precedence: [
  title: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  port: number,
  isExplicit: boolean,
][] = [
  ["the flag", ["--port=1"], { PORT: "2" }, 1, true],
  ["the flag as two words", ["--port", "1"], { PORT: "2" }, 1, true],
  ["the last flag", ["--port=1", "--port=3"], { PORT: "2" }, 3, true],
  ["the variable", [], { PORT: "2" }, 2, true],
  ["the variable where the flag is empty", ["--port="], { PORT: "2" }, 2, true],
  ["the variable where the flag has no value", ["--port"], { PORT: "2" }, 2, true],
  ["the default where both are empty", ["--port="], { PORT: "" }, 8080, false],
];

test("which of flag, variable and default counts", () => {
  for (const [title, args, env, port, isExplicit] of precedence) {
    const { values, explicit } = readServeFlags(args, env);

    assert.equal(values.port, port, title);
    assert.equal(explicit.has("port"), isExplicit, title);
  }
});

test("positional words and what belongs to other commands are passed over", () => {
  const { values, warnings } = readServeFlags(["word", "--target=a", "--", "--target=b", "more"], {});

  assert.equal(values.target, "a");
  assert.deepEqual(warnings, []);
});

test("every unknown flag is a warning with the nearest name, if one is near", () => {
  const args = [
    "--tagret=a",
    "--sorce",
    "b",
    "-z",
    "--toString",
    "--__proto__=c",
    "--mqtt-port=1",
    "--dry-run",
  ];

  const { warnings } = readServeFlags(args, {});

  assert.deepEqual(warnings, [
    'Unknown option "--tagret" is ignored. Did you mean "--target"?',
    'Unknown option "--sorce" is ignored. Did you mean "--source"?',
    'Unknown option "-z" is ignored.',
    'Unknown option "--toString" is ignored.',
    'Unknown option "--__proto__" is ignored.',
    'Unknown option "--mqtt-port" is ignored.',
    'Unknown option "--dry-run" is ignored.',
  ]);
});

test("a flag with one dash is one warning, and says how it is written", () => {
  const { values, warnings } = readServeFlags(["-port=0", "-target", "a", "-z", "-zq", "--host", "-x"], {});

  assert.deepEqual([values.port, values.host], [8080, "-x"]);
  assert.deepEqual(warnings, [
    'Unknown option "-port" is ignored. Did you mean "--port"?',
    'Unknown option "-target" is ignored. Did you mean "--target"?',
    'Unknown option "-z" is ignored.',
    'Unknown option "-zq" is ignored.',
  ]);
});

test("a switch needs no value", () => {
  assert.equal(readServeFlags(["--verbose"], {}).values.verbose, true);
  assert.equal(readServeFlags(["--verbose=false"], { FF_VERBOSE: "true" }).values.verbose, false);
  assert.equal(readServeFlags([], { FF_VERBOSE: "true" }).values.verbose, true);
});

test("a repeatable option becomes a list", () => {
  const { values, explicit } = resolveFlags("dev", new Map([["file", ["a.yaml", "b.yaml"]]]), {});

  assert.deepEqual(values.file, ["a.yaml", "b.yaml"]);
  assert.ok(explicit.has("file"));
});

test("a repeatable option of serve is a list: given several times, or with commas in its variable", () => {
  const env = { FF_IMPORT: "c, d,," };

  assert.deepEqual(readServeFlags(["--import=a", "--import", "b,c"], env).values.import, ["a", "b,c"]);
  assert.deepEqual(readServeFlags(["--import="], env).values.import, ["c", "d"]);
  assert.deepEqual(readServeFlags([], env).values.import, ["c", "d"]);
  assert.equal(readServeFlags([], {}).values.import, undefined);
});

test("a bad value names flag, variable, value and what is allowed; all of them are told", () => {
  const { problems, values } = readServeFlags(["--port=abc", "--log-level=loud", "--target"], {});

  assert.deepEqual(
    problems.map(({ code, message }) => `${code} ${message}`),
    [
      "FF_OPTION_VALUE_MISSING --target needs a value.",
      'FF_OPTION_INVALID The value "abc" of --port (PORT) is not a port from 0 to 65535.',
      'FF_OPTION_INVALID The value "loud" of --log-level (FF_LOG_LEVEL) is not one of debug, info, warn, error.',
    ],
  );
  assert.equal(values.port, 8080);
});
