/**
 * Who may use which instance of a function, and who waits for one. Pure policy: it knows places, a clock and nothing
 * of processes.
 */
import type { Clock } from "../core/clock";
import { type FrameworkError, frameworkError } from "../core/errors";

/** An instance, as far as its leases are concerned. */
export interface Place {
  readonly id: string;
  /** `unix:PATH` or `tcp:HOST:PORT` */
  readonly address: string;
  /** Those of the highest generation are taken first. */
  readonly generation: number;
  /** Leases that are not released; nobody else changes it. */
  inFlight: number;
}

export interface LeaseResult {
  /** False for a request that failed: by the instance's fault, not the client's. */
  ok: boolean;
  /** Milliseconds that it took. */
  ms: number;
  /** The instance has answered; false when it came to no answer. Default: `ok`. */
  hasAnswer?: boolean;
  /** Nobody listens at the address any more: nobody else gets it. */
  isUnreachable?: boolean;
}

export interface Lease {
  readonly address: string;
  /** Id of the instance. */
  readonly instance: string;
  /** Gives the place back. Twice is fine, and so is after the instance's end. */
  release(result: LeaseResult): void;
}

export interface LeaseLimits {
  /** Leases of one instance at once. */
  concurrency: number;
  /** How many may wait. */
  queue: number;
  /** Seconds that one may wait. */
  queueTimeout: number;
}

export interface LeasesOptions<P extends Place> {
  /** Name of the function, for messages. */
  function: string;
  clock: Clock;
  /** Asked at every use: they may change. */
  limits: () => LeaseLimits;
  /** Why it is useless to wait while there is no place at all; undefined when it is not. */
  refusal: () => FrameworkError | undefined;
  /** Seconds that are told to those who waited for nothing. */
  retryAfter: () => number;
  /** Somebody found no place that is free. */
  onShortage: () => void;
  /** So many use an instance or wait for one now. */
  onDemand: (demand: number) => void;
  onRelease: (place: P, result: LeaseResult) => void;
}

export interface Leases<P extends Place> {
  acquire(options?: { signal?: AbortSignal | undefined }): Promise<Lease>;
  /** Into the rotation; who waits longest takes the first place. */
  add(place: P): void;
  /** Out of it: nobody gets this place any more. Those who have it keep it. */
  remove(place: P): void;
  /** Nobody gets a place before the returned function is called, and nobody is turned away for want of one. */
  hold(): () => void;
  readonly isOnHold: boolean;
  /** Turns away everybody who waits. */
  refuseAll(error: () => FrameworkError): void;
  /** Gives places to those who wait, as far as the limits go. */
  serve(): void;
  readonly waiting: number;
}

interface Waiter<P> {
  take(place: P): void;
  fail(reason: unknown): void;
}

export function createLeases<P extends Place>(options: LeasesOptions<P>): Leases<P> {
  const { function: name, clock, limits, refusal, retryAfter, onShortage, onDemand, onRelease } = options;
  const places = new Set<P>();
  const waiting = new Set<Waiter<P>>(); // in the order of arrival
  let held = 0;
  let holds = 0;

  const freePlace = () => (holds > 0 ? undefined : freest(places, limits().concurrency));
  const tellDemand = () => onDemand(held + waiting.size);

  function grant(place: P): Lease {
    const { address } = place;
    let isReleased = false;
    place.inFlight++;
    held++;
    tellDemand();
    return {
      address,
      instance: place.id,
      release(result) {
        if (isReleased) return;
        isReleased = true;
        place.inFlight--;
        held--;
        if (result.isUnreachable && place.address === address) places.delete(place); // until it is added again
        onRelease(place, result);
        serve();
        tellDemand();
      },
    };
  }

  function wait(signal: AbortSignal | undefined): Promise<Lease> {
    const { queueTimeout } = limits();
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.delete(waiter);
        stopClock();
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter<P> = {
        take(place) {
          leave();
          resolve(grant(place));
        },
        fail(reason) {
          leave();
          tellDemand();
          reject(reason);
        },
      };
      const onAbort = () => waiter.fail(signal?.reason);
      const stopClock = clock.after(queueTimeout * 1000, () => {
        const details = { function: name, seconds: queueTimeout };
        waiter.fail(frameworkError("FF_INSTANCE_QUEUE_TIMEOUT", details, { retryAfter: retryAfter() }));
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      waiting.add(waiter);
      tellDemand();
      onShortage();
    });
  }

  function serve(): void {
    for (const waiter of waiting) {
      const place = freePlace();
      if (!place) return;
      waiter.take(place);
    }
  }

  function refuseAll(error: () => FrameworkError): void {
    for (const waiter of waiting) waiter.fail(error());
  }

  return {
    async acquire({ signal } = {}) {
      signal?.throwIfAborted();
      const place = freePlace();
      if (place) return grant(place);
      const refused = places.size === 0 && holds === 0 ? refusal() : undefined;
      if (refused) throw refused;
      const { queue } = limits();
      if (waiting.size < queue) return wait(signal);
      onShortage();
      throw frameworkError(
        "FF_INSTANCE_QUEUE_FULL",
        { function: name, limit: queue },
        { retryAfter: 1 }, // places come free all the time
      );
    },
    add(place) {
      places.add(place);
      serve();
    },
    remove: (place) => void places.delete(place),
    hold() {
      let isHeld = true;
      holds++;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        if (--holds > 0) return;
        serve();
        const refused = places.size === 0 ? refusal() : undefined;
        if (refused) refuseAll(() => refused);
      };
    },
    get isOnHold() {
      return holds > 0;
    },
    refuseAll,
    serve,
    get waiting() {
      return waiting.size;
    },
  };
}

/** The newest generation first, then the one that has least to do. */
function freest<P extends Place>(places: Iterable<P>, concurrency: number): P | undefined {
  let best: P | undefined;
  for (const place of places) {
    if (place.inFlight >= concurrency) continue;
    if (!best || place.generation > best.generation) best = place;
    else if (place.generation === best.generation && place.inFlight < best.inFlight) best = place;
  }
  return best;
}
