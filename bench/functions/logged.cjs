exports.logged = (req, res) => {
  req.log.info("One line for every request.");
  res.send("Hello World!");
};
