/** The entry `./testing`: registered functions, and servers for them that do not listen yet. */
export { getFunction, getTestServer } from "./serving/testing";
