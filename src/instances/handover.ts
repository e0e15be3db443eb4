/**
 * Who serves a connection to the port that workers share. The parent accepts, and hands each connection to the worker
 * that has the fewest. It keeps its own end of the socket until the worker says that it has taken it: a worker that
 * dies before that loses none, and one that is blocked is given one at most. Pure policy: it knows no process.
 */
import type { Clock } from "../core/clock";

/** A connection, as far as this is concerned. */
export interface Connection {
  /** Closes this end. */
  destroy(): unknown;
}

export interface Taker<C extends Connection> {
  /** Sends it there. */
  give(id: number, connection: C): void;
}

export interface HandoverOptions<C extends Connection> {
  clock: Clock;
  /** Answers a connection that nobody can serve. */
  refuse(connection: C): void;
}

export interface Handover<C extends Connection> {
  /** Somebody has connected. */
  add(connection: C): void;
  /** May be given connections from now on. */
  join(taker: Taker<C>): void;
  /** Is given no more of them; those it has it keeps. */
  leave(taker: Taker<C>): void;
  /** Is gone: what it had not taken goes to another. */
  lose(taker: Taker<C>): void;
  taken(taker: Taker<C>, id: number): void;
  /** It is leaving, and has not touched it. */
  refused(taker: Taker<C>, id: number): void;
  closed(taker: Taker<C>, count: number): void;
  /** Resolves when none waits and all are taken. */
  settled(): Promise<void>;
  /** Refuses what waits, and all that come. */
  close(): void;
}

const waitingAtMost = 1_000;
const waitsFor = 30_000; // ms

interface Member<C> {
  /** Connections it has taken or been given. */
  open: number;
  given: { id: number; connection: C } | undefined;
  isLeaving: boolean;
}

export function createHandover<C extends Connection>({ clock, refuse }: HandoverOptions<C>): Handover<C> {
  const members = new Map<Taker<C>, Member<C>>();
  const waiting = new Map<C, () => void>(); // in the order of arrival, with what stops their clocks
  let last = 0;
  let isClosed = false;
  let settle: (() => void) | undefined;

  function wait(connection: C, { first = false } = {}): void {
    const stopClock = clock.after(waitsFor, () => {
      waiting.delete(connection);
      refuse(connection);
      noteSettled();
    });
    const others = first ? [...waiting] : [];
    if (first) waiting.clear();
    waiting.set(connection, stopClock);
    for (const [other, stop] of others) waiting.set(other, stop);
  }

  function serve(): void {
    for (const [connection, stopClock] of waiting) {
      const best = freest(members);
      if (!best) break;
      const [taker, member] = best;
      waiting.delete(connection);
      stopClock();
      member.open++;
      member.given = { id: ++last, connection };
      taker.give(last, connection);
    }
    noteSettled();
  }

  /** What the member was given, when it is this one. */
  function takeBack(member: Member<C> | undefined, id?: number): C | undefined {
    const { given } = member ?? {};
    if (!member || !given || (id !== undefined && given.id !== id)) return undefined;
    member.given = undefined;
    return given.connection;
  }

  function again(connection: C | undefined): void {
    if (connection && isClosed) refuse(connection);
    else if (connection) wait(connection, { first: true });
    serve();
  }

  const isSettled = () => waiting.size === 0 && [...members.values()].every(({ given }) => !given);
  const noteSettled = () => {
    if (settle && isSettled()) settle();
  };

  return {
    add(connection) {
      if (isClosed || waiting.size >= waitingAtMost) return refuse(connection);
      wait(connection);
      serve();
    },
    join(taker) {
      members.set(taker, { open: 0, given: undefined, isLeaving: false });
      serve();
    },
    leave(taker) {
      const member = members.get(taker);
      if (member) member.isLeaving = true;
    },
    lose(taker) {
      const connection = takeBack(members.get(taker));
      members.delete(taker);
      again(connection);
    },
    taken(taker, id) {
      takeBack(members.get(taker), id)?.destroy(); // the worker's end stays open
      serve();
    },
    refused(taker, id) {
      const member = members.get(taker);
      if (member) member.open--;
      again(takeBack(member, id));
    },
    closed(taker, count) {
      const member = members.get(taker);
      if (member) member.open -= count;
    },
    settled() {
      return new Promise((resolve) => {
        settle = resolve;
        noteSettled();
      });
    },
    close() {
      isClosed = true;
      for (const [connection, stopClock] of waiting) {
        stopClock();
        refuse(connection);
      }
      waiting.clear();
      noteSettled();
    },
  };
}

/** The one with the fewest connections, of those that have taken what they were given. */
function freest<C extends Connection>(members: Map<Taker<C>, Member<C>>): [Taker<C>, Member<C>] | undefined {
  let best: [Taker<C>, Member<C>] | undefined;
  for (const [taker, member] of members) {
    if (member.given || member.isLeaving) continue;
    if (!best || member.open < best[1].open) best = [taker, member];
  }
  return best;
}
