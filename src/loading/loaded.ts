/** What loading a module gives. */
import type { SignatureType, UserFunction } from "../functions/types";

export interface LoadedFunction {
  name: string;
  function: UserFunction;
  /** How it was registered in code; undefined for an export, which the flag decides. */
  signature: SignatureType | undefined;
  file: string;
}

export interface LoadedModule {
  file: string;
  /** In the order of the target. */
  functions: LoadedFunction[];
  exported: unknown;
  /** True when no target was given and this is the only function there is. */
  chosen: boolean;
}
