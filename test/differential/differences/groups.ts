/** Lines that go together. */

const textForPage = "Content-Type: text/html; charset=utf-8 → text/plain; charset=utf-8";
const textForJson = "Content-Type: application/json; charset=utf-8 → text/plain; charset=utf-8";

/** Both answer before the function runs: theirs with Express's page, ours with one line of text. */
export const lineForPage = ["-Content-Security-Policy: default-src 'none'", textForPage, "order of headers"];

/** Their page, where ours has the function's answer. */
export const answerForPage = [
  "-Content-Security-Policy: default-src 'none'",
  "-X-Content-Type-Options: nosniff",
  "Content-Type: text/html; charset=utf-8 → application/json; charset=utf-8",
];

/** They call the function, which answers with JSON; ours says what is wrong. */
export const lineForJson = [textForJson, "+X-Content-Type-Options: nosniff", "body"];

/** Both headers, and a type that no browser takes for a page. */
export const failure = (word: "crash" | "error") => [
  `+X-OpenFunction-Status: ${word}`,
  "+X-Content-Type-Options: nosniff",
];

/** In development their message of a failure is a page. */
export const failurePage = (word: "crash" | "error") => [textForPage, ...failure(word)];
