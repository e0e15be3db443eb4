exports.echo = (req, res) => res.json(req.body);
