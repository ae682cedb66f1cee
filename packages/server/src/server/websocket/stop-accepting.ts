/**
 * Lets the system refuse new connections while those that are open live on. Bun's `stop(false)` hangs up on every connection
 * that has no request under way at that moment, so that a request on its way there is answered with a reset.
 */

import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";

/** How long handshakes that the kernel has begun may take to end, and what they bring to be read. */
const WINDOW_MS = 25;
/** The kernel lists the sockets that listen before all others. */
const LIST_BYTES = 262_144;

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
/** Classic BPF over the TCP header: the byte of flags; where SYN is in it, drop the packet, else keep it whole. */
const DROP_SYN: readonly (readonly [code: number, jumpTrue: number, jumpFalse: number, value: number])[] = [
  [0x30, 0, 0, 13],
  [0x45, 0, 1, 0x02],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, 0xffff_ffff],
];

/** glibc and musl. */
const LIBRARIES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];
const SYMBOLS = {
  setsockopt: { args: [FFIType.i32, FFIType.i32, FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  dup2: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
} as const;

/**
 * No new connection comes in by these ports, one listening socket of this process each. Those on their way are accepted first;
 * those that begin meanwhile are not answered, and try again a second later. False where the system cannot do that; nothing has changed then.
 */
export async function stopAccepting(ports: readonly number[]): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const sockets = listeningSockets(ports);
  const libc = sockets.length === ports.length ? openLibrary() : undefined;
  if (!libc) return false;
  const { program, code } = filter();
  for (const fd of sockets) libc.symbols.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, ptr(program), program.byteLength);
  await Bun.sleep(WINDOW_MS);
  // Bun goes on holding the number, which now is nothing's that could be connected to.
  const nothing = openSync("/dev/null", "r");
  for (const fd of sockets) libc.symbols.dup2(nothing, fd);
  closeSync(nothing);
  libc.close();
  // The kernel has its own copy; until here, the garbage collector may not take it.
  return code.length > 0;
}

function filter(): { readonly program: Uint8Array; readonly code: Uint8Array } {
  const code = new Uint8Array(8 * DROP_SYN.length);
  const words = new DataView(code.buffer);
  for (const [at, [operation, jumpTrue, jumpFalse, value]] of DROP_SYN.entries()) {
    words.setUint16(8 * at, operation, true);
    words.setUint8(8 * at + 2, jumpTrue);
    words.setUint8(8 * at + 3, jumpFalse);
    words.setUint32(8 * at + 4, value, true);
  }
  const program = new Uint8Array(16);
  const view = new DataView(program.buffer);
  view.setUint16(0, DROP_SYN.length, true);
  view.setBigUint64(8, BigInt(ptr(code) as Pointer), true);
  return { program, code };
}

function openLibrary() {
  for (const name of LIBRARIES) {
    try {
      return dlopen(name, SYMBOLS);
    } catch {
      // Not this one.
    }
  }
  return undefined;
}

/** The numbers under which this process has the sockets that listen on these ports. */
function listeningSockets(ports: readonly number[]): readonly number[] {
  try {
    const names = new Set(["tcp", "tcp6"].flatMap((family) => socketLinksIn(`/proc/self/net/${family}`, ports)));
    const numbers = readdirSync("/proc/self/fd").map(Number);
    const found: number[] = [];
    for (const fd of numbers.sort((a, b) => a - b)) {
      if (found.length === ports.length) break;
      if (names.has(linkOf(fd))) found.push(fd);
    }
    return found;
  } catch {
    return [];
  }
}

/** As `/proc/self/fd` spells them. */
function socketLinksIn(list: string, ports: readonly number[]): readonly string[] {
  const wanted = new Set(ports.map((port) => port.toString(16).toUpperCase().padStart(4, "0")));
  return readStart(list)
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => state === STATE_LISTEN && wanted.has(address?.split(":")[1] ?? ""))
    .map((fields) => `socket:[${fields[9]}]`);
}

const STATE_LISTEN = "0A";

function readStart(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const bytes = Buffer.alloc(LIST_BYTES);
    let length = 0;
    while (length < LIST_BYTES) {
      const count = readSync(file, bytes, length, LIST_BYTES - length, null);
      if (count === 0) break;
      length += count;
    }
    return bytes.toString("latin1", 0, length);
  } finally {
    closeSync(file);
  }
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}
