/** The calling conventions there are. A new one: one file, one row here, one test, one paragraph in docs/signatures.md. */
import type { SignatureType } from "../functions/types";
import { cloudevent } from "./cloudevent";
import { http } from "./http";
import { openfunction } from "./openfunction";
import type { Signature } from "./signature";
import { typed } from "./typed";

export const signatures: Readonly<Record<SignatureType, Signature>> = {
  http,
  cloudevent,
  typed,
  openfunction,
};
