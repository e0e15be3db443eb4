// `npm test`: what tests need is installed, the package is built, then `node --test` runs.
// `npm test -- test/unit/floors.test.ts --test-name-pattern=cycle`: flags go to node, the rest picks files.
import { prepare, runTests } from "./run-tests.mjs";

prepare();
process.exitCode = runTests(process.execPath, process.argv.slice(2));
