import type { Lockstep } from "./lockstep";
export interface FastifySeat { (): unknown }
export function fastifySeat(_auth: Lockstep): FastifySeat { throw new Error("not yet"); }
