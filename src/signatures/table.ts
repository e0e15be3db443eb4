/** The calling conventions there are. A new one: one file, one row here, one test, one paragraph in docs/signatures.md. */
import { createRequire } from "node:module";

import type { SignatureType } from "../functions/types";
import type * as CloudEvent from "./cloudevent";
import type * as Event from "./event";
import { http } from "./http";
import type * as OpenFunction from "./openfunction";
import type { Signature } from "./signature";
import type * as Typed from "./typed";

const load = createRequire(__filename);

export const signatures: Readonly<Record<SignatureType, Signature>> = {
  http,
  // A row is loaded when it is looked up: a process mostly serves one.
  get cloudevent() {
    return (load("./cloudevent.js") as typeof CloudEvent).cloudevent;
  },
  get event() {
    return (load("./event.js") as typeof Event).event;
  },
  get typed() {
    return (load("./typed.js") as typeof Typed).typed;
  },
  get openfunction() {
    return (load("./openfunction.js") as typeof OpenFunction).openfunction;
  },
};
