// What `import` and `require` of the package get under Node. The names are there so that `import { createServer }` comes as far as this
// error: test/package holds them against those of the library.

exports.allowIps =
  exports.allowOrigins =
  exports.CommandError =
  exports.ConfigError =
  exports.createServer =
  exports.Disconnect =
  exports.defineConfig =
  exports.rateLimit =
  exports.readConfig =
  exports.TaskError =
    undefined;

const error = new Error(
  "fanfare runs under Bun, which it brings along: start this program with `npx bun program.ts` instead of node, or run the server beside it with `npx fanfare`",
);
error.stack = `Error: ${error.message}`;
throw error;
