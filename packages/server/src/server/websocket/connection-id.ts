/** Ids of connections. Pusher protocol: two numbers and a dot. */

/** The first number names the node; 48 random bits, so that none is made twice. */
export function newConnectionId(node: number): string {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return `${node}.${high * 0x10000 + (low & 0xffff)}`;
}
