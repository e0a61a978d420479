export { BrokenStore, RULES, checkStore } from "../dist/stores/check.js";
