import assert from "node:assert/strict";
import { test } from "node:test";

import { http, registry } from "../../../src/functions/registry";
import { chooseFunctions } from "../../../src/loading/targets";

const a = () => "a";
const b = () => "b";
const main = () => "main";
class Greeter {}
const lazy = {
  a,
  get broken() {
    throw new Error("lazy boom");
  },
};

const chosen: [title: string, exported: unknown, target: string | undefined, names: string[]][] = [
  ["one name", { a, b }, "a", ["a"]],
  ["several, in the order of the target", { a, b }, "b,a", ["b", "a"]],
  ["spaces and empty names are passed over", { a, b }, " b , ,a,", ["b", "a"]],
  ["a name twice is one", { a, b }, "a,b,a", ["a", "b"]],
  ["dots walk", { a, nested: { b } }, "nested.b,a", ["nested.b", "a"]],
  ["* is all", { a, b }, "*", ["a", "b"]],
  ["* after a name", { a, b }, "b,*", ["b", "a"]],
  ["* passes over classes and values", { a, Greeter, answer: 42, none: null }, "*", ["a"]],
  ["* passes over the lifecycle", { init: b, shutdown: b, liveness: b, readiness: b, a }, "*", ["a"]],
  ["the lifecycle when it is named", { init: b, a }, "init", ["init"]],
  ["the lifecycle beside *", { init: b, a }, "*,init", ["a", "init"]],
  ["a module that is a function", main, "*", ["default"]],
  ["a module that is a function, with members", Object.assign(() => "main", { a }), "*", ["default", "a"]],
  ["a CommonJS module imported as ES module", { default: { a }, a }, "*", ["a"]],
  ["a default export that is a name as well", { default: a, a }, "*", ["default"]],
  ["a method called class", { class: { class() {} }.class }, "class", ["class"]],
  [
    "the members of a default export, when there is nothing else",
    { default: { a, init: b } },
    "*",
    ["default.a"],
  ],
  ["no members of a default export beside functions", { b, default: { a } }, "*", ["b"]],
  ["* passes over getters that throw", lazy, "*", ["a"]],
  ["a name beside getters that throw", lazy, "a", ["a"]],
  ["no target, and one called function", { function: a, b }, undefined, ["function"]],
  ["no target, one function", { a, answer: 42 }, undefined, ["a"]],
  ["no target, one beside the lifecycle", { init: b, shutdown: main, a }, undefined, ["a"]],
];

test("which functions of a module are taken", () => {
  for (const [title, exported, target, names] of chosen) {
    const { functions } = chooseFunctions(exported, "/index.js", target);

    assert.deepEqual(
      functions.map(({ name }) => name),
      names,
      title,
    );
  }
});

test("only a function that nobody named is said to be chosen", () => {
  assert.equal(chooseFunctions({ a }, "/index.js", undefined).chosen, true);
  assert.equal(chooseFunctions({ function: a }, "/index.js", undefined).chosen, false);
  assert.equal(chooseFunctions({ a }, "/index.js", "*").chosen, false);
});

const refused: [title: string, exported: unknown, target: string | undefined, code: string, says: string][] =
  [
    ["one of several is missing", { a, b }, "a,c", "FF_TARGET_NOT_FOUND", '"c"'],
    ["one of several is a class", { a, Greeter }, "a,Greeter", "FF_TARGET_NOT_FUNCTION", "class"],
    ["nothing but commas", { a }, ",", "FF_TARGET_NOT_FOUND", '","'],
    ["* of nothing", { answer: 42 }, "*", "FF_TARGET_NOT_FOUND", "no function at all"],
    ["* of the lifecycle alone", { init: a }, "*", "FF_TARGET_NOT_FOUND", "no function at all"],
    ["no target, several", { a, b }, undefined, "FF_TARGET_AMBIGUOUS", '"a", "b"'],
    ["no target, the lifecycle alone", { init: a }, undefined, "FF_TARGET_AMBIGUOUS", "no function"],
    ["a getter that throws", lazy, "broken", "FF_LOAD_FAILED", "lazy boom"],
    ["a member of a default export", { default: { a } }, "a", "FF_TARGET_NOT_FOUND", '"default.a"'],
    ["a module that is a class", Greeter, undefined, "FF_TARGET_AMBIGUOUS", "no function"],
  ];

test("what is wrong with a target is told", () => {
  for (const [title, exported, target, code, says] of refused) {
    assert.throws(
      () => chooseFunctions(exported, "/index.js", target),
      { code, message: new RegExp(says) },
      title,
    );
  }
});

test("registered functions come first, with their signature, and one that is exported as well is one", (t) => {
  t.after(() => registry().clear());
  http("registered", b);

  const { functions } = chooseFunctions({ a, exported: b }, "/index.js", "*");

  assert.deepEqual(
    functions.map(({ name, signature }) => [name, signature]),
    [
      ["registered", "http"],
      ["a", undefined],
    ],
  );
});

test("a target that is named reads no other export: a getter may load half of the world", () => {
  const read: string[] = [];
  const exported = {
    get light() {
      read.push("light");
      return a;
    },
    get heavy() {
      read.push("heavy");
      return b;
    },
  };

  chooseFunctions(exported, "/index.js", "light");

  assert.deepEqual([...new Set(read)], ["light"]);
});
