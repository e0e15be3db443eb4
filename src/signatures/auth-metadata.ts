/** The times of a Firebase user's account have other names in legacy events than in CloudEvents. */
import { isRecord } from "../core/value";

const names: readonly [legacy: string, event: string][] = [
  ["createdAt", "createTime"],
  ["lastSignedInAt", "lastSignInTime"],
];
const toEvent = new Map(names);
const toLegacy = new Map(names.map(([legacy, event]) => [event, legacy]));

/** The data of a legacy event as a CloudEvent carries it; what has no metadata stays as it is. */
export function withEventNames(data: unknown): unknown {
  return rename(data, toEvent);
}

/** The other way. */
export function withLegacyNames(data: unknown): unknown {
  return rename(data, toLegacy);
}

function rename(data: unknown, to: ReadonlyMap<string, string>): unknown {
  if (!isRecord(data) || !isRecord(data.metadata)) return data;
  const members = Object.entries(data.metadata).map(([name, value]) => [to.get(name) ?? name, value]);
  return { ...data, metadata: Object.fromEntries(members) };
}
