/** The formats of a new configuration file. */

export type Format = "ts" | "json" | "yaml" | "toml";
export const FORMATS: readonly Format[] = ["ts", "json", "yaml", "toml"];
