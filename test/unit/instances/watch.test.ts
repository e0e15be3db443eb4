/** What counts as a change of a function's files, on a real file system. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import {
  watch as fsWatch,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";

import { realClock } from "../../../src/core/clock";
import { fingerprintOf } from "../../../src/core/fingerprint";
import { createSourceWatch, type WatchOptions } from "../../../src/instances/watch";
import { makeProject } from "../../support/project";
import { until } from "../../support/wait";

/** A watch of a project whose module has loaded these files, and found these missing. */
function setUp(
  t: TestContext,
  files: Record<string, string>,
  {
    loaded = Object.keys(files),
    missing = [] as string[],
    ...options
  }: Partial<WatchOptions> & { loaded?: string[]; missing?: string[] } = {},
) {
  const root = realpathSync(makeProject(t, files));
  const path = (name: string) => join(root, name);
  const told = new EventEmitter();
  const changes: string[][] = [];
  const problems: string[] = [];
  let seen = 0;
  let nothing = 0;
  const watch = createSourceWatch({
    clock: realClock,
    root,
    onSeen: () => void seen++,
    onChange(changed) {
      changes.push(changed.map((file) => relative(root, file)).sort());
      told.emit("told");
    },
    onNothing() {
      nothing++;
      told.emit("told");
    },
    onPolling: (why) => problems.push(why),
    ...options,
  });
  const awake = setInterval(() => undefined, 1_000); // a watch keeps no process alive
  t.after(() => {
    clearInterval(awake);
    watch.stop();
  });
  const report = (names: string[], absent: string[] = []) => ({
    files: names.map((name) => [path(name), fingerprintOf(path(name)) ?? null] as [string, string | null]),
    missing: absent.map(path),
  });
  watch.note("hello-1", report(loaded, missing));
  return {
    watch,
    changes,
    problems,
    path,
    report,
    seen: () => seen,
    write: (name: string, text: string) => writeFileSync(path(name), text),
    /** Resolves when so many changes were told. */
    changed: (count = 1) => until(() => changes.length >= count, told, "told", `${count} changes`),
    settled: (count = 1) => until(() => nothing >= count, told, "told", "it is no change"),
  };
}

test("a write is one change, told with the file", async (t) => {
  const { changes, changed, write, seen } = setUp(t, { "a.js": "1", "lib/b.js": "1" });

  write("lib/b.js", "2");
  await changed();

  assert.deepEqual(changes, [["lib/b.js"]]);
  assert.equal(seen(), 1);
});

test("a burst over 500 files is one change", async (t) => {
  const names = Array.from({ length: 500 }, (_, index) => `lib${index % 10}/${index}.js`);
  const { changes, changed, write } = setUp(t, Object.fromEntries(names.map((name) => [name, "1"])));

  for (const name of names) write(name, "2");
  await changed();

  assert.deepEqual(changes, [[...names].sort()]);
});

test("a touch, the same bytes written again and the same bytes renamed into place are no change", async (t) => {
  const { changes, changed, settled, write, path } = setUp(t, { "a.js": "1", "b.js": "1" });

  utimesSync(path("a.js"), new Date(), new Date());
  await settled(1);
  write("a.js", "1");
  await settled(2);
  write("a.js.tmp", "1");
  renameSync(path("a.js.tmp"), path("a.js"));
  await settled(3);
  write("b.js", "2");
  await changed();

  assert.deepEqual(changes, [["b.js"]]);
});

test("a save by rename is a change, again and again", async (t) => {
  const { changes, changed, write, path } = setUp(t, { "a.js": "1" });

  for (let save = 1; save <= 3; save++) {
    write(".a.js.swp", `saved ${save}`);
    renameSync(path(".a.js.swp"), path("a.js"));
    await changed(save);
  }

  assert.deepEqual(changes, [["a.js"], ["a.js"], ["a.js"]]);
});

test("a save that moves the old file away first is one change", async (t) => {
  const { changes, changed, write, path } = setUp(t, { "a.js": "1" });

  renameSync(path("a.js"), path("a.js~"));
  write("a.js", "");
  write("a.js", "2");
  await changed();

  assert.deepEqual(changes, [["a.js"]]);
});

test("a file that is deleted and one that comes back are changes", async (t) => {
  const { changes, changed, write, path } = setUp(t, { "a.js": "1" });

  rmSync(path("a.js"));
  await changed();
  write("a.js", "1");
  await changed(2);

  assert.deepEqual(changes, [["a.js"], ["a.js"]]);
});

for (const [what, missing, created] of [
  ["as it was named", "gone.json", "gone.json"],
  ["with an ending", "gone", "gone.js"],
  ["in a folder that is not there either", "some/deep/gone", "some/deep/gone.ts"],
  ["one more module of a folder", "plugins/*", "plugins/one.js"],
  ["a package", "node_modules/absent", "node_modules/absent/index.js"],
] as const) {
  test(`a file that was missing comes: ${what}`, async (t) => {
    const { changed, path, write } = setUp(t, { "a.js": "1" }, { missing: [missing] });

    mkdirSync(join(path(created), ".."), { recursive: true });
    write(created, "1");

    await changed();
  });
}

test("files that nobody has loaded are nothing to look at", async (t) => {
  const { changes, changed, write, seen } = setUp(
    t,
    { "a.js": "1", "data.txt": "1", "other.js": "1" },
    { loaded: ["a.js"], missing: ["config"] },
  );

  write("data.txt", "2");
  write("other.js", "2");
  write("config.yaml", "2");
  write("a.js", "2");
  await changed();

  assert.deepEqual(changes, [["a.js"]]);
  assert.equal(seen(), 1);
});

test("a folder that takes the place of another is looked through, and watched from then on", async (t) => {
  const { changes, changed, write, path } = setUp(
    t,
    { "src/deep/a.js": "1", "new/deep/a.js": "2" },
    { loaded: ["src/deep/a.js"] },
  );

  renameSync(path("src"), path("old"));
  renameSync(path("new"), path("src"));
  await changed();
  write("src/deep/a.js", "3");
  await changed(2);

  assert.deepEqual(changes, [["src/deep/a.js"], ["src/deep/a.js"]]);
});

test("what was written between the load and the watch is a change", async (t) => {
  const { watch, changes, changed, report, write } = setUp(
    t,
    { "a.js": "1", "b.js": "1" },
    { loaded: ["a.js"] },
  );
  const late = report(["b.js"]);

  write("b.js", "2");
  watch.note("hello-1", late);
  await changed();

  assert.deepEqual(changes, [["b.js"]]);
});

test("a load that fails loses nothing of what was loaded before; one that serves does", async (t) => {
  const { watch, changes, changed, report, write } = setUp(
    t,
    { "a.js": "1", "b.js": "1", "c.js": "1" },
    { loaded: ["a.js", "b.js"] },
  );

  watch.note("hello-2", report(["a.js"]));
  write("b.js", "2");
  await changed();
  watch.note("hello-3", report(["a.js", "c.js"]));
  watch.keepOnly("hello-3");
  write("b.js", "3");
  write("c.js", "3");
  await changed(2);

  assert.deepEqual(changes, [["b.js"], ["c.js"]]);
});

test("where the system has no watch left, files are looked at instead, and that is said once", async (t) => {
  let attempts = 0;
  const none = () => {
    attempts++;
    throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
  };
  const { problems, changes, changed, write } = setUp(
    t,
    { "a.js": "1", "lib/b.js": "1" },
    { watch: none as unknown as typeof fsWatch },
  );

  write("a.js", "1 and more");
  write("lib/b.js", "2 and more");
  await changed();

  assert.ok(attempts >= 2);
  assert.deepEqual(problems, ["ENOSPC"]);
  assert.deepEqual(changes, [["a.js", "lib/b.js"]]);
});

test("above the bound of folders the others are looked at", async (t) => {
  const { watch, problems, changes, changed, write } = setUp(
    t,
    { "a.js": "1", "lib/b.js": "1", "lib2/c.js": "1" },
    { atMost: 2 },
  );

  write("lib2/c.js", "2 and more");
  await changed();

  assert.deepEqual(problems, ["more than 2 folders"]);
  assert.deepEqual(changes, [["lib2/c.js"]]);
  assert.ok(watch.folders >= 3);
});

test("nothing is watched after the stop", async (t) => {
  const open = new Set<object>();
  const counted = ((...args: Parameters<typeof fsWatch>) => {
    const watcher = fsWatch(...args);
    open.add(watcher);
    watcher.once("close", () => open.delete(watcher));
    return watcher;
  }) as typeof fsWatch;
  const { watch } = setUp(t, { "a.js": "1", "lib/b.js": "1" }, { watch: counted });
  assert.equal(open.size, watch.folders);

  watch.stop();
  watch.stop();
  await new Promise((resolve) => setImmediate(resolve));

  assert.equal(open.size, 0);
  assert.equal(watch.folders, 0);
});

test("1,000 changes end with the last one", async (t) => {
  const told = new EventEmitter();
  let last = "";
  const { path, write } = setUp(
    t,
    { "a.js": "v0" },
    {
      onChange() {
        last = fingerprintOf(path("a.js")) ?? "";
        told.emit("told");
      },
    },
  );

  for (let change = 1; change <= 1_000; change++) {
    write("a.js", `v${change}`);
    if (change % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const wanted = fingerprintOf(path("a.js"));
  await until(() => last === wanted, told, "told", "the last one is told");

  assert.ok(statSync(path("a.js")).size > 0);
});
