/** Loaded into each node of `fanfare cluster up` before anything else: the node stops when the command is gone, however it went. */

process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.on("error", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();
