import type { Lockstep } from "./lockstep";
export interface HonoSeat { (): unknown }
export function honoSeat(_auth: Lockstep): HonoSeat { throw new Error("not yet"); }
