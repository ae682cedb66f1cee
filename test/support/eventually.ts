/** As the contract suites wait. */

export { eventually, type Patience } from "../../packages/server/testing/eventually.ts";
