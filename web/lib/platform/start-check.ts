import { InvalidSetting, readEnvironment } from "./config";

/** Ends the process with one line and exit code 2 if a setting is wrong. */
export function endOnInvalidSetting(): void {
  try {
    readEnvironment();
  } catch (error) {
    if (!(error instanceof InvalidSetting)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}
