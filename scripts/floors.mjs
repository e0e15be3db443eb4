// The one floor table. An import goes to a strictly lower floor or stays in its own room.
// `node scripts/floors.mjs` writes what follows from it, `--check` says whether that is up to date.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const floors = [
  { floor: 0, room: "core", contents: "errors, log, lifecycle, invocation, trace, flags, http, document" },
  {
    floor: 1,
    room: "functions",
    contents: "types, registry, hooks, plugin, start and stop: what user code registers",
  },
  { floor: 1, room: "telemetry", contents: "channels, metrics" },
  { floor: 1, room: "manifest", contents: "Function CR v1beta1 and v1beta2, FUNC_CONTEXT" },
  { floor: 1, room: "control", contents: "loopback JSON server" },
  {
    floor: 2,
    room: "loading",
    contents: "from a module to its functions: locate, load, targets, typescript, plugins",
  },
  { floor: 2, room: "dapr", contents: "protocol, outputs, state, secrets, sdk" },
  { floor: 2, room: "tracing", contents: "OpenTelemetry and SkyWalking, as hooks and subscribers" },
  { floor: 3, room: "signatures", contents: "one file per calling convention, the table, reply" },
  { floor: 4, room: "serving", contents: "server, body, guard, health, inputs over HTTP and gRPC, serve" },
  { floor: 5, room: "instances", contents: "worker, instance, supervisor, scaler, watch" },
  { floor: 5, room: "local", contents: "runtime, api, delivery, broker, components" },
  { floor: 5, room: "kubernetes", contents: "rendered manifests: knative, async, gateway routes" },
  { floor: 6, room: "gateway", contents: "config, match, pipeline, proxy, upstream, plugins" },
  { floor: 6, room: "dashboard", contents: "feed, page" },
  { floor: 6, room: "testing", contents: "doubles for tests of user code: ctx, sidecar, single calls" },
  { floor: 7, room: "dev", contents: "plan, session, events" },
  { floor: 8, room: "cli", contents: "main, help, output formats, screen, commands" },
  { floor: 9, room: "index.ts", contents: "the entry `.`; nobody imports it" },
  { floor: 9, room: "testing.ts", contents: "the entry `./testing`; nobody imports it" },
  { floor: 9, room: "gateway.ts", contents: "the entry `./gateway`; nobody imports it" },
];

const root = new URL("../", import.meta.url);
const rooms = floors.filter(({ room }) => !room.endsWith(".ts"));
const entries = floors
  .filter(({ room }) => room.endsWith(".ts"))
  .map(({ room }) => room.slice(0, -".ts".length));

const written = [
  { file: "biome.floors.grit", text: () => linterPlugin() },
  {
    file: "docs/architecture.md",
    text: (old) => old?.replace(/(<!-- floors -->\n).*(?=<!-- \/floors -->)/s, `$1${picture()}`),
  },
];

if (process.argv[1] === fileURLToPath(import.meta.url)) main({ check: process.argv.includes("--check") });

function main({ check }) {
  const problems = strangers();
  for (const { file, text } of written) {
    const old = read(file);
    const next = text(old);
    if (next === old) continue;
    if (check) problems.push(`${file} is out of date. Run: npm run fix`);
    else writeFileSync(new URL(file, root), next);
  }
  for (const problem of problems) console.error(`floors: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

/** What lies in src/ and has no floor: no rule would hold it. */
function strangers() {
  return readdirSync(new URL("src", root))
    .filter((name) => !floors.some(({ room }) => room === name))
    .map((name) => `src/${name} has no floor. Add a row to scripts/floors.mjs, then run: npm run fix`);
}

/** A Biome plugin that looks at every string that is a relative path, so that no form of import escapes it. */
function linterPlugin() {
  const entry = String.raw`(?:${entries.join("|")})(?:\.[jt]s)?`;
  const rows = rooms.map(({ floor, room }) => {
    const lower = rooms.filter((other) => other.floor < floor).map((other) => other.room);
    const barred = rooms
      .map((other) => other.room)
      .filter((other) => other !== room && !lower.includes(other));
    const target = barred.length > 0 ? `(?:${barred.join("|")})/?|${entry}` : entry;
    const message = `${room} is on floor ${floor}: it may import ${lower.join(", ") || "no other room"}.`;
    return `        and { $room <: r"${room}", $target <: r"${target}", ${report(message)} }`;
  });
  // In the patterns the first and the last "." of a path stand for its quotes.
  return String.raw`language js(typescript);

// Written by scripts/floors.mjs.
or { JsModuleSource(), JsStringLiteralExpression(), JsTemplateExpression(), TsStringLiteralType() } as $path where {
  or {
    and {
      $filename <: r"(?:.*/)?src/([a-z]+)/((?:[^/]+/)*)[^/]+"($room, $folders),
      $path <: r".((?:\.\./)+)([^/]+/?).*."($up, $target),
      or {
        and { $folders <: r"", $up <: r"\.\./" },
        and { $folders <: r"[^/]+/", $up <: r"(?:\.\./){2}" },
        and { $folders <: r"(?:[^/]+/){2}", $up <: r"(?:\.\./){3}" }
      },
      or {
${rows.join(",\n")}
      }
    },
    and {
      $filename <: r"(?:.*/)?src/[^/]+",
      $path <: r".\./${entry}.",
      ${report("Nobody imports the entries.")}
    },
    and {
      $path <: or { JsModuleSource(), TsStringLiteralType() },
      $path <: r".@openfunction/functions-framework(?:/.*)?.",
      ${report("Import the file, not the package: nobody imports the entries.")}
    },
    and {
      $path <: or { r".\./(?:.*/)?\.\./.*.", r".\.\./.*[^/.][^/]*/\.\./.*.", r".(?:\.\./)+(?:src|dist)/.*." },
      ${report("Write the shortest path: this one hides which room it leads to.")}
    },
    and {
      $path <: JsModuleSource(),
      $path <: r".(?:\.\.?/)*\.\.?/?.",
      ${report("Name the file, not the folder.")}
    }
  }
}
`;
}

function report(message) {
  return `register_diagnostic(span=$path, message="${message}", severity="error")`;
}

function picture() {
  const rows = floors
    .toSorted((one, other) => other.floor - one.floor)
    .map(({ floor, room, contents }, index, all) => {
      const label = floor === all[index - 1]?.floor ? "" : String(floor);
      return `${label.padStart(5)}  ${room.padEnd(10)}  ${contents}`;
    });
  return ["```text", "floor  room        contents", ...rows, "```", ""].join("\n");
}

function read(file) {
  return existsSync(new URL(file, root)) ? readFileSync(new URL(file, root), "utf8") : undefined;
}
