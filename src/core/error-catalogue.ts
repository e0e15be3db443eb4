/** The table behind {@link frameworkError}: one row a code. Details are what the sentence needs. */
import { listed, nearest } from "./suggest";

const didYouMean = (given: string, known: Iterable<string>) => {
  const name = nearest(given, known);
  return name === undefined ? undefined : `Did you mean "${name}"?`;
};

export const catalogue = {
  // Command line
  FF_OPTION_INVALID: {
    message: (d: {
      flag: string;
      env?: string | undefined;
      value: string;
      allowed: string;
      problems?: readonly string[] | undefined;
    }) =>
      `The value "${d.value}" of ${d.flag}${d.env ? ` (${d.env})` : ""} is not ${d.allowed}${d.problems?.length ? `: ${d.problems.join("; ")}` : ""}.`,
  },
  FF_OPTION_VALUE_MISSING: {
    message: (d: { flag: string }) => `${d.flag} needs a value.`,
  },
  FF_OPTION_UNKNOWN: {
    message: (d: { flag: string; command: string; known: string[] }) =>
      `"${d.command}" has no option "${d.flag}".`,
    hint: (d: { flag: string; command: string; known: string[] }) =>
      didYouMean(d.flag, d.known) ?? `"functions-framework ${d.command} --help" lists the options.`,
  },
  FF_WORKERS_PROGRAMMATIC: {
    message: () => `serve() has no option "workers": a function cannot be sent to another process.`,
    hint: () => "Start its module with `functions-framework --workers`.",
  },
  FF_COMMAND_UNKNOWN: {
    message: (d: { command: string; known: string[] }) => `There is no command "${d.command}".`,
    hint: (d: { command: string; known: string[] }) =>
      didYouMean(d.command, d.known) ?? `The commands are ${listed(d.known)}.`,
  },
  // Listening
  FF_PORT_IN_USE: {
    message: (d: { port: number; flag?: string }) => `Port ${d.port} is already in use (EADDRINUSE).`,
    hint: (d: { port: number; flag?: string }) =>
      `Stop what listens there, or choose another with ${d.flag ?? "--port"}.`,
  },
  FF_LISTEN_FAILED: {
    message: (d: { address: string; why: string }) => `Cannot listen on ${d.address}: ${d.why}.`,
    hint: () => "Choose another address with --host and --port.",
  },
  // Loading the function
  FF_LOAD_NOT_FOUND: {
    message: (d: { source: string }) => `No module is found at "${d.source}".`,
    hint: () =>
      'Name a file or folder with --source, or give package.json a "main". A folder is searched for index and function files.',
  },
  FF_LOAD_PACKAGE_JSON: {
    message: (d: { file: string; why: string }) => `"${d.file}" is not valid JSON: ${d.why}.`,
  },
  FF_LOAD_IMPORT: {
    message: (d: { name: string; folder: string }) =>
      `--import (FF_IMPORT) names "${d.name}", which is neither a file nor a package of "${d.folder}".`,
    hint: () => "A path is seen from the working folder, a package must be installed there.",
  },
  FF_LOAD_TSCONFIG: {
    message: (d: { file: string; why: string }) => `"${d.file}" cannot be used: ${d.why}`,
  },
  FF_LOAD_FAILED: {
    message: (d: { file: string; why: string }) =>
      `The module "${d.file}" threw while it was loading: ${d.why}`,
    hint: () => "Mend the error in the module: the stack is its own.",
  },
  FF_LOAD_SYNTAX: {
    message: (d: { file: string; why: string }) => `"${d.file}" has a syntax error: ${d.why}`,
    hint: (d: { file: string; why: string }) =>
      /Unexpected token 'export'|Cannot use (import statement|'import\.meta')/.test(d.why)
        ? 'ES module syntax needs "type": "module" in package.json, or the ending .mjs.'
        : undefined,
  },
  FF_LOAD_UNSETTLED: {
    message: (d: { file: string }) =>
      `The module "${d.file}" waits for something that never comes (a top-level await).`,
    hint: () => "Nothing is left that could resolve it.",
  },
  FF_LOAD_DEPENDENCY: {
    message: (d: { file: string; name: string; isFile: boolean }) =>
      `"${d.file}" needs "${d.name}", which is not found.`,
    hint: (d: { file: string; name: string; isFile: boolean }) =>
      d.isFile
        ? "Is the file there, and is its ending written?"
        : "Is it listed in the dependencies of package.json and installed?",
  },
  FF_TARGET_NOT_FOUND: {
    message: (d: { target: string; file: string; known: string[] }) =>
      `The function "${d.target}" is not defined by "${d.file}", which offers ${listed(d.known, "no function at all")}.`,
    hint: (d: { target: string; file: string; known: string[] }) =>
      didYouMean(d.target, d.known) ?? "Export a function of that name, or choose one with --target.",
  },
  FF_TARGET_NOT_FUNCTION: {
    message: (d: { target: string; type: string }) =>
      `The target "${d.target}" is not a function but of type ${d.type}.`,
    hint: () => "Export a function under that name, or choose another with --target.",
  },
  FF_TARGET_AMBIGUOUS: {
    message: (d: { file: string; known: string[] }) =>
      `No target is given, and "${d.file}" offers ${listed(d.known, "no function")}.`,
    hint: () => "Name the function to serve with --target or FUNCTION_TARGET.",
  },
  FF_FUNCTION_NAME_INVALID: {
    message: (d: { name: string }) =>
      `"${d.name}" is no function name: 1 to 63 letters, digits, "-" and "_", the first a letter, the last a letter or digit.`,
  },
  FF_FUNCTION_NOT_CALLABLE: {
    message: (d: { name: string; type: string }) =>
      `What is registered as "${d.name}" is of type ${d.type}, not a function.`,
  },
  FF_FUNCTION_OPTIONS: {
    message: (d: { name: string; why: string }) => `The function "${d.name}" cannot be served: ${d.why}.`,
    hint: () => 'For example functions.http("user", { path: "/users/:id", methods: ["GET"] }, fn).',
  },
  FF_FUNCTION_ROUTES: {
    message: (d: { names: [string, string]; route: string }) =>
      `The functions "${d.names[0]}" and "${d.names[1]}" both answer ${d.route}.`,
    hint: () => "Give one of them another path or other methods, or serve only one of them with --target.",
  },
  FF_FUNCTION_SINGLE: {
    message: (d: { names: string[] }) =>
      `The function context says runtime Async, which serves one function, not ${listed(d.names)}.`,
    hint: () => "Name one of them with --target.",
  },
  FF_HOOK_NOT_CALLABLE: {
    message: (d: { type: string }) => `A hook must be a function, not of type ${d.type}.`,
  },
  FF_START_FAILED: {
    message: (d: { what: string; why: string }) => `${d.what} failed, so nothing is served: ${d.why}`,
    hint: () => "Mend the error: the stack is its own.",
  },
  FF_SIGNATURE_CONFLICT: {
    message: (d: { name: string; signature: string }) =>
      `The function "${d.name}" is registered as ${d.signature}, but the function context asks for an asynchronous (ctx, data) function.`,
    hint: () => "Register it with functions.openfunction(name, fn), or only export it.",
  },
  // Function context
  FF_CONTEXT_SYNTAX: {
    message: (d: { variable: string; why: string }) => `${d.variable} is not valid JSON: ${d.why}.`,
  },
  FF_CONTEXT_INVALID: {
    message: (d: { variable: string; problems: string[] }) =>
      `${d.variable} has ${d.problems.length === 1 ? "a problem" : `${d.problems.length} problems`}: ${d.problems.join("; ")}.`,
    hint: () => "docs/function-context.md lists the fields.",
  },
  // Requests
  FF_BODY_TOO_LARGE: {
    status: 413,
    message: (d: { limit: number; isText?: boolean }) =>
      d.isText
        ? `The request body is a text of more than ${d.limit} characters, the most that Node can hold.`
        : `The request body is larger than ${d.limit} bytes.`,
    hint: (d: { limit: number; isText?: boolean }) =>
      d.isText ? "Send it as bytes, or in parts." : "Raise --body-limit when larger bodies are wanted.",
  },
  FF_BODY_TOO_MANY_PARAMETERS: {
    status: 413,
    message: (d: { limit: number }) => `The form has more than ${d.limit} parameters.`,
  },
  FF_BODY_MALFORMED: {
    status: 400,
    message: (d: { why: string }) => `The request body cannot be read: ${d.why}.`,
  },
  FF_BODY_UNSUPPORTED: {
    status: 415,
    message: (d: { what: string; value: string }) => `The ${d.what} "${d.value}" is not supported.`,
  },
  FF_METHOD_NOT_ALLOWED: {
    status: 405,
    message: (d: { method: string; allowed: string[] }) =>
      `${d.method} is not allowed here, only ${d.allowed.join(", ")}.`,
  },
  FF_PATH_MALFORMED: {
    status: 400,
    message: (d: { path: string; why: string }) => `The path "${d.path}" ${d.why}.`,
  },
  FF_PATH_NOT_FOUND: {
    status: 404,
    message: (d: { method: string; path: string }) => `Cannot ${d.method} ${d.path}`,
  },
  FF_CONCURRENCY_EXCEEDED: {
    status: 429,
    message: (d: { limit: number }) => `The function is busy with ${d.limit} requests.`,
    hint: () => "Try again, or raise --max-concurrency.",
  },
  FF_QUEUE_FULL: {
    status: 503,
    message: (d: { limit: number }) => `${d.limit} deliveries wait for the function already.`,
    hint: () => "They are delivered again later. Raise --queue or --max-concurrency.",
  },
  FF_DELIVERY_BODY_LOST: {
    status: 500,
    message: (d: { binding: string }) =>
      `The sidecar has lost a message of the binding "${d.binding}": it delivers an empty chunked body.`,
    hint: () =>
      "daprd does so when a retry policy repeats a delivery after a refused connection. The broker still has the message and delivers it after a reconnect.",
  },
  FF_MESSAGE_LOST: {
    message: (d: { seconds: number }) =>
      `dapr-proxy drops a message that still fails ${d.seconds} s after its first delivery: unless there is a dead letter topic, it is lost.`,
    hint: () =>
      "Let the process repeat it (--retry), or set the annotation openfunction.io/dapr-service-mode: sidecar.",
  },
  FF_RETRY_AFTER_INVALID: {
    message: (d: { value: string }) =>
      `afterMs of a RetryMessage must be a number of milliseconds from 0 to 3600000, not ${d.value}.`,
  },
  FF_FUNCTION_TIMEOUT: {
    status: 504,
    message: (d: { name: string; seconds: number }) =>
      `The function "${d.name}" has not answered within ${d.seconds} s.`,
    hint: () => "Raise --timeout, or end the work when the signal is aborted.",
  },
  FF_EVENT_INVALID: {
    status: 400,
    message: (d: { attribute: string; why: string }) => `Not a valid CloudEvent: "${d.attribute}" ${d.why}.`,
    hint: () => "CloudEvents 1.0 needs id, source, type and specversion.",
  },
  FF_EVENT_BATCH_INVALID: {
    status: 400,
    message: (d: { index?: number; why: string }) =>
      d.index === undefined
        ? `Not a valid batch of CloudEvents: ${d.why}`
        : `The event at index ${d.index} of the batch cannot be taken: ${d.why}`,
  },
  FF_EVENT_LEGACY_INVALID: {
    status: 400,
    message: (d: { why: string }) => `Not a valid legacy event: ${d.why}.`,
  },
  FF_ROUTE_NOT_FOUND: {
    status: 404,
    message: (d: { method: string; path: string; known: string[] }) =>
      `${d.method} ${d.path} is no route of this function. The routes are ${d.known.join(", ")}.`,
  },
  FF_GRPC_METHOD_UNKNOWN: {
    status: 501,
    message: (d: { path: string }) => `${d.path} is no method of Dapr's callbacks that is served here.`,
  },
  FF_TOKEN_REFUSED: {
    status: 401,
    message: () => "The header dapr-api-token is missing or differs from APP_API_TOKEN.",
  },
  FF_FUNCTION_FAILED: {
    status: 500,
    message: (d: { name: string; why: string }) => `The function "${d.name}" failed: ${d.why}`,
  },
  FF_INTERNAL_ERROR: {
    message: (d: { why: string }) => `The framework made a mistake: ${d.why}`,
    hint: () => "Please report it with the stack above and what you did.",
  },
  FF_PROCESS_CRASHED: {
    message: (d: { why: string }) => `An error outside of any invocation ends the process: ${d.why}`,
    hint: () => "Catch it where it is thrown: in a timer, an event listener or a promise nobody awaits.",
  },
  // Sending
  FF_SEND_UNKNOWN_OUTPUT: {
    message: (d: { output: string; known: string[] }) =>
      `There is no output "${d.output}". The function context declares ${listed(d.known, "no outputs")}.`,
    hint: (d: { output: string; known: string[] }) => didYouMean(d.output, d.known),
  },
  FF_SEND_FAILED: {
    message: (d: { failures: string[] }) => `Sending failed: ${d.failures.join("; ")}.`,
  },
  FF_SEND_TOPIC_MISSING: {
    message: (d: { output: string }) =>
      `The output "${d.output}" is a pub/sub component, and the function context does not tell its topic.`,
    hint: () => "FUNC_CONTEXT_V1BETA2 tells no topics of outputs: give FUNC_CONTEXT too, with a uri.",
  },
  FF_SEND_UNSERIALISABLE: {
    message: (d: { output: string; why: string }) =>
      `The data for output "${d.output}" cannot be written as JSON: ${d.why}.`,
  },
  FF_NO_INVOCATION: {
    message: () => "currentContext() is called outside of any call of a function.",
    hint: () => "Call it in the function, or in what the function has started, while a server runs it.",
  },
  FF_SEND_TOO_MANY: {
    message: (d: { limit: number }) =>
      `The invocation has ${d.limit} sends that are not done yet, which is the most.`,
    hint: () => "Await some before you make more.",
  },
  FF_SEND_OPTION: {
    message: (d: { option: string; why: string }) => `The option "${d.option}" of ctx.send ${d.why}.`,
  },
  FF_STATE_STORE_UNKNOWN: {
    message: (d: { store: string | undefined; known: string[] }) =>
      d.store === undefined
        ? "The function context declares no state store."
        : `There is no state store "${d.store}". The function context declares ${listed(d.known, "none")}.`,
    hint: (d: { store: string | undefined; known: string[] }) =>
      (d.store !== undefined && didYouMean(d.store, d.known)) ||
      'Stores stand in its field states: {"NAME": {"componentName": "…", "componentType": "state.…"}}.',
  },
  FF_STATE_ARGUMENT: {
    message: (d: { call: string; why: string }) => `ctx.state.${d.call}: ${d.why}.`,
  },
  FF_STATE_CONFLICT: {
    message: (d: { store: string; keys: string[]; text: string }) =>
      `The state of ${listed(d.keys, "no key")} in "${d.store}" is not what the call expected${d.text ? `: ${d.text}` : ""}`,
    hint: () => "Somebody wrote it meanwhile. Read it again with its etag, and repeat the call.",
  },
  FF_SECRET_ARGUMENT: {
    message: (d: { why: string }) => `ctx.secrets.get: ${d.why}.`,
  },
  FF_SECRET_STORE: {
    message: (d: { known: string[] }) =>
      d.known.length === 0
        ? "The sidecar has no secret store."
        : `The sidecar has ${d.known.length} secret stores, so the call must name one: ${listed(d.known)}.`,
    hint: () => 'ctx.secrets.get("NAME", { store: "STORE" })',
  },
  FF_SIDECAR_REFUSED: {
    message: (d: { path: string; status: number; errorCode?: string | undefined; text: string }) =>
      `The sidecar answered ${d.status}${d.errorCode ? ` ${d.errorCode}` : ""} to ${d.path}${d.text ? `: ${d.text}` : ""}`,
  },
  FF_SIDECAR_UNREACHABLE: {
    message: (d: { origin: string; why: string }) =>
      `The sidecar at ${d.origin} cannot be reached: ${d.why}.`,
    hint: () => "Is a Dapr sidecar running, and does DAPR_HTTP_PORT name its port?",
  },
  FF_SIDECAR_NOT_READY: {
    message: (d: { origin: string; seconds: number; why: string }) =>
      `The sidecar at ${d.origin} is not ready after ${d.seconds} s: ${d.why}.`,
    hint: () =>
      "Is a Dapr sidecar running, and does DAPR_HTTP_PORT name its port? It is looked for further on.",
  },
  FF_SIDECAR_TIMEOUT: {
    message: (d: { origin: string; what: string; seconds: number }) =>
      `The sidecar at ${d.origin} did not answer ${d.what} within ${d.seconds} s.`,
    hint: () => "What was sent may have arrived.",
  },
  FF_SIDECAR_LOST: {
    message: (d: { origin: string; what: string; why: string }) =>
      `The connection to the sidecar at ${d.origin} broke before ${d.what} was answered: ${d.why}.`,
    hint: () => "What was sent may have arrived, so it is not repeated.",
  },
  FF_SIDECAR_ABORTED: {
    message: (d: { what: string; why: string }) => `${d.what} was given up: ${d.why}`,
  },
  FF_APP_UNREACHABLE: {
    message: (d: { origin: string; why: string }) => `The function at ${d.origin} does not answer: ${d.why}.`,
    hint: () => "Does it block its event loop, or has it ended?",
  },
  FF_SDK_MISSING: {
    message: () => "ctx.dapr() needs the package @dapr/dapr, which is not installed.",
    hint: () => "npm install @dapr/dapr",
  },
  // Tracing
  FF_TRACING_INVALID: {
    message: (d: { problems: string[] }) => `Tracing cannot be set up: ${d.problems.join("; ")}.`,
    hint: () => "docs/tracing.md lists the settings. OTEL_SDK_DISABLED=true turns OpenTelemetry off.",
  },
  FF_TRACING_PACKAGE_MISSING: {
    message: (d: { name: string; range: string | undefined }) =>
      `Tracing needs the package ${d.name}, which is not installed.`,
    hint: (d: { name: string; range: string | undefined }) =>
      `npm install "${d.name}${d.range ? `@${d.range}` : ""}"`,
  },
  // Tests of user code
  FF_TEST_SDK: {
    message: () => "ctx.dapr() of this test has no sidecar to talk to.",
    hint: () =>
      "Give fakeContext() a client of yours as `dapr`, or serve the function beside createTestSidecar().",
  },
  FF_TEST_NOT_SERVED: {
    message: () => "The sidecar of the test has no app: nothing can be delivered.",
    hint: () => "await sidecar.serve(functionOrName) first.",
  },
  FF_TEST_INPUT: {
    message: (d: { input: string; known: string[] }) =>
      `The app reads no input "${d.input}". ${d.known.length > 0 ? `It reads: ${d.known.join(", ")}.` : "It reads none."}`,
    hint: () =>
      'Inputs are those of the function context: createTestSidecar({ inputs: ["orders"] }). They need runtime Async.',
  },
  FF_TEST_OUTPUT: {
    message: (d: { output: string; known: string[] }) =>
      `There is no output "${d.output}". ${d.known.length > 0 ? `There are: ${d.known.join(", ")}.` : "There are none."}`,
    hint: () => 'Outputs are those of the function context: createTestSidecar({ outputs: ["bills"] }).',
  },
  // Manifests
  FF_MANIFEST_NOT_FOUND: {
    message: (d: { path: string }) => `No manifest is found at "${d.path}".`,
    hint: () => "Give a Function CR or a folder that holds some: functions-framework dev -f function.yaml",
  },
  FF_MANIFEST_SYNTAX: {
    message: (d: { why: string }) => `The document cannot be read: ${d.why}.`,
  },
  FF_MANIFEST_KIND: {
    message: (d: { kind: string; known: string[] }) => `A document of kind "${d.kind}" means nothing here.`,
    hint: (d: { kind: string; known: string[] }) => `The kinds are ${listed(d.known)}.`,
  },
  FF_MANIFEST_VERSION: {
    message: (d: { kind: string; version: string; known: string[] }) =>
      `The apiVersion "${d.version}" of a ${d.kind} is not known.`,
    hint: (d: { kind: string; version: string; known: string[] }) => `Known: ${listed(d.known)}.`,
  },
  FF_MANIFEST_FIELD: {
    message: (d: { path: string; why: string }) => `${d.path} ${d.why}.`,
  },
  FF_MANIFEST_DUPLICATE: {
    message: (d: { kind: string; name: string; first: string }) =>
      `The ${d.kind} "${d.name}" is declared twice; the first is at ${d.first}.`,
  },
  FF_MANIFEST_NO_FUNCTION: {
    message: (d: { paths: string[] }) => `No Function is declared in ${listed(d.paths)}.`,
    hint: () => "A Function CR has apiVersion core.openfunction.io/v1beta1 or v1beta2, and kind Function.",
  },
  FF_SUBSCRIPTION_RULE: {
    message: (d: { match: string; why: string }) =>
      `The routing rule "${d.match}" is not valid CEL, so it matches nothing: ${d.why}.`,
    hint: () => 'For example event.type == "order.created".',
  },
  FF_COMPONENT_UNKNOWN: {
    message: (d: { component: string; known: string[] }) =>
      `Nobody declares the component "${d.component}". Declared are ${listed(d.known)}.`,
    hint: (d: { component: string; known: string[] }) =>
      didYouMean(d.component, d.known) ??
      "Declare it under serving.bindings or serving.pubsub, or as a Component document beside the Function with -f.",
  },
  FF_COMPONENT_TYPE: {
    message: (d: { component: string; type: string; known: string[] }) =>
      `The component "${d.component}" is of type "${d.type}", which the local runtime does not have.`,
    hint: (d: { component: string; type: string; known: string[] }) => `It has ${listed(d.known)}.`,
  },
  FF_COMPONENT_METADATA: {
    message: (d: { component: string; field: string; why: string }) =>
      `The metadata field "${d.field}" of component "${d.component}" ${d.why}.`,
  },
  FF_COMPONENT_PACKAGE: {
    message: (d: { component: string; type: string; package: string }) =>
      `The component "${d.component}" of type "${d.type}" needs the package ${d.package}, which is not installed.`,
    hint: (d: { package: string }) => `npm install ${d.package}`,
  },
  // Processes and brokers
  FF_INSTANCE_EXITED: {
    message: (d: { function: string; how: string }) =>
      `The process of function "${d.function}" ended with ${d.how} before it was ready.`,
  },
  FF_INSTANCE_START_TIMEOUT: {
    message: (d: { function: string; seconds: number }) =>
      `The function "${d.function}" is not ready after ${d.seconds} s.`,
    hint: () => "Does its module wait for something at load (a top-level await)?",
  },
  FF_INSTANCE_CRASHED: {
    message: (d: { function: string; how: string }) =>
      `The process of function "${d.function}" ended with ${d.how}.`,
  },
  FF_INSTANCE_CRASH_LOOP: {
    status: 503,
    message: (d: { function: string; deaths: number }) =>
      `The function "${d.function}" has ended ${d.deaths} times in a row before it answered anything.`,
    hint: () => "Look at its output and at the errors before this one.",
  },
  FF_INSTANCE_LOAD_FAILED: {
    status: 503,
    message: (d: { function: string; code: string }) =>
      `The function "${d.function}" cannot be started: ${d.code}.`,
    hint: () => "It is started again when it is changed, or asked to restart.",
  },
  FF_INSTANCE_QUEUE_FULL: {
    status: 503,
    message: (d: { function: string; limit: number }) =>
      `${d.limit} requests wait for the function "${d.function}" already.`,
  },
  FF_INSTANCE_QUEUE_TIMEOUT: {
    status: 503,
    message: (d: { function: string; seconds: number }) =>
      `No instance of the function "${d.function}" had a place for the request within ${d.seconds} s.`,
  },
  FF_INSTANCE_UNKNOWN_FUNCTION: {
    status: 503,
    message: (d: { function: string; known: string[] }) =>
      `No function "${d.function}" runs here. Those that run: ${listed(d.known)}.`,
    hint: (d: { function: string; known: string[] }) => didYouMean(d.function, d.known),
  },
  FF_INSTANCE_SCALE: {
    status: 422,
    message: (d: { function: string; instances: number; max: number }) =>
      `The function "${d.function}" may have 0 to ${d.max} instances, not ${d.instances}.`,
  },
  FF_INSTANCE_ENV_FILE: {
    message: (d: { function: string; file: string; why: string }) =>
      `The environment file "${d.file}" of function "${d.function}" cannot be read: ${d.why}.`,
  },
  FF_WATCH_POLLING: {
    message: (d: { why: string }) =>
      `Not all folders can be watched (${d.why}): their files are looked at twice a second instead.`,
    hint: () => "On Linux, raise fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl.",
  },
  FF_DEV_RESTART_NEEDED: {
    message: (d: { files: string[] }) =>
      `The functions or components of ${d.files.join(", ")} are other ones now, which dev reads only at its start.`,
    hint: () => "Stop dev and start it again. Until then everything runs as before.",
  },
  FF_COMPONENT_UNREACHABLE: {
    message: (d: { component: string; address: string; why: string }) =>
      `The server ${d.address} of component "${d.component}" cannot be used: ${d.why}.`,
    hint: () => "It is tried again until it answers.",
  },
  FF_BROKER_UNREACHABLE: {
    message: (d: { component: string; address: string; why: string }) =>
      `The broker ${d.address} of component "${d.component}" cannot be reached: ${d.why}.`,
    hint: () => "It is tried again until it answers. Without --brokers declared an embedded broker is used.",
  },
  FF_BROKER_REFUSED: {
    message: (d: { component: string; address: string; why: string }) =>
      `The broker ${d.address} refuses component "${d.component}": ${d.why}.`,
    hint: () => "Check user and password in the component's url, and what the broker allows them.",
  },
  FF_BROKER_PROTOCOL: {
    message: (d: { client: string }) =>
      `An MQTT 5 client${d.client ? ` ("${d.client}")` : ""} was refused: the embedded broker speaks MQTT 3.1.1.`,
    hint: () => "Set the client's protocol version to 4 (3.1.1).",
  },
  // What listens on loopback
  FF_HOST_REFUSED: {
    status: 403,
    message: (d: { host: string }) => `The host "${d.host}" is not this machine.`,
    hint: () => "Ask for localhost or 127.0.0.1, or name the host with --allowed-host.",
  },
  FF_ORIGIN_REFUSED: {
    status: 403,
    message: () => "Pages of other sites are not served.",
  },
  FF_FRONT_PATH_UNKNOWN: {
    status: 404,
    message: (d: { path: string; known: string[] }) =>
      `No function answers at ${d.path}. There are ${d.known.join(", ")}.`,
  },
  FF_CONTROL_FUNCTION_UNKNOWN: {
    status: 404,
    message: (d: { function: string; known: string[] }) =>
      `There is no function "${d.function}" here. There are ${listed(d.known)}.`,
    hint: (d: { function: string; known: string[] }) => didYouMean(d.function, d.known),
  },
  FF_CONTROL_INPUT_UNKNOWN: {
    status: 404,
    message: (d: { input: string; known: string[] }) =>
      `No function has an input "${d.input}". The inputs are ${listed(d.known)}.`,
    hint: (d: { input: string; known: string[] }) => didYouMean(d.input, d.known),
  },
  FF_CONTROL_FIELD: {
    status: 422,
    message: (d: { field: string; value: string; allowed: string }) =>
      `"${d.field}" must be ${d.allowed}, not ${d.value}.`,
  },
  FF_INVOKE_FAILED: {
    status: 502,
    message: (d: { why: string }) => `The call got no whole answer: ${d.why}.`,
  },
  FF_STATE_FILE: {
    message: (d: { file: string; why: string }) =>
      `The file "${d.file}", by which other commands find this one, cannot be written: ${d.why}.`,
    hint: () => "All else works. The folder is the temp folder of the system (TMPDIR).",
  },
  // The hop of the gateway
  FF_REQUEST_MALFORMED: {
    status: 400,
    message: (d: { why: string }) => `The request cannot be passed on: ${d.why}.`,
  },
  FF_REQUEST_CODING_UNSUPPORTED: {
    status: 501,
    message: (d: { coding: string }) => `The Transfer-Encoding "${d.coding}" is not supported.`,
    hint: () => "chunked is.",
  },
  FF_UPSTREAM_UNREACHABLE: {
    status: 502,
    message: (d: { address: string; why: string }) =>
      `The upstream ${d.address} cannot be reached: ${d.why}.`,
  },
  FF_UPSTREAM_CONNECT_TIMEOUT: {
    status: 504,
    message: (d: { address: string; why: string }) =>
      `The upstream ${d.address} cannot be reached: ${d.why}.`,
  },
  FF_UPSTREAM_BUSY: {
    status: 503,
    message: (d: { address: string; why: string }) => `The upstream ${d.address} is busy: ${d.why}.`,
  },
  FF_UPSTREAM_LOST: {
    status: 502,
    message: (d: { address: string; why: string }) =>
      `The upstream ${d.address} left before its reply was at its end: ${d.why}.`,
  },
  FF_UPSTREAM_MALFORMED: {
    status: 502,
    message: (d: { address: string; why: string }) =>
      `The reply of the upstream ${d.address} is refused: ${d.why}.`,
    hint: () => "A reply that could be read in two ways could be meant for another client.",
  },
  FF_UPSTREAM_TIMEOUT: {
    status: 504,
    message: (d: { address: string; seconds: number }) =>
      `The upstream ${d.address} has not begun to answer within ${d.seconds} s.`,
    hint: () => "Raise the timeout, or answer sooner.",
  },
  FF_DELIVERY_ROUTE_MISSING: {
    message: (d: { path: string }) =>
      `The function answers 404 to ${d.path}, so what is meant for it is not delivered.`,
    hint: () =>
      "They are kept and tried again. Does the function subscribe to a path that it does not serve?",
  },
} as const;

export type ErrorCode = keyof typeof catalogue;
export type ErrorDetails<C extends ErrorCode> =
  Parameters<(typeof catalogue)[C]["message"]> extends [infer D] ? D : Record<string, never>;
