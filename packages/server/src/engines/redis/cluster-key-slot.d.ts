/** What the package does not say of itself. */

declare module "cluster-key-slot" {
  export default function calculateSlot(key: string): number;
}
