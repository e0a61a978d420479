export * from "../dist/stores/index.js";
