/** The event of its own in which OpenFunction's framework for Go wraps what it sends while it traces. */

/** Its `type`, before namespace and name of the function. Its data are `{metadata, userData}`, the payload in base64. */
export const innerEventType = "io.openfunction.function.";
