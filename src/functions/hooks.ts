/** Hooks: user code around every invocation, whatever the signature, as an onion. */
import { frameworkError } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { TrackedPromise } from "../core/tracked-promise";
import { callerPlace } from "./caller";
import { shared } from "./shared";
import type { Hook, HookInvocation } from "./types";

/** Adds a hook for every function of the process; the first one is the outermost. Error: FF_HOOK_NOT_CALLABLE. */
export function use(hook: Hook): void {
  assertCallable(hook);
  shared().hooks.push(hook);
}

/** Error: FF_HOOK_NOT_CALLABLE. */
export function assertCallable(hook: unknown): void {
  if (typeof hook === "function") return;
  throw frameworkError("FF_HOOK_NOT_CALLABLE", { type: typeof hook }, { place: callerPlace() });
}

/** The hooks of the process, outermost first. */
export function registeredHooks(): readonly Hook[] {
  return [...shared().hooks];
}

/** How an invocation that went through hooks ended. */
export interface HookedResult {
  value: unknown;
  /** False when a hook has given the value in place of the function: it did not call it, or the function failed. */
  isOwn: boolean;
}

export type HookedCall = (invocation: Invocation, subject: HookSubject) => Promise<HookedResult>;

/** What an invocation is about: the arguments, and where hooks find things by name. */
export type HookSubject = Pick<HookInvocation, "args"> &
  Partial<Pick<HookInvocation, "req" | "res" | "event" | "ctx">>;

/** Folds hooks around a call of the function with `subject.args`, which hooks may change. */
export function composeHooks(hooks: readonly Hook[], fn: (...args: never[]) => unknown): HookedCall {
  return async (invocation, subject) => {
    const view = new View(invocation, subject);
    let own: { value: unknown } | undefined;

    const dispatch = async (index: number): Promise<unknown> => {
      const hook = hooks[index];
      if (hook === undefined) {
        own = { value: await fn(...(subject.args as never[])) };
        return own.value;
      }
      let below: unknown;
      let inner: TrackedPromise<unknown> | undefined;
      const next = () => {
        // Once: a second call gives the first one's result.
        inner ??= TrackedPromise.follow(
          dispatch(index + 1).then((value) => {
            below = value;
            return value;
          }),
        );
        return inner;
      };
      const value = await hook(view, next);
      // Waited for in any case; a failure that the hook caught is its own business.
      const failure = await (inner as TrackedPromise<unknown> | undefined)?.unhandledFailure();
      if (failure) throw failure.reason;
      return value === undefined ? below : value;
    };
    const value = await dispatch(0);
    return { value, isOwn: own !== undefined && Object.is(own.value, value) };
  };
}

// Built over the invocation, so that what is never asked for is never made.
class View implements HookInvocation {
  readonly #invocation: Invocation;
  readonly args: unknown[];
  readonly req: HookInvocation["req"];
  readonly res: HookInvocation["res"];
  readonly event: HookInvocation["event"];
  readonly ctx: HookInvocation["ctx"];

  constructor(invocation: Invocation, { args, req, res, event, ctx }: HookSubject) {
    this.#invocation = invocation;
    this.args = args;
    this.req = req;
    this.res = res;
    this.event = event;
    this.ctx = ctx;
  }

  get id() {
    return this.#invocation.id;
  }
  get function() {
    return this.#invocation.function;
  }
  get signature() {
    return this.#invocation.signature;
  }
  get trigger() {
    return this.#invocation.trigger;
  }
  get signal() {
    return this.#invocation.signal;
  }
  get log() {
    return this.#invocation.log;
  }
  get locals() {
    return this.#invocation.locals;
  }
  get trace() {
    return this.#invocation.trace;
  }
}
