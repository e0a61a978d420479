export const packages = ['lockstep-oauth'];
