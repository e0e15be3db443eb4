import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";

/** A user's project in a temp folder that goes with the test. */
export function makeProject(t: TestContext, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "project-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

export interface AsyncFunction {
  name?: string;
  target?: string;
  /** Component → topic. */
  inputs?: Record<string, string>;
  outputs?: Record<string, string>;
  params?: Record<string, string>;
  url?: string;
}

/** An async Function CR over MQTT bindings. */
export function asyncFunctionYaml({
  name = "relay",
  target = "relay",
  inputs = { "mqtt-in": "in" },
  outputs = {},
  params = {},
  url = "tcp://admin:public@emqx:1883",
}: AsyncFunction): string {
  const uses = (names: string[], extra: object = {}) =>
    names.map((component) => ({ name: component, component, ...extra }));
  const declare = ([component, topic]: [string, string]) => [
    component,
    {
      type: "bindings.mqtt",
      version: "v1",
      metadata: [
        { name: "consumerID", value: `${name}-${component}` },
        { name: "url", value: url },
        { name: "topic", value: topic },
      ],
    },
  ];
  return functionYaml(name, {
    runtime: "async",
    annotations: { "dapr.io/app-protocol": "http" },
    params: { FUNCTION_TARGET: target, ...params },
    inputs: uses(Object.keys(inputs)),
    outputs: uses(Object.keys(outputs), { operation: "create" }),
    bindings: Object.fromEntries(Object.entries({ ...inputs, ...outputs }).map(declare)),
  });
}

/** An HTTP Function CR. */
export function httpFunctionYaml(name: string, target: string): string {
  return functionYaml(name, { runtime: "knative", params: { FUNCTION_TARGET: target } });
}

/** A Function CR with the given `spec.serving`. */
export function functionYaml(name: string, serving: object): string {
  return JSON.stringify({
    apiVersion: "core.openfunction.io/v1beta1",
    kind: "Function",
    metadata: { name },
    spec: { image: "example/image", serving },
  });
}
