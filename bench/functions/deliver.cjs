exports.deliver = (_ctx, _data) => {};
