/** The leases of one request: one after the other, each given back with what became of it. */
import { performance } from "node:perf_hooks";

import { asFrameworkError, type FrameworkError } from "../../core/errors";
import type { Lease, LeaseResult } from "../../instances/leases";
import type { Supervisor } from "../../instances/supervisor";
import type { Outcome } from "../proxy/proxy";

/** Tries of a request that reached nobody, since every process may end at any time. */
const mostUnsent = 5;

const clientLeft = new Error("The client has left.");

export class RequestLeases {
  /** Why there was no instance for another try. */
  refusal: FrameworkError | undefined;
  readonly #supervisor: Pick<Supervisor, "acquire">;
  readonly #function: string;
  /** While it waits for an instance. */
  #waiting: AbortController | undefined;
  #isAbandoned = false;
  #lease: Lease | undefined;
  #begin = 0;
  #unsent = 0;
  #isRepeated = false;
  #hasReply = false;

  constructor(supervisor: Pick<Supervisor, "acquire">, name: string) {
    this.#supervisor = supervisor;
    this.#function = name;
  }

  /** The client has left: it waits for no instance any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#waiting?.abort(clientLeft);
  }

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** The address of an instance; undefined when the client has left. Rejects when there is none. */
  async take(): Promise<string | undefined> {
    const waiting = new AbortController();
    this.#waiting = waiting;
    const lease = await this.#supervisor.acquire(this.#function, { signal: waiting.signal });
    this.#waiting = undefined;
    if (this.#isAbandoned) {
      lease.release({ ok: true, ms: 0, hasAnswer: false });
      return undefined;
    }
    this.#lease = lease;
    this.#begin = performance.now();
    return lease.address;
  }

  /**
   * Where a request goes that got no reply and may be sent again: what has reached an instance once more, what has
   * reached none a few times. Undefined when it shall not.
   */
  async takeNext(err: FrameworkError): Promise<string | undefined> {
    const isUnreachable = isRefusedConnection(err);
    this.#giveBack({ ok: false, isUnreachable });
    if (isUnreachable ? ++this.#unsent > mostUnsent : this.#isRepeated) return undefined;
    if (!isUnreachable) this.#isRepeated = true;
    try {
      return await this.take();
    } catch (reason) {
      this.refusal = asFrameworkError(reason);
      return undefined;
    }
  }

  /** The head of a reply is there. */
  noteReply(): void {
    this.#hasReply = true;
  }

  finish({ status, error }: Outcome): void {
    this.abandon(); // what another try still asks for is nobody's
    const hasAnswer = this.#hasReply && error === undefined;
    const isFailure = error ? (error.status ?? 500) >= 500 : hasAnswer && status >= 500;
    this.#giveBack({ ok: !isFailure, hasAnswer });
  }

  #giveBack(result: Omit<LeaseResult, "ms">): void {
    this.#lease?.release({ ...result, ms: performance.now() - this.#begin });
    this.#lease = undefined;
  }
}

// The process has ended, or listens no more before it does; a socket that is gone is one too.
function isRefusedConnection({ code, cause }: FrameworkError): boolean {
  const reason = (cause as NodeJS.ErrnoException | undefined)?.code;
  return code === "FF_UPSTREAM_UNREACHABLE" && (reason === "ECONNREFUSED" || reason === "ENOENT");
}
