// The least that grpc-js and protobuf-es do: read the event, parse its data, call, answer.
const { create, fromBinary, toBinary } = require("@bufbuild/protobuf");
const {
  TopicEventRequestSchema: Request,
  TopicEventResponseSchema: Response,
} = require("@dapr/dapr/proto/dapr/proto/runtime/v1/appcallback_pb");
const { Server, ServerCredentials } = require("@grpc/grpc-js");

const { deliver } = require("../functions/deliver.cjs");

const server = new Server();
const definition = {
  path: "/dapr.proto.runtime.v1.AppCallback/OnTopicEvent",
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => Buffer.from(toBinary(Request, message)),
  requestDeserialize: (bytes) => fromBinary(Request, bytes),
  responseSerialize: (message) => Buffer.from(toBinary(Response, message)),
  responseDeserialize: (bytes) => fromBinary(Response, bytes),
};
server.addService(
  { OnTopicEvent: definition },
  {
    OnTopicEvent: ({ request }, done) => {
      deliver({}, JSON.parse(Buffer.from(request.data).toString("utf8")));
      done(null, create(Response, {}));
    },
  },
);
server.bindAsync(`127.0.0.1:${process.env.PORT}`, ServerCredentials.createInsecure(), () => undefined);
