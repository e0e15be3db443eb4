/** The Dapr SDK's client for everything the framework does not wrap. */
import type { DaprClient } from "@dapr/dapr";

import { frameworkError, messageOf } from "../core/errors";
import { lazyRequire } from "../core/lazy";
import type { Sidecar } from "./sidecar";

export interface DaprSdk {
  /** One client a process, ready to use. Errors: FF_SDK_MISSING, FF_SIDECAR_UNREACHABLE after 30 s. */
  client(): Promise<DaprClient>;
  stop(): Promise<void>;
}

const deadline = 30_000;

/** Loads nothing before the first call: the SDK takes about 200 ms and 48 MB. */
export function createDaprSdk(sidecar: Sidecar): DaprSdk {
  let ready: Promise<DaprClient> | undefined;

  return {
    client() {
      ready ??= connect(sidecar).catch((err) => {
        ready = undefined; // the next call tries again
        throw err;
      });
      return ready;
    },
    async stop() {
      // A client that never became ready is not waited for.
      await (await Promise.race([ready?.catch(() => undefined), undefined]))?.stop();
    },
  };
}

async function connect({ host, port, origin, token }: Sidecar): Promise<DaprClient> {
  const { DaprClient, CommunicationProtocolEnum } = loadSdk();
  const portBefore = process.env.DAPR_CLIENT_PORT;
  const client = new DaprClient({
    daprHost: origin.startsWith("https:") ? `https://${host}` : host,
    daprPort: String(port),
    communicationProtocol: CommunicationProtocolEnum.HTTP,
    ...(token !== undefined && { daprApiToken: token }),
  });
  // Its constructor writes this variable, which would surprise a user's own SDK client.
  if (portBefore === undefined) delete process.env.DAPR_CLIENT_PORT;
  else process.env.DAPR_CLIENT_PORT = portBefore;
  await withDeadline(client.start(), origin);
  return client;
}

function loadSdk(): typeof import("@dapr/dapr") {
  try {
    return lazyRequire("@dapr/dapr");
  } catch (err) {
    throw frameworkError("FF_SDK_MISSING", {}, { cause: err });
  }
}

async function withDeadline(work: Promise<void>, origin: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${deadline / 1000} s`)), deadline);
  });
  try {
    await Promise.race([work, late]);
  } catch (err) {
    throw frameworkError("FF_SIDECAR_UNREACHABLE", { origin, why: messageOf(err) }, { cause: err });
  } finally {
    clearTimeout(timer);
  }
}
