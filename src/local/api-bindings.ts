/** `POST /v1.0/bindings/{name}`: invokes an output binding. */
import { messageOf } from "../core/errors";
import { type Call, fail, noContent, readBody, replyData, traceHeaders } from "./call";
import type { BindingComponent, LocalComponent } from "./components/component";
import { sortKeys } from "./json-again";

type Components = ReadonlyMap<string, LocalComponent>;

export async function invokeBinding(
  components: Components,
  { body, req, res }: Call,
  name: string,
): Promise<void> {
  const { operation, data, metadata } = readBindingRequest(body);
  const component = findBinding(components, name);
  if (operation === "")
    fail(500, "ERR_INVOKE_OUTPUT_BINDING", `error invoking output binding ${name}: operation is missing`);
  if (!component.invoke || !component.operations.includes(operation)) {
    const known = component.operations.join(", ");
    fail(
      500,
      "ERR_INVOKE_OUTPUT_BINDING",
      `error invoking output binding ${name}: operation "${operation}" is not one of ${known}`,
    );
  }
  const traced = { ...traceHeaders(req), ...metadata };
  const reply = await component.invoke({ operation, data, metadata: traced }).catch((err) => {
    fail(500, "ERR_INVOKE_OUTPUT_BINDING", `error invoking output binding ${name}: ${messageOf(err)}`);
  });
  for (const [key, value] of Object.entries(reply.metadata ?? {})) res.setHeader(`metadata.${key}`, value);
  if (reply.data === undefined) return noContent(res);
  replyData(res, reply.data);
}

function findBinding(components: Components, name: string): BindingComponent {
  const component = components.get(name);
  if (component?.kind === "binding") return component;
  fail(
    500,
    "ERR_INVOKE_OUTPUT_BINDING",
    `error invoking output binding ${name}: couldn't find output binding ${name}`,
  );
}

function readBindingRequest(body: Buffer): {
  operation: string;
  data: Buffer;
  metadata: Record<string, string>;
} {
  const { operation = "", data = null, metadata } = (readBody(body) ?? {}) as Record<string, unknown>;
  if (typeof operation !== "string") return fail(400, "ERR_MALFORMED_REQUEST", "operation must be a string");
  const pairs = Object.entries(metadata ?? {});
  if (pairs.some(([, value]) => typeof value !== "string"))
    return fail(400, "ERR_MALFORMED_REQUEST", "metadata values must be strings");
  return {
    operation,
    data: Buffer.from(JSON.stringify(sortKeys(data))),
    metadata: Object.fromEntries(pairs) as Record<string, string>,
  };
}
