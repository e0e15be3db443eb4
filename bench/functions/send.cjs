// Ten sends, one after the other: a request costs more than a send, and should not hide it.
exports.message = { order: 4711, items: ["tea", "cups"] };
exports.sends = 10;

exports.send = async (ctx) => {
  for (let i = 0; i < exports.sends; i++) await ctx.send(exports.message, "out");
};
