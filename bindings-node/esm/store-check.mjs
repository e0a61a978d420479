export { checkStore } from "../dist/stores/check.js";
