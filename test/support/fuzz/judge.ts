/** What is right: for every reply, and for a conversation as a whole. */
import type { Conversation } from "./conversation";
import type { Heard } from "./raw-client";
import { isLostOnNode } from "./reference";
import type { RawReply } from "./reply-reader";
import { documentedStatuses } from "./statuses";
import type { TargetPlan } from "./targets";

const documented = documentedStatuses();

/** What is wrong with a reply, or undefined. */
export function judgeReply(
  { statuses = [], mayFail = false }: Pick<TargetPlan, "statuses" | "mayFail">,
  { status, headers, body }: RawReply,
  method: string,
): string | undefined {
  if (!documented.has(status) && !statuses.includes(status)) return `the status ${status} is not documented`;
  if (status !== 500) return undefined;
  const text = body.toString("utf8");
  if (!headers.has("x-openfunction-status")) return `a 500 that is no failure of the function: ${text}`;
  const isExpected = mayFail || method === "HEAD" || /call stack/.test(text);
  return isExpected ? undefined : `the function does not fail, but was answered as failed: ${text}`;
}

/** What is wrong with what was heard, or undefined. */
export async function judgeConversation(
  target: TargetPlan,
  conversation: Conversation,
  { replies, interim, rest, isInterrupted }: Heard,
  patience: number,
): Promise<string | undefined> {
  const { messages, ending } = conversation;
  for (const [index, reply] of [...replies, ...interim].entries()) {
    const problem = judgeReply(target, reply, messages[index]?.method ?? "");
    if (problem !== undefined) return problem;
  }
  if (ending !== "answered") return undefined;
  if (replies.length > messages.length) return `${replies.length} replies to ${messages.length} requests`;
  const isWhole = replies.length === messages.length;
  const last = replies.at(-1);
  if (isWhole && rest.length > 0)
    return `bytes after the last reply: ${JSON.stringify(rest.toString("latin1"))}`;
  if (isWhole && last && target.isRight(last)) return undefined;
  if (!isWhole && (isInterrupted || isClosing(last) || messages.some(({ path }) => target.cuts?.test(path))))
    return undefined;
  if (await isLostOnNode(conversation, patience)) return undefined;
  if (isWhole) return `the probe is answered ${last?.status}: ${last?.body.toString("utf8")}`;
  return `${replies.length} replies to ${messages.length} requests, then the connection was closed unannounced`;
}

function isClosing(reply: RawReply | undefined): boolean {
  return reply?.headers.get("connection")?.toLowerCase() === "close";
}
