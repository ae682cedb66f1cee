/** As the contract suites wait. */

export { eventually } from "../../packages/server/testing/eventually.ts";
