/** What Node's own server makes of a conversation. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import type { Conversation } from "./conversation";
import { converse } from "./raw-client";

/**
 * True when Node's own server answers less than all of it too: because its parser refuses something, which closes the
 * connection and says nothing when an earlier reply is still on its way, or because it loses what follows an upgrade.
 */
export async function isLostOnNode(conversation: Conversation, patience: number): Promise<boolean> {
  let isRefused = false;
  const server = createServer((req, res) => void req.resume().once("end", () => res.end()));
  server.keepAliveTimeout = 1;
  server.on("clientError", ({ code }: NodeJS.ErrnoException, socket) => {
    isRefused ||= code?.startsWith("HPE_") ?? false;
    socket.destroy();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const { replies } = await converse(port, conversation, patience);
    return isRefused || replies.length < conversation.messages.length;
  } catch {
    return true; // not even that
  } finally {
    server.close();
  }
}
