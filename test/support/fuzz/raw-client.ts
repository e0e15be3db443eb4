/** Holds a conversation on a bare socket. */
import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";

import type { Conversation } from "./conversation";
import { type RawReply, ReplyReader } from "./reply-reader";

export interface Heard {
  replies: readonly RawReply[];
  interim: readonly RawReply[];
  /** Bytes of a reply that never came to its end. */
  rest: Buffer;
  /** The server closed while the client was writing, which can make the client lose what was answered. */
  isInterrupted: boolean;
}

/** Error: what is wrong with the replies, or that the server neither answers nor closes. */
export async function converse(
  port: number,
  { messages, pieces, ending }: Conversation,
  patience: number,
): Promise<Heard> {
  const reader = new ReplyReader(messages.map(({ method }) => method));
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let problem: unknown;
  let isInterrupted = false;
  const closed = new Promise<void>((resolve) => socket.once("close", resolve));
  const give = (err: unknown) => {
    problem ??= err;
    socket.destroy();
  };
  const timer = setTimeout(
    () =>
      give(
        new Error(`after ${patience} ms neither answered nor closed, ${reader.replies.length} replies came`),
      ),
    patience,
  );
  socket.on("error", (err: NodeJS.ErrnoException) => {
    isInterrupted ||= err.syscall === "write";
    if (err.syscall === "connect") problem ??= err;
  });
  socket.on("data", (bytes) => {
    try {
      reader.push(bytes);
    } catch (err) {
      give(err);
    }
    if (ending === "answered" && reader.replies.length >= messages.length) socket.end();
  });

  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    if (pieces.length > 1) await turn();
  }
  if (ending === "half-closed") socket.end();
  if (ending === "reset") {
    if (socket.connecting)
      await Promise.race([new Promise((resolve) => socket.once("connect", resolve)), closed]);
    socket.resetAndDestroy();
  }
  await closed;
  clearTimeout(timer);
  if (problem !== undefined) throw problem;
  if (ending !== "reset") reader.end();
  return { replies: reader.replies, interim: reader.interim, rest: reader.rest, isInterrupted };
}
