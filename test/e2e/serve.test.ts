import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readdir, symlink } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join, resolve } from "node:path";
import { test } from "node:test";

import { type Framework, logLines, runFramework, startFramework } from "./support/framework";
import { request } from "./support/http";
import { createProject } from "./support/projects";

const root = resolve(__dirname, "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const hello = { project: "hello" };

test("the issue's project is served and announced in exactly four lines with the real port", async (t) => {
  const framework = await startFramework(["--target=tryKnative"], hello);
  t.after(framework.stop);

  const you = await request(`${framework.url}/?u=you`);
  const world = await request(framework.url);

  assert.equal(you.text, "Hello, you!");
  assert.equal(world.text, "Hello, World!");
  assert.notEqual(framework.port, 0);
  assert.equal(
    framework.stdout,
    `Serving function...\nFunction: tryKnative\nSignature type: http\nURL: http://localhost:${framework.port}/\n`,
  );
  assert.equal(framework.stderr, "");
});

test("what the function prints is alone on stdout after the banner", async (t) => {
  const framework = await startFramework(["--target=tryAsync", "--signature-type=openfunction"], hello);
  t.after(framework.stop);

  const reply = await request(framework.url, { method: "POST" });

  await framework.says("Data received: {}\n");

  assert.equal(reply.status, 204);
  assert.deepEqual(framework.stdout.split("\n").slice(4), ["Data received: {}", ""]);
});

test("NODE_ENV=production prints no banner", async (t) => {
  const framework = await startFramework(["--target=tryKnative"], {
    ...hello,
    env: { NODE_ENV: "production" },
  });
  t.after(framework.stop);

  const reply = await request(`${framework.url}/?u=you`);

  assert.equal(reply.text, "Hello, you!");
  assert.equal(framework.stdout, "");
});

test("both names of the bin serve", async (t) => {
  const project = await createProject({});
  t.after(project.remove);

  for (const name of ["functions-framework", "functions-framework-nodejs"]) {
    const command = join(project.folder, name);
    await symlink(join(root, manifest.bin[name]), command);
    const framework = await startFramework(["--target=tryKnative"], { ...hello, command });
    t.after(framework.stop);

    const reply = await request(`${framework.url}/?u=${name}`);

    assert.equal(reply.text, `Hello, ${name}!`);
  }
});

test("the command may be named: serve", async (t) => {
  const framework = await startFramework(["serve", "--target=tryKnative"], hello);
  t.after(framework.stop);

  assert.deepEqual(bannerOf(framework), { Function: "tryKnative", "Signature type": "http" });
});

test("--help and --version work in any position and start nothing", async () => {
  const helpCalls = [
    ["--help"],
    ["-h"],
    ["--target=tryKnative", "--port=abc", "--help"],
    ["serve", "--port", "0", "-h"],
  ];
  const versionCalls = [["--version"], ["--target=tryKnative", "--port=abc", "--version"]];

  const helps = await Promise.all(helpCalls.map((args) => runFramework(args, hello)));
  const versions = await Promise.all(versionCalls.map((args) => runFramework(args, hello)));

  for (const { code, stdout, stderr } of helps) {
    assert.equal(code, 0);
    assert.equal(stderr, "");
    for (const text of [
      "--target",
      "[env: FUNCTION_TARGET]",
      "--signature-type",
      "Exit codes",
      "[default: 8080]",
    ])
      assert.ok(stdout.includes(text), `${text} is missing in\n${stdout}`);
  }
  for (const { code, stdout, stderr } of versions)
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${manifest.version}\n`, stderr: "" });
});

test("a command that is mistyped is an error with the name that is meant", async () => {
  for (const [word, meant] of [
    ["serv", "serve"],
    ["dve", "dev"],
    ["Dev", "dev"],
    ["complettion", "completion"],
    ["hepl", "help"],
  ] as const) {
    const ending = await runFramework([word], hello);

    const [line] = logLines(ending.stderr);
    assert.equal(ending.code, 1);
    assert.equal(line?.code, "FF_COMMAND_UNKNOWN");
    assert.equal(line?.hint, `Did you mean "${meant}"?`);
  }
});

test("another first word is a warning, and the function is served all the same", async (t) => {
  for (const [word, hint] of [
    ["index.js", 'The commands are "serve", "dev", "completion", "help".'],
    ["constructor", 'The commands are "serve", "dev", "completion", "help".'],
    ["dir", 'Did you mean "dev"?'],
  ] as const) {
    const framework = await startFramework([word, "--target=tryKnative"], hello);
    t.after(framework.stop);

    const reply = await request(framework.url);
    await framework.says("is no command");

    assert.equal(reply.status, 200);
    assert.deepEqual(
      framework.logs().map(({ level, message }) => [level, message]),
      [["warn", `"${word}" is no command and is ignored. ${hint}`]],
    );
  }
});

test("help as a word prints the help, of a command too", async () => {
  for (const [word, flag] of [
    [["help"], ["--help"]],
    [
      ["help", "dev"],
      ["dev", "--help"],
    ],
    [
      ["help", "completion"],
      ["completion", "--help"],
    ],
    [["help", "nothing"], ["--help"]],
  ] as const) {
    const [asWord, asFlag] = await Promise.all([
      runFramework([...word], hello),
      runFramework([...flag], hello),
    ]);

    assert.deepEqual([asWord.code, asWord.stderr], [0, ""]);
    assert.equal(asWord.stdout, asFlag.stdout);
  }
});

test("an unknown flag is a warning with the nearest name, and the function is served all the same", async (t) => {
  const framework = await startFramework(
    ["--target=tryKnative", "--prot=1", "--constructor=x", "--quite-another-thing"],
    hello,
  );
  t.after(framework.stop);

  const reply = await request(framework.url);
  await framework.says("quite-another-thing");

  assert.equal(reply.status, 200);
  assert.deepEqual(
    framework.logs().map(({ level, message }) => [level, message]),
    [
      ["warn", 'Unknown option "--prot" is ignored. Did you mean "--port"?'],
      ["warn", 'Unknown option "--constructor" is ignored.'],
      ["warn", 'Unknown option "--quite-another-thing" is ignored.'],
    ],
  );
});

const badValues: [flag: string, env: string, value: string, allowed: string][] = [
  ["--port", "PORT", "abc", "a port from 0 to 65535"],
  ["--port", "PORT", "-1", "a port from 0 to 65535"],
  ["--port", "PORT", "65536", "a port from 0 to 65535"],
  [
    "--signature-type",
    "FUNCTION_SIGNATURE_TYPE",
    "HTTP",
    "one of http, cloudevent, event, typed, openfunction",
  ],
  ["--body-limit", "FF_BODY_LIMIT", "5tb", "a size from 0 to 2gb"],
  ["--grace-period", "FF_GRACE_PERIOD", "soon", "a number of seconds"],
  ["--log-level", "FF_LOG_LEVEL", "loud", "one of debug, info, warn, error"],
  ["--log-format", "FF_LOG_FORMAT", "xml", "one of pretty, json"],
  ["--verbose", "FF_VERBOSE", "constructor", "true or false"],
];

test("a value that is not allowed is an error with flag, variable, value and what is allowed", async () => {
  for (const [flag, env, value, allowed] of badValues) {
    const [byFlag, byEnv] = await Promise.all([
      runFramework(["--target=tryKnative", `${flag}=${value}`], hello),
      runFramework(["--target=tryKnative"], { ...hello, env: { [env]: value } }),
    ]);

    for (const { code, stdout, stderr } of [byFlag, byEnv]) {
      const [line, ...more] = logLines(stderr);
      assert.equal(code, 1, flag);
      assert.equal(stdout, "");
      assert.deepEqual(more, []);
      assert.equal(line?.code, "FF_OPTION_INVALID");
      for (const text of [flag, env, `"${value}"`, allowed])
        assert.ok(line?.message.includes(text), `${text} is missing in: ${line?.message}`);
    }
  }
});

test("a bad port creates no socket file", async (t) => {
  const project = await createProject({ "index.js": "exports.function = (req, res) => res.end();\n" });
  t.after(project.remove);

  await runFramework(["--port=abc"], { project: project.folder });

  assert.deepEqual(await readdir(project.folder), ["index.js"]);
});

test("a port that is taken is one line and exit code 1", async (t) => {
  const other = createServer().listen(0);
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;

  const ending = await runFramework(["--target=tryKnative", `--port=${port}`], hello);

  const [line, ...more] = ending.stderr.trimEnd().split("\n");
  assert.equal(ending.code, 1);
  assert.equal(ending.stdout, "");
  assert.deepEqual(more, []);
  assert.match(line ?? "", /FF_PORT_IN_USE/);
  assert.match(line ?? "", new RegExp(`Port ${port} is already in use \\(EADDRINUSE\\)`));
  assert.match(line ?? "", /--port/);
  assert.doesNotMatch(line ?? "", /node:net|dist\//);
});

test("an address that is not this machine's is an error that names it", async () => {
  const ending = await runFramework(["--target=tryKnative", "--port=0", "--host=192.0.2.1"], hello);

  const [line] = logLines(ending.stderr);
  assert.equal(ending.code, 1);
  assert.equal(line?.code, "FF_LISTEN_FAILED");
  assert.match(line?.message ?? "", /192\.0\.2\.1/);
});

test("a flag wins over its variable, a variable over the default, and the last flag over the first", async (t) => {
  const env = { FUNCTION_TARGET: "missing", FUNCTION_SIGNATURE_TYPE: "cloudevent", PORT: "1" };
  const framework = await startFramework(
    ["--target=missing-too", "--target", "tryKnative", "--signature-type=http", "--port=0"],
    { ...hello, env },
  );
  t.after(framework.stop);

  assert.deepEqual(bannerOf(framework), { Function: "tryKnative", "Signature type": "http" });
});

test("variables alone start a function", async (t) => {
  const env = {
    FUNCTION_TARGET: "tryAsync",
    FUNCTION_SIGNATURE_TYPE: "openfunction",
    FUNCTION_SOURCE: "hello",
    PORT: "0",
  };
  const framework = await startFramework([], { project: ".", env });
  t.after(framework.stop);

  assert.deepEqual(bannerOf(framework), { Function: "tryAsync", "Signature type": "openfunction" });
});

test("an empty flag falls through to the variable, an empty variable to the default", async (t) => {
  const env = {
    FUNCTION_TARGET: "tryKnative",
    FUNCTION_SIGNATURE_TYPE: "",
    FUNCTION_SOURCE: "",
    FUNC_CONTEXT: "",
  };
  const framework = await startFramework(["--target=", "--source="], { ...hello, env });
  t.after(framework.stop);

  assert.deepEqual(bannerOf(framework), { Function: "tryKnative", "Signature type": "http" });
});

test("--log-level leaves lines out", async (t) => {
  const talkative = await startFramework(["--target=tryKnative", "--log-level=debug"], hello);
  const silent = await startFramework(["--target=tryKnative", "--log-level=warn"], hello);
  t.after(() => Promise.all([talkative.stop(), silent.stop()]));

  const [said, unsaid] = await Promise.all([talkative.stop(), silent.stop()]);

  assert.deepEqual(
    logLines(said.stderr).map(({ level, message }) => [level, message]),
    [["debug", "Stopping: SIGTERM"]],
  );
  assert.equal(unsaid.stderr, "");
});

test("errors in the pretty format are code, sentence and hint", async () => {
  const ending = await runFramework(["--target=tryKnativ", "--log-format=pretty"], hello);

  assert.equal(ending.code, 1);
  assert.match(
    ending.stderr,
    /^error: FF_TARGET_NOT_FOUND The function "tryKnativ" is not defined by .*\n {2}Did you mean "tryKnative"\?\n$/,
  );
});

function bannerOf({ stdout }: Framework): Record<string, string> {
  const lines = stdout.split("\n").slice(1, 3);
  return Object.fromEntries(lines.map((line) => line.split(": ")));
}
