exports.hello = () => "Hello World!";
