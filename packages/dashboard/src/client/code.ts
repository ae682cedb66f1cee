/** The code that sends an event, in the languages that back ends are written in. */

import { parsed } from "./show.ts";

export const LANGUAGES = ["Node", "PHP", "Laravel", "Shell"] as const;
export type Language = (typeof LANGUAGES)[number];

interface Sendable {
  readonly channel: string;
  readonly event: string;
  /** JSON, or a text. */
  readonly data: string;
}

export function codeOf({ channel, event, data }: Sendable, language: Language): string {
  const json = parsed(data) ? data : JSON.stringify(data);
  switch (language) {
    case "Node":
      return `await pusher.trigger(${JSON.stringify(channel)}, ${JSON.stringify(event)}, ${json});`;
    case "PHP":
      return `$pusher->trigger(${php(channel)}, ${php(event)}, json_decode(${php(json)}, true));`;
    case "Laravel": {
      const [, kind = "on", name = channel] = /^(private|presence)-(.*)$/s.exec(channel) ?? [];
      const start = `Broadcast::${kind}(${php(name)})->as(${php(event)})`;
      return `${start}\n    ->with(json_decode(${php(json)}, true))\n    ->send();`;
    }
    case "Shell":
      return `npx fanfare publish ${quoted(channel)} ${quoted(event)} ${quoted(data)}`;
  }
}

interface Signable {
  readonly channel: string;
  readonly socketId: string;
}

/** What the auth endpoint answers, so that this connection gets into that channel. */
export function authCodeOf({ channel, socketId }: Signable, language: Language): string {
  switch (language) {
    case "Node":
      return `// what pusher-js sends: socket_id=${socketId}, channel_name=${channel}\nres.send(pusher.authorizeChannel(req.body.socket_id, req.body.channel_name));`;
    case "PHP":
      return "echo $pusher->authorizeChannel($_POST['channel_name'], $_POST['socket_id']);";
    case "Laravel":
      return "return Broadcast::auth($request);";
    case "Shell":
      return `npx fanfare sign channel ${quoted(socketId)} ${quoted(channel)}`;
  }
}

function php(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function quoted(text: string): string {
  return /^[\w.:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
