/** The entry `./testing`: registered functions, servers for them, single calls, and what stands in for a sidecar. */
export { getFunction, getTestServer } from "./serving/testing";
export type { SidecarSend } from "./testing/components";
export type { TestComponent, TestContextOptions } from "./testing/context";
export type { FakeContext, FakeContextOptions, LoggedLine } from "./testing/fake-context";
export { fakeContext } from "./testing/fake-context";
export type { InvokeOptions, InvokeRequest, InvokeResult } from "./testing/invoke";
export { invoke } from "./testing/invoke";
export type { RecordedSend, SendHandler } from "./testing/recorder";
export type { Served, ServedOptions } from "./testing/served";
export type { Delivered, DeliverOptions, TestSidecar, TestSidecarOptions } from "./testing/sidecar";
export { createTestSidecar } from "./testing/sidecar";
export type { TestSecrets, TestState } from "./testing/stores";
