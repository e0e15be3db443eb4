/**
 * Tells of which of the user's files a module is made, as they are loaded: by `require`, by `import`, and what was
 * wanted and not there. Installed packages and the framework are left out.
 */
import { readFileSync } from "node:fs";
import * as nodeModule from "node:module";
import { dirname, join } from "node:path";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";

import { fingerprintOf } from "../core/fingerprint";
import { canHookInThread, hookImports } from "./import-hooks";
import { isEsModule, isTypeScript } from "./locate";
import { changeResolution } from "./require-hooks";
import type { SourceHooksData, SourceNote } from "./source-import-hooks";
import { isUsers, listenToSources, noteFile, noteMissing } from "./source-notes";
import { staticImportsOf } from "./static-imports";
import { noteUnresolved } from "./unresolved";

export interface SourceNews {
  /** With the fingerprint of what was there just before it was loaded; null for nothing. */
  files: [path: string, fingerprint: string | null][];
  missing: string[];
}

export interface SourceRecorder {
  /** What was noted and not told yet is told now. */
  flush(): void;
  /** What the first `import` needs, ahead of it. */
  beforeImport(): void;
  /** True when something was imported. */
  readonly hasImports: boolean;
  readonly hasTypeScript: boolean;
}

const batchEvery = 20; // ms

/** From now on, for the whole process. */
export function recordSources(tell: (news: SourceNews) => void): SourceRecorder {
  const packages = new Set<string>(); // folders whose package.json is noted
  let files = new Map<string, string | null>();
  let missing = new Set<string>();
  let last = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let drain: (() => void) | undefined;
  let hasTypeScript = false;

  function flush(): void {
    drain?.();
    clearTimeout(timer);
    timer = undefined;
    last = performance.now();
    if (files.size + missing.size === 0) return;
    const news: SourceNews = { files: [...files], missing: [...missing] };
    files = new Map();
    missing = new Set();
    tell(news);
  }

  // A module that blocks for ever is known as well: the first note goes out at once, then one in 20 ms.
  function schedule(): void {
    if (performance.now() - last >= batchEvery) flush();
    else timer ??= setTimeout(flush, batchEvery).unref();
  }

  function note(path: string, fingerprint: string | null): void {
    const isNew = !files.has(path);
    files.set(path, fingerprint);
    if (isNew) notePackageOf(path);
    hasTypeScript ||= isTypeScript(path);
    schedule();
  }

  // The nearest one decides what the file is.
  function notePackageOf(path: string): void {
    for (let folder = dirname(path); !packages.has(folder); folder = dirname(folder)) {
      packages.add(folder);
      const manifest = join(folder, "package.json");
      const fingerprint = fingerprintOf(manifest);
      if (fingerprint !== undefined) return void files.set(manifest, fingerprint);
    }
  }

  function beforeImport(): void {
    if (drain) return;
    const data: SourceHooksData = {};
    drain = () => undefined;
    if (canHookInThread) return hookImports(join(__dirname, "source-import-hooks.js"), data);
    const { port1, port2 } = new MessageChannel();
    const take = (message: SourceNote) =>
      "file" in message ? note(message.file, message.fingerprint) : noteMissing(message.missing);
    port1.on("message", take).unref();
    drain = () => {
      for (let one = receiveMessageOnPort(port1); one; one = receiveMessageOnPort(port1)) take(one.message);
    };
    hookImports<SourceHooksData>(join(__dirname, "source-import-hooks.js"), { port: port2 }, [port2]);
  }

  listenToSources({
    file(path) {
      if (!isUsers(path)) return;
      note(path, fingerprintOf(path, (bytes) => mayImport(path, bytes) && beforeImport()) ?? null);
    },
    missing(path) {
      const fingerprint = fingerprintOf(path);
      if (fingerprint === undefined) missing.add(path);
      else files.set(path, fingerprint); // it is not what was wanted, and may become that
      schedule();
    },
    beforeImport,
  });
  changeResolution({
    missing(specifier, parent) {
      noteUnresolved(specifier, parent);
      return undefined;
    },
  });
  noteRequired();
  return {
    flush,
    beforeImport,
    get hasImports() {
      return drain !== undefined;
    },
    get hasTypeScript() {
      return hasTypeScript;
    },
  };
}

// Every kind of file that `require` reads goes through here.
function noteRequired(): void {
  const prototype = nodeModule.Module.prototype as unknown as { load(file: string): void };
  const original = prototype.load;
  prototype.load = function load(file) {
    noteFile(file);
    if (!canHookInThread && isUsers(file) && isWrittenAsEsModule(file))
      for (const one of staticImportsOf(file)) noteFile(one);
    original.call(this, file);
  };
}

// On Node 20 the hooks cost a thread. The imports of a CommonJS file in TypeScript become `require`, but for `import()`.
function mayImport(path: string, bytes: Buffer): boolean {
  if (path.endsWith(".json") || path.endsWith(".node")) return false;
  const isRequired = isTypeScript(path) && !isEsModule(path);
  return (isRequired ? /\bimport\s*\(/ : /\b(?:import|export)\b/).test(bytes.toString("latin1"));
}

function isWrittenAsEsModule(file: string): boolean {
  if (file.endsWith(".mjs")) return true;
  if (!file.endsWith(".js")) return false;
  try {
    return /^\s*(?:import|export)\b/m.test(readFileSync(file, "latin1"));
  } catch {
    return false; // Node says what is wrong with it
  }
}
