/** The folder of the sockets goes with the last of them, once nothing starts any more. */
import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";

import { createSocketFolder } from "../../../src/instances/sockets";

test("a socket that is released while others may start stays the business of its process", (t) => {
  const sockets = createSocketFolder();
  t.after(() => sockets.remove());
  const path = sockets.next();
  writeFileSync(path, "");

  sockets.release(path);

  assert.ok(existsSync(path));
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
});

test("after the close the folder goes with the last socket", (t) => {
  const sockets = createSocketFolder();
  t.after(() => sockets.remove());
  const [first, last] = [sockets.next(), sockets.next()];
  for (const path of [first, last]) writeFileSync(path, "");
  sockets.close();

  sockets.release(first);
  assert.deepEqual([existsSync(first), existsSync(last)], [false, true]);

  sockets.release(last);
  assert.ok(!existsSync(dirname(last)));

  sockets.release(last); // twice, and after the end
  sockets.remove();
});
