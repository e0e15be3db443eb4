/** The entry `./testing`: registered functions, servers for them that do not listen yet, and single calls. */
export type { InvokeOptions, InvokeRequest, InvokeResult, RecordedSend } from "./serving/invoke";
export { invoke } from "./serving/invoke";
export { getFunction, getTestServer } from "./serving/testing";
