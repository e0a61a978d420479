export * from "../dist/stores/check.js";
