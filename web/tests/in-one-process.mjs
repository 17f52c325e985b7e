// Runs the test files that are its arguments in one process: a process for each would take longer to start than to run.
import path from "node:path";
import { pathToFileURL } from "node:url";

for (const file of process.argv.slice(2)) await import(pathToFileURL(path.resolve(file)).href);
