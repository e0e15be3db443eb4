exports.event = (_event) => {};
