/** Keeps what a function sends, and decides what comes of it. */
import type { Outputs } from "../dapr/outputs";
import type { SendOptions } from "../functions/types";

/** What comes of a send: what it returns is the reply's data, what it throws is the send's failure. */
export type SendHandler = (data: unknown, options: SendOptions) => unknown;

export interface RecordedSend {
  output: string;
  data: unknown;
  options: SendOptions;
}

/**
 * The outputs of a function without a sidecar: each send is recorded as it was made, also one that then fails. What the
 * real ones refuse is refused here too, and not recorded.
 */
export function recordOutputs(
  real: Outputs,
  handlers: ReadonlyMap<string, SendHandler>,
  sends: RecordedSend[],
): Outputs {
  return {
    names: real.names,
    prepare: (output, data, options) => {
      real.prepare(output, data, options);
      sends.push({ output, data, options });
      return (_invocation, _caller, done) => {
        (async () => handlers.get(output)?.(data, options))().then(
          (reply) => {
            const value = { output, status: reply === undefined ? 204 : 200, data: reply, metadata: {} };
            done({ status: "fulfilled", value });
          },
          (reason) => done({ status: "rejected", reason }),
        );
      };
    },
  };
}
