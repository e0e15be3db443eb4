/**
 * What user code registers. It lives on `globalThis`, so that every copy of the package that user code loads
 * registers with the framework that is running.
 */
import type {
  FunctionOptions,
  Hook,
  OpenFunctionContext,
  SignatureType,
  TypedFormat,
  UserFunction,
} from "./types";

export interface Registration {
  name: string;
  signature: SignatureType;
  function: UserFunction;
  options: FunctionOptions;
  /** Of a typed function that does not speak JSON. */
  format?: TypedFormat | undefined;
  /** Where it was registered, `file:line:column`. */
  place: string;
}

interface Shared {
  registry: Map<string, Registration>;
  hooks: Hook[];
  onStart: (() => unknown)[];
  onStop: (() => unknown)[];
  /** Set by the framework that runs: ctx of the running call. */
  currentContext?: () => OpenFunctionContext | undefined;
}

const key = Symbol.for("openfunction.functions-framework/v1");

export function shared(): Shared {
  const holder = globalThis as { [key]?: Partial<Shared> };
  holder[key] ??= {};
  const state = holder[key];
  state.registry ??= new Map();
  state.hooks ??= [];
  state.onStart ??= [];
  state.onStop ??= [];
  return state as Shared;
}
