import { readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { CHECKOUT } from "./postgres";

/** The files that each file imports, type-only imports included. Paths are relative to the checkout. */
export type ImportGraph = Map<string, string[]>;

/** Reads the imports of every `.ts` and `.tsx` file in the folders. Packages from `node_modules` are skipped. */
export function readImportGraph(folders: readonly string[]): ImportGraph {
  const options = compilerOptions();
  const graph: ImportGraph = new Map();
  for (const folder of folders) {
    for (const file of ts.sys.readDirectory(path.join(CHECKOUT, folder), [".ts", ".tsx"])) {
      const { importedFiles } = ts.preProcessFile(readFileSync(file, "utf8"));
      const imported = importedFiles.flatMap(({ fileName }) => {
        const { resolvedModule } = ts.resolveModuleName(fileName, file, options, ts.sys);
        const target = resolvedModule && ts.sys.realpath?.(resolvedModule.resolvedFileName);
        return target && !target.includes("node_modules") ? [relative(target)] : [];
      });
      graph.set(relative(file), imported);
    }
  }
  return graph;
}

/** One import cycle as a path that starts and ends with the same file, or null. */
export function findCycle(graph: ImportGraph): string[] | null {
  const finished = new Set<string>();
  const visit = (file: string, trail: string[]): string[] | null => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (finished.has(file)) return null;
    for (const imported of graph.get(file) ?? []) {
      const cycle = visit(imported, [...trail, file]);
      if (cycle) return cycle;
    }
    finished.add(file);
    return null;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return null;
}

function compilerOptions(): ts.CompilerOptions {
  const web = path.join(CHECKOUT, "web");
  const { config } = ts.readConfigFile(path.join(web, "tsconfig.json"), ts.sys.readFile);
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, web).options;
}

function relative(file: string): string {
  return path.relative(CHECKOUT, file).replaceAll(path.sep, "/");
}
