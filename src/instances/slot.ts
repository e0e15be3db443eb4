/** The place of one instance: its process, and the next one when that ends. */
import type { Clock } from "../core/clock";
import { frameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import { describeError, type ErrorDescription } from "../core/log";
import { failureOf, type Instance, InstanceStartError } from "./instance";
import type { Place } from "./leases";
import type { RestartRule } from "./restart-rule";
import type { InstanceState, InstanceStatus } from "./status";

export interface SlotOptions {
  id: string;
  /** Name of the function. */
  function: string;
  generation: number;
  rule: RestartRule;
  clock: Clock;
  /** Starts a process and resolves when it may get requests. */
  start(slot: Slot, signal: AbortSignal): Promise<Instance>;
  /** Its state has changed; an error says why. */
  onChange(slot: Slot, error?: ErrorDescription): void;
}

export class Slot implements Place {
  readonly id: string;
  readonly generation: number;
  inFlight = 0;
  readonly #options: SlotOptions;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #state: InstanceState = "starting";
  #instance: Instance | undefined;
  #pid: number | null = null;
  #started: number | undefined;
  #restarts = 0;
  #ended: string | undefined;
  #hasAnswered = false;
  #stopped: Promise<void> | undefined;
  /** The process, while it is asked to end. */
  #drains: Instance | undefined;
  #noteFree: () => void = () => undefined;

  /** Starts at once, or when the rule allows it. */
  constructor(options: SlotOptions) {
    this.#options = options;
    this.id = options.id;
    this.generation = options.generation;
    this.#running = this.#keepRunning();
  }

  get state(): InstanceState {
    return this.#state;
  }

  get address(): string {
    return this.#instance?.address ?? "";
  }

  /** How its last process ended, when that was ready before. */
  get ended(): string | undefined {
    return this.#ended;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** The process, when it is ready. */
  get instance(): Instance | undefined {
    return this.#instance;
  }

  /** Its process exists, and loads. */
  noteSpawn(pid: number): void {
    this.#pid = pid;
    this.#started = this.#options.clock.now();
  }

  /** It has answered a request. */
  noteAnswer(): void {
    this.#hasAnswered = true;
    this.#options.rule.hasAnswered();
  }

  /** A lease was given back. */
  noteRelease(): void {
    if (this.inFlight === 0) this.#noteFree();
  }

  status(): InstanceStatus {
    return {
      id: this.id,
      pid: this.#pid,
      state: this.#state,
      address: this.#instance?.address ?? null,
      inFlight: this.inFlight,
      started: this.#started === undefined ? null : new Date(this.#started).toISOString(),
      restarts: this.#restarts,
    };
  }

  /**
   * Out of the rotation; what has a lease finishes within the grace period (seconds), then the process drains, and is
   * ended when it does not end by itself. A second call can only make it faster.
   */
  stop(grace: number): Promise<void> {
    const { clock } = this.#options;
    const cancel = clock.after(grace * 1000, () => {
      this.#noteFree();
      if (this.#drains) background(this.#drains.stop(0));
    });
    this.#stopped ??= this.#finish(clock.now() + grace * 1000);
    return this.#stopped.finally(cancel);
  }

  async #finish(deadline: number): Promise<void> {
    const { clock } = this.#options;
    const instance = this.#instance;
    this.#stopping.abort(new Error("the instance is stopped"));
    this.#become("draining");
    if (instance) {
      await Promise.race([this.#untilFree(), instance.ended]);
      this.#drains = instance;
      await instance.stop(Math.max(0, (deadline - clock.now()) / 1000));
    }
    await this.#running;
    this.#become("stopped");
  }

  #untilFree(): Promise<void> {
    return new Promise((resolve) => {
      this.#noteFree = resolve;
      if (this.inFlight === 0) resolve();
    });
  }

  /** The one owner of the process. */
  async #keepRunning(): Promise<void> {
    await undefined; // whoever makes it must know it before it tells anything
    let error: ErrorDescription | undefined;
    for (let isFirst = true; await this.#mayStart(error); isFirst = false) {
      if (!isFirst) this.#restarts++;
      this.#become("starting", this.#state === "backoff" ? undefined : error);
      error = await this.#runOnce();
    }
  }

  /** Resolves when the rule allows a start; to false when there is none. */
  async #mayStart(error: ErrorDescription | undefined): Promise<boolean> {
    const { rule } = this.#options;
    for (let told = error; !this.#isStopping && rule.startsIn() > 0; told = undefined) {
      const wait = rule.startsIn();
      this.#become(wait === Number.POSITIVE_INFINITY ? "failed" : "backoff", told);
      if (wait === Number.POSITIVE_INFINITY) return false;
      await this.#pause(wait);
    }
    return !this.#isStopping;
  }

  /** From the start of a process to its end; resolves to what went wrong. */
  async #runOnce(): Promise<ErrorDescription | undefined> {
    const { function: name, rule, start } = this.#options;
    this.#hasAnswered = false;
    this.#ended = undefined;
    try {
      this.#instance = await start(this, this.#stopping.signal);
    } catch (err) {
      this.#forgetProcess();
      if (this.#isStopping) return undefined;
      if (err instanceof InstanceStartError && err.isFinal) rule.cannotLoad();
      else rule.ended({ answered: false });
      return failureOf(err);
    }
    if (this.#isStopping) {
      await this.#instance.stop(0); // it became ready in the very moment
      return undefined;
    }
    rule.wasReady();
    this.#become("ready");
    const how = await this.#instance.ended;
    this.#forgetProcess();
    if (this.#isStopping) return undefined;
    this.#ended = how;
    rule.ended({ answered: this.#hasAnswered });
    return describeError(frameworkError("FF_INSTANCE_CRASHED", { function: name, how }));
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#options.clock.after(ms, end);
      signal.addEventListener("abort", end, { once: true });
    });
  }

  #forgetProcess(): void {
    this.#instance = undefined;
    this.#pid = null;
    this.#started = undefined;
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #become(state: InstanceState, error?: ErrorDescription): void {
    this.#state = state;
    this.#options.onChange(this, error);
  }
}
