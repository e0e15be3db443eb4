exports.hello = (_req, res) => res.send("Hello World!");
