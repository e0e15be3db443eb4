/** The entry of the package: what user code registers with, and the types of what it is given. */
export { isFrameworkError } from "./core/errors";
export { cloudEvent, http, openfunction } from "./functions/registry";
export type * from "./functions/types";
export type { SendError } from "./signatures/sends";
