/** A DSN for node-postgres, and the `options` of the session that it contains. */
export interface ConnectionSettings {
  url: string;
  options: string;
}

const KEPT_PARAMETERS = new Set(["ssl", "sslmode", "sslcert", "sslkey", "sslrootcert", "uselibpqcompat"]);

/**
 * Reads a DSN as other programs write it. node-postgres takes each parameter as a setting that replaces ours, such as
 * `options` or `max`, so only those of TLS stay. `options` is returned apart, because ours are added to it.
 */
export function connectionSettings(dsn: string): ConnectionSettings {
  // SQLAlchemy puts the driver into the scheme, as in postgresql+psycopg2://
  const [base, query = ""] = dsn.replace(/^postgres(ql)?(\+\w+)?:\/\//, "postgresql://").split("?", 2);
  const given = new URLSearchParams(query);
  const kept = new URLSearchParams([...given].filter(([name]) => KEPT_PARAMETERS.has(name)));
  return { url: kept.size > 0 ? `${base}?${kept}` : (base ?? ""), options: given.get("options") ?? "" };
}
