/** Fields of Firestore documents, as events carry them. */

export const simpleFields = (another: string) => ({
  another: { stringValue: another },
  count: { integerValue: another === "before" ? "3" : "4" },
});

/** One of every type that a value can have, nested ones too. */
export const complexFields = {
  arrayValue: { arrayValue: { values: [{ integerValue: "1" }, { integerValue: "2" }] } },
  emptyArray: { arrayValue: {} },
  booleanValue: { booleanValue: true },
  bytesValue: { bytesValue: "AQID/w==" },
  doubleValue: { doubleValue: 5.5 },
  exponent: { doubleValue: 1.5e-9 },
  falseValue: { booleanValue: false },
  geoPointValue: { geoPointValue: { latitude: 51.4543, longitude: -0.9781 } },
  integerValue: { integerValue: "9007199254740993" },
  mapValue: {
    mapValue: {
      fields: {
        field1: { stringValue: "x" },
        field2: { arrayValue: { values: [{ stringValue: "x" }, { integerValue: "1" }] } },
        deeper: { mapValue: { fields: { deepest: { mapValue: { fields: {} } } } } },
      },
    },
  },
  nullValue: { nullValue: null },
  referenceValue: {
    referenceValue:
      "projects/project-id/databases/(default)/documents/foo/bar/baz/qux/collection/2Vm2mI1d0wIaK2Waj5to",
  },
  stringValue: { stringValue: 'with "quotes", \\ and ✓' },
  timestampValue: { timestampValue: "2020-04-23T14:23:53.241Z" },
};
