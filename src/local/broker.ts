/** The embedded MQTT 3.1.1 broker: any client, any credentials, loopback only, nothing kept after the end. */
import { createServer, type Socket } from "node:net";

import { type FrameworkError, frameworkError } from "../core/errors";
import { listenByRule, type PortOptions, type PortWish } from "../core/ports";

export interface Broker {
  /** Such as `mqtt://127.0.0.1:1883`. */
  url: string;
  port: number;
  stop(): Promise<void>;
}

export interface BrokerOptions extends Pick<PortOptions, "onMoved"> {
  port: PortWish;
  /** Told of clients that were refused. */
  onNotice: (notice: FrameworkError) => void;
}

/** Errors: FF_PORT_IN_USE, FF_LISTEN_FAILED. */
export async function startBroker({ port: wish, onNotice, onMoved }: BrokerOptions): Promise<Broker> {
  const { Aedes } = await import("aedes");
  const aedes = await Aedes.createBroker({
    preConnect(_client, packet, done) {
      if (packet.protocolVersion === 5)
        onNotice(frameworkError("FF_BROKER_PROTOCOL", { client: packet.clientId ?? "" }));
      done(null, true); // a version it does not speak is refused by the broker itself, with the right return code
    },
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => undefined); // a client that vanishes is no news
    aedes.handle(socket);
  });
  const port = await listenByRule(server, wish, onMoved ? { onMoved } : {});

  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close();
        aedes.close(() => {
          for (const socket of sockets) socket.destroy();
          resolve();
        });
      }),
  };
}
