/** A TCP proxy in front of a broker that keeps every MQTT packet: what was really said on the wire. */
import { EventEmitter, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type Packet, parser } from "mqtt-packet";

export interface Recorded {
  from: "client" | "broker";
  packet: Packet;
}

export interface Recorder extends EventEmitter {
  readonly port: number;
  readonly packets: Recorded[];
  /** Packets of a command that clients sent. */
  sent(cmd: Packet["cmd"]): Packet[];
  /** Cuts every connection. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startRecorder(brokerPort: number, port = 0): Promise<Recorder> {
  const sockets = new Set<Socket>();
  const packets: Recorded[] = [];
  const server = createServer((client) => {
    const broker = connect(brokerPort, "127.0.0.1");
    record(client, "client");
    record(broker, "broker");
    client.pipe(broker).pipe(client);
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        broker.destroy();
      });
    }
  }).listen(port, "127.0.0.1");
  await once(server, "listening");

  function record(socket: Socket, from: Recorded["from"]): void {
    const reader = parser({ protocolVersion: 4 });
    reader.on("packet", (packet: Packet) => {
      packets.push({ from, packet });
      recorder.emit("packet", packet, from);
    });
    socket.on("data", (chunk) => reader.parse(chunk));
  }

  const recorder = Object.assign(new EventEmitter().setMaxListeners(0), {
    port: (server.address() as { port: number }).port,
    packets,
    sent: (cmd: Packet["cmd"]) =>
      packets.flatMap((one) => (one.from === "client" && one.packet.cmd === cmd ? [one.packet] : [])),
    cut: () => sockets.forEach((socket) => void socket.destroy()),
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  });
  return recorder;
}
