const fastify = require("fastify");
const proxy = require("@fastify/http-proxy");

const [, kind, rest] = /^(tcp|unix):(.*)$/.exec(process.env.UPSTREAM);
const upstream = kind === "tcp" ? `http://${rest}` : `unix+http://${encodeURIComponent(rest)}`;
const app = fastify();
app.register(proxy, { upstream, undici: { connections: 128, pipelining: 1 } });
app.listen({ host: "::", port: Number(process.env.PORT) });
