const fastify = require("fastify");

const app = fastify();
app.get("/", (_req, reply) => reply.type("text/html; charset=utf-8").send("Hello World!"));
app.listen({ host: "::", port: Number(process.env.PORT) });
