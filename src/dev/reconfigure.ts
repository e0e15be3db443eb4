/** What a change of manifests and env files means for functions that run. */
import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { asFrameworkError, frameworkError } from "../core/errors";
import { describeError } from "../core/log";
import type { Change } from "../instances/reloads";
import type { Emit } from "./events";
import type { FunctionRun } from "./function-run";
import type { FunctionPlan, Plan } from "./plan";

/**
 * Gives every function its new environment. What is wrong is told and changes nothing; what needs more than a new
 * process (functions, components) is told too. Call what is returned when the processes were started.
 */
export function reconfigureAll(
  runs: ReadonlyMap<string, FunctionRun>,
  next: Plan,
  change: Change,
  emit: Emit,
): () => void {
  for (const problem of next.problems) emit("error", describeError(problem));
  if (next.problems.length > 0) return () => undefined;
  const planned = new Map(next.functions.map((plan) => [plan.name, plan]));
  const isOther =
    planned.size !== runs.size ||
    [...runs.values()].some((run) => needsNewStart(run.plan, planned.get(run.plan.name)));
  if (isOther) {
    const files = change.files.map((file) => basename(file));
    emit("error", describeError(frameworkError("FF_DEV_RESTART_NEEDED", { files })));
    return () => undefined;
  }
  const done = [...runs.values()].map((run) =>
    configure(run, planned.get(run.plan.name) ?? run.plan, change, emit),
  );
  return () => done.forEach((one) => void one?.());
}

function needsNewStart(plan: FunctionPlan, next: FunctionPlan | undefined): boolean {
  const { env: _, ...fixed } = plan;
  const { env: __, ...nextFixed } = next ?? { env: {} };
  return !isDeepStrictEqual(fixed, nextFixed);
}

function configure(
  run: FunctionRun,
  plan: FunctionPlan,
  change: Change,
  emit: Emit,
): (() => void) | undefined {
  const { env } = run.spec;
  try {
    run.configure(plan);
  } catch (err) {
    emit("error", describeError(asFrameworkError(err)), plan.name);
    return undefined;
  }
  return isDeepStrictEqual(env, run.spec.env) ? undefined : run.noteReload(change);
}
