/** Which worker gets a connection, and what becomes of those that a worker could not take. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createHandover, type Taker } from "../../../src/instances/handover";
import { createTestClock, settle } from "../../support/clock";

interface Link {
  name: string;
  isDestroyed: boolean;
  destroy(): void;
}

function link(name: string): Link {
  const one: Link = {
    name,
    isDestroyed: false,
    destroy() {
      one.isDestroyed = true;
    },
  };
  return one;
}

interface FakeTaker extends Taker<Link> {
  given: [id: number, name: string][];
  /** Says that it has taken what it was given last. */
  take(): void;
  lastId(): number;
}

function setUp() {
  const clock = createTestClock();
  const refused: string[] = [];
  const handover = createHandover<Link>({ clock, refuse: ({ name }) => refused.push(name) });
  const taker = (): FakeTaker => {
    const one: FakeTaker = {
      given: [],
      give: (id, { name }) => one.given.push([id, name]),
      lastId: () => one.given.at(-1)?.[0] ?? 0,
      take: () => handover.taken(one, one.lastId()),
    };
    handover.join(one);
    return one;
  };
  const namesOf = ({ given }: FakeTaker) => given.map(([, name]) => name);
  return { clock, refused, handover, taker, namesOf };
}

test("each goes to the worker that has the fewest", () => {
  const { handover, taker, namesOf } = setUp();
  const [one, other] = [taker(), taker()];

  for (const name of ["a", "b", "c", "d"]) {
    handover.add(link(name));
    one.take();
    other.take();
  }
  handover.closed(other, 2);
  for (const name of ["e", "f"]) {
    handover.add(link(name));
    other.take();
  }

  assert.deepEqual(namesOf(one), ["a", "c"]);
  assert.deepEqual(namesOf(other), ["b", "d", "e", "f"]);
});

test("a worker that has not taken the last one gets no more: it may be blocked", () => {
  const { handover, taker, namesOf } = setUp();
  const [blocked, other] = [taker(), taker()];

  for (const name of ["a", "b", "c", "d"]) {
    handover.add(link(name));
    if (other.given.length > 0) other.take();
  }

  assert.deepEqual(namesOf(blocked), ["a"]);
  assert.deepEqual(namesOf(other), ["b", "c", "d"]);
});

test("this end is closed when the worker has taken it, not before", () => {
  const { handover, taker } = setUp();
  const one = taker();
  const connection = link("a");

  handover.add(connection);
  const before = connection.isDestroyed;
  handover.taken(one, 99);
  const after99 = connection.isDestroyed;
  one.take();

  assert.deepEqual([before, after99, connection.isDestroyed], [false, false, true]);
});

test("what a worker had not taken when it died goes to another, before those that wait", () => {
  const { handover, taker, namesOf, refused } = setUp();
  const one = taker();
  const connections = ["a", "b", "c"].map(link);
  for (const connection of connections) handover.add(connection);

  handover.lose(one);
  const other = taker();
  for (const _ of connections) other.take();

  assert.deepEqual(namesOf(one), ["a"]);
  assert.deepEqual(namesOf(other), ["a", "b", "c"]);
  assert.deepEqual(refused, []);
  assert.ok(connections.every(({ isDestroyed }) => isDestroyed));
});

test("a worker that leaves gets no more, and what it refuses goes to another", () => {
  const { handover, taker, namesOf } = setUp();
  const [leaving, other] = [taker(), taker()];
  handover.add(link("a"));

  handover.leave(leaving);
  handover.refused(leaving, leaving.lastId());
  for (const name of ["b", "c"]) {
    other.take();
    handover.add(link(name));
  }

  assert.deepEqual(namesOf(leaving), ["a"]);
  assert.deepEqual(namesOf(other), ["a", "b", "c"]);
});

test("without a worker they wait 30 s, and no more than 1,000 of them", async () => {
  const { handover, clock, refused, taker, namesOf } = setUp();
  for (let count = 1; count <= 1_001; count++) handover.add(link(`${count}`));
  assert.deepEqual(refused, ["1001"]);

  await clock.pass(29_999);
  assert.equal(refused.length, 1);
  await clock.pass(1);
  assert.equal(refused.length, 1_001);
  handover.add(link("late"));
  const one = taker();

  assert.deepEqual(namesOf(one), ["late"]);
});

test("it is settled when all are taken; closed, it refuses what waits and what comes", async () => {
  const { handover, refused, taker } = setUp();
  const one = taker();
  let isSettled = false;
  handover.add(link("a"));
  handover.add(link("b"));
  void handover.settled().then(() => {
    isSettled = true;
  });

  one.take();
  await settle();
  assert.equal(isSettled, false);
  one.take();
  await settle();
  assert.equal(isSettled, true);
  handover.add(link("c"));
  handover.add(link("d"));
  handover.close();
  handover.add(link("e"));
  handover.lose(one);

  assert.deepEqual(refused, ["d", "e", "c"]);
});
