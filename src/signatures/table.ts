/** The calling conventions there are. A new one: one file, one row here, one test, one paragraph in docs/signatures.md. */
import { createRequire } from "node:module";

import type { SignatureType } from "../functions/types";
import { cloudevent } from "./cloudevent";
import type * as Event from "./event";
import { http } from "./http";
import { openfunction } from "./openfunction";
import type { Signature } from "./signature";
import { typed } from "./typed";

const load = createRequire(__filename);

export const signatures: Readonly<Record<SignatureType, Signature>> = {
  http,
  cloudevent,
  typed,
  // A row that few use is loaded when it is looked up.
  get event() {
    return (load("./event.js") as typeof Event).event;
  },
  openfunction,
};
