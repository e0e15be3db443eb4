/** `GET /v1.0/secrets/{store}/{name}` and `/bulk`. */
import { messageOf } from "../core/errors";
import { replyJson } from "../core/reply";
import { type Call, fail } from "./call";
import type { LocalComponent, SecretStoreComponent } from "./components/component";

type Components = ReadonlyMap<string, LocalComponent>;

export function getSecret(components: Components, { res }: Call, store: string, name: string): void {
  const component = findStore(components, store);
  let pairs: Record<string, string>;
  try {
    pairs = component.get(name);
  } catch (err) {
    const text = `failed getting secret with key ${name} from secret store ${store}: ${messageOf(err)}`;
    return fail(500, "ERR_SECRET_GET", text);
  }
  replyJson(res, 200, pairs);
}

export function getSecrets(components: Components, { res }: Call, store: string): void {
  replyJson(res, 200, findStore(components, store).all());
}

function findStore(components: Components, name: string): SecretStoreComponent {
  const component = components.get(name);
  if (component?.kind === "secretstore") return component;
  if (![...components.values()].some(({ kind }) => kind === "secretstore"))
    fail(500, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret store is not configured");
  return fail(401, "ERR_SECRET_STORE_NOT_FOUND", `failed finding secret store with key ${name}`);
}
