const fastify = require("fastify");

const app = fastify();
app.post("/", async (request) => request.body);
app.listen({ host: "::", port: Number(process.env.PORT) });
