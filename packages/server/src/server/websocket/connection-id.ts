/** Ids of connections. Pusher protocol: two numbers and a dot. */

/** Two for an id. The system is asked for many at a time: each question costs 2 µs. */
const numbers = new Uint32Array(512);
let next = numbers.length;

/** The first number names the node; 48 random bits, so that none is made twice. */
export function newConnectionId(node: number): string {
  if (next === numbers.length) {
    crypto.getRandomValues(numbers);
    next = 0;
  }
  const [high = 0, low = 0] = [numbers[next], numbers[next + 1]];
  next += 2;
  return `${node}.${high * 0x10000 + (low & 0xffff)}`;
}
