/** Who gets an instance, who waits, who is turned away: places and a clock, no processes. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type ErrorCode,
  type FrameworkError,
  frameworkError,
  isFrameworkError,
} from "../../../src/core/errors";
import { createLeases, type Lease, type LeaseLimits, type Place } from "../../../src/instances/leases";
import { createScaler } from "../../../src/instances/scaler";
import { createTestClock, settle } from "../../support/clock";

const done = { ok: true, ms: 1 };

function setUp(
  limits: Partial<LeaseLimits> = {},
  { refusal }: { refusal?: () => FrameworkError | undefined } = {},
) {
  const clock = createTestClock();
  const all = { concurrency: 1, queue: 10, queueTimeout: 30, ...limits };
  const scaler = createScaler({ clock, limits: () => ({ min: 0, max: 9, target: 1, idle: 60, ...all }) });
  const demands: number[] = [];
  const shortages: number[] = [];
  const leases = createLeases<Place>({
    function: "hello",
    clock,
    limits: () => all,
    refusal: () => refusal?.(),
    retryAfter: () => 7,
    onShortage: () => shortages.push(leases.waiting),
    onDemand(demand) {
      demands.push(demand);
      scaler.record(demand);
    },
    onRelease: () => undefined,
  });
  const places = new Map<string, Place>();

  /** Asks for a lease and writes down what becomes of it. */
  const events: string[] = [];
  const held = new Map<string, Lease>();
  const aborts = new Map<string, AbortController>();
  function ask(who: string): void {
    const abort = new AbortController();
    aborts.set(who, abort);
    leases.acquire({ signal: abort.signal }).then(
      (lease) => {
        held.set(who, lease);
        events.push(`${who}: ${lease.instance}`);
      },
      (err) => events.push(`${who}: ${isFrameworkError(err) ? `${err.code} ${err.retryAfter}` : err.name}`),
    );
  }
  function add(id: string, generation = 1): void {
    const place = { id, address: `unix:/${id}`, generation, inFlight: 0 };
    places.set(id, place);
    leases.add(place);
  }
  const remove = (id: string) => leases.remove(places.get(id) as Place);
  const give = (who: string) => held.get(who)?.release(done);
  return {
    clock,
    held,
    leases,
    scaler,
    places,
    events,
    demands,
    shortages,
    limits: all,
    ask,
    add,
    remove,
    give,
    aborts,
  };
}

type Scene = ReturnType<typeof setUp>;
type Step = (scene: Scene) => unknown;

const ask =
  (...names: string[]): Step =>
  ({ ask }) =>
    names.forEach(ask);
const add =
  (id: string, generation?: number): Step =>
  (scene) =>
    scene.add(id, generation);
const remove =
  (id: string): Step =>
  (scene) =>
    scene.remove(id);
const give =
  (...names: string[]): Step =>
  (scene) =>
    names.forEach(scene.give);
const abort =
  (who: string): Step =>
  ({ aborts }) =>
    aborts.get(who)?.abort();
const pass =
  (seconds: number): Step =>
  ({ clock }) =>
    clock.pass(seconds * 1000);

const rows: [what: string, limits: Partial<LeaseLimits>, steps: Step[], expected: string[]][] = [
  ["a free place is given at once", {}, [add("x"), ask("a")], ["a: x"]],
  [
    "the one that has least to do is taken",
    { concurrency: 3 },
    [add("x"), add("y"), ask("a", "b", "c"), give("b"), ask("d")],
    ["a: x", "b: y", "c: x", "d: y"],
  ],
  [
    "the newest generation is taken, until it is full",
    { concurrency: 2 },
    [add("old", 1), add("new", 2), ask("a", "b", "c")],
    ["a: new", "b: new", "c: old"],
  ],
  [
    "above the hard limit they wait, and are served in the order of arrival",
    {},
    [add("x"), ask("a", "b", "c", "d"), give("a"), give("b"), give("c")],
    ["a: x", "b: x", "c: x", "d: x"],
  ],
  ["who waits gets the place of a new instance", {}, [ask("a", "b"), add("x"), add("y")], ["a: x", "b: y"]],
  ["a release counts once", {}, [add("x"), ask("a", "b", "c"), give("a", "a", "a")], ["a: x", "b: x"]],
  [
    "nobody is put on an instance that left the rotation",
    { concurrency: 9 },
    [add("x"), ask("a"), remove("x"), ask("b"), give("a"), add("y")],
    ["a: x", "b: y"],
  ],
  [
    "a lease may be released after its instance has died",
    {},
    [add("x"), ask("a", "b"), remove("x"), give("a"), add("y"), ask("c"), give("b")],
    ["a: x", "b: y", "c: y"],
  ],
  [
    "a full waiting room turns away at once",
    { queue: 2 },
    [add("x"), ask("a", "b", "c", "d")],
    ["a: x", "d: FF_INSTANCE_QUEUE_FULL 1"],
  ],
  [
    "a waiting room of nobody serves those for whom there is a place",
    { queue: 0 },
    [ask("a"), add("x"), ask("b")],
    ["a: FF_INSTANCE_QUEUE_FULL 1", "b: x"],
  ],
  [
    "who waits too long is told when to come again",
    { queueTimeout: 5 },
    [add("x"), ask("a", "b"), pass(4), ask("c"), pass(1), give("a")],
    ["a: x", "b: FF_INSTANCE_QUEUE_TIMEOUT 7", "c: x"],
  ],
  [
    "an abort frees the place in the waiting room at once",
    { queue: 1 },
    [add("x"), ask("a", "b"), abort("b"), ask("c", "d"), give("a")],
    ["a: x", "b: AbortError", "d: FF_INSTANCE_QUEUE_FULL 1", "c: x"],
  ],
  [
    "an abort after the lease was granted changes nothing",
    {},
    [add("x"), ask("a"), abort("a"), ask("b"), give("a")],
    ["a: x", "b: x"],
  ],
  [
    "the deadline does not touch who was served",
    { queueTimeout: 5 },
    [ask("a"), add("x"), pass(60), ask("b"), give("a")],
    ["a: x", "b: x"],
  ],
  [
    "a higher limit serves those who wait",
    {},
    [
      add("x"),
      ask("a", "b", "c"),
      ({ limits, leases }) => {
        limits.concurrency = 2;
        leases.serve();
      },
    ],
    ["a: x", "b: x"],
  ],
];

for (const [what, limits, steps, expected] of rows) {
  test(what, async () => {
    const scene = setUp(limits);

    for (const step of steps) {
      await step(scene);
      await settle();
    }

    assert.deepEqual(scene.events, expected);
  });
}

test("what cannot start turns away at once, and those who wait too, but not while an instance is there", async () => {
  const loop = () =>
    frameworkError("FF_INSTANCE_CRASH_LOOP", { function: "hello", deaths: 5 }, { retryAfter: 4 });
  let isLooping = false;
  const { ask, add, events, leases } = setUp({}, { refusal: () => (isLooping ? loop() : undefined) });

  ask("waits");
  await settle();
  isLooping = true;
  leases.refuseAll(loop);
  await settle();
  ask("comes later");
  await settle();
  add("x");
  ask("comes last");
  await settle();

  assert.deepEqual(events, [
    "waits: FF_INSTANCE_CRASH_LOOP 4",
    "comes later: FF_INSTANCE_CRASH_LOOP 4",
    "comes last: x",
  ]);
});

test("a signal that is aborted already asks for nothing", async () => {
  const { leases, add, demands } = setUp();
  add("x");

  await assert.rejects(leases.acquire({ signal: AbortSignal.abort() }), { name: "AbortError" });

  assert.deepEqual(demands, []);
});

test("5,000 who wait are served in order, each once", async () => {
  const { leases, add, places } = setUp({ queue: 5_000, concurrency: 10 });
  const order: number[] = [];
  const served = Array.from({ length: 5_000 }, async (_, number) => {
    const lease = await leases.acquire();
    order.push(number);
    assert.ok((places.get(lease.instance)?.inFlight ?? 0) <= 10);
    await settle();
    lease.release(done);
  });
  const turnedAway = assert.rejects(leases.acquire(), { code: "FF_INSTANCE_QUEUE_FULL" satisfies ErrorCode });
  await turnedAway;

  for (const id of ["x", "y", "z"]) add(id);
  await Promise.all(served);

  assert.deepEqual(
    order,
    Array.from({ length: 5_000 }, (_, number) => number),
  );
  assert.equal(leases.waiting, 0);
  assert.deepEqual(
    [...places.values()].map(({ inFlight }) => inFlight),
    [0, 0, 0],
  );
});

test("the scaler is asked when somebody finds no place, and sees all who hold or want one", async () => {
  const { ask, add, give, aborts, scaler, shortages, demands } = setUp({ concurrency: 2 });

  ask("a");
  await settle();
  assert.deepEqual(shortages, [1]);
  assert.equal(scaler.desired(0), 1);
  for (const who of ["b", "c", "d", "e"]) ask(who);
  assert.equal(scaler.desired(1), 3); // five requests, two at once each
  add("x");
  await settle();
  assert.equal(demands.at(-1), 5);
  give("a");
  aborts.get("e")?.abort();
  await settle();

  assert.equal(demands.at(-1), 3);
});

test("a place where nobody listens goes to nobody else until it is added again", async () => {
  const { ask, add, held, events, places, leases } = setUp({ concurrency: 2 });
  add("a");
  ask("first");
  ask("second");
  await settle();

  held.get("first")?.release({ ok: false, ms: 1, isUnreachable: true });
  ask("third");
  await settle();
  const before = [...events];
  const place = places.get("a") as Place;
  Object.assign(place, { address: "unix:/a-again" });
  leases.add(place);
  await settle();
  held.get("second")?.release({ ok: false, ms: 1, isUnreachable: true }); // of the process before
  ask("fourth");
  await settle();

  assert.deepEqual(before, ["first: a", "second: a"]);
  assert.deepEqual(events.slice(2), ["third: a", "fourth: a"]);
});

test("on hold everybody waits, also for places that are free, and nobody is turned away for want of one", async () => {
  const scene = setUp(
    {},
    { refusal: () => frameworkError("FF_INSTANCE_SCALE", { function: "hello", instances: 1, max: 0 }) },
  );
  scene.add("old");
  const release = scene.leases.hold();
  const other = scene.leases.hold();

  scene.ask("a");
  scene.remove("old");
  scene.ask("b");
  release();
  release();
  await settle();
  assert.deepEqual(scene.events, []);
  scene.add("new", 2);
  other();
  await settle();

  assert.deepEqual(scene.events, ["a: new"]);
  assert.equal(scene.leases.waiting, 1);
});
