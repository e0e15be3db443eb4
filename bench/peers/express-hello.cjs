const express = require("express");

express()
  .disable("etag") // no framework of this row sends these two
  .disable("x-powered-by")
  .get("/", (_req, res) => res.send("Hello World!"))
  .listen(process.env.PORT);
