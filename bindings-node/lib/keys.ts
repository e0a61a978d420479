import { keysGenerate } from "./native";
import { seed, now } from "./environment";
export function newKeys(algorithm = "ES256") { return keysGenerate(now(), seed(), algorithm); }
export function loadKeys(keys: unknown, _env: unknown, _issuer: string, _beside?: string): string { return typeof keys === "string" ? keys : newKeys(); }
