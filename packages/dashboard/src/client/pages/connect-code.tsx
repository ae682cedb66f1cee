/** The steps of Connect that are code: a client, the back end that says who may listen, and the back end that publishes. */

import type { AppSummary } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import * as backEnd from "../../back-end-snippets.ts";
import * as code from "../../snippets.ts";
import { PRIVATE_TARGET, PUBLIC_TARGET } from "../connecting.ts";
import { Icon } from "../parts/icon.tsx";
import { Copy } from "../parts/small.tsx";
import { change } from "../route.ts";
import { placeOfApp } from "../session.ts";

interface CodeStepsProps {
  readonly app: AppSummary;
  /** Clients of the native protocol need not name it. */
  readonly isFirstApp: boolean;
  /** As long as it is shown. */
  readonly secret: string | undefined;
  readonly target: code.Target;
}

export function CodeSteps({ app, isFirstApp, secret, target }: CodeStepsProps) {
  const place = placeOfApp(app);
  const isPrivate = code.isPrivate(target);
  const environment =
    secret === undefined ? (
      <p class="soft">
        <code>{backEnd.SECRET_VARIABLE}</code> has to be the secret of step 1.
      </p>
    ) : (
      <Code text={`export ${backEnd.SECRET_VARIABLE}=${secret}`} what="secret" />
    );
  return (
    <>
      <Snippets
        number={2}
        title="Connect"
        lead="key and address are filled in"
        snippets={clients(place, target, isFirstApp, secret)}
        choice={<Kinds target={target} />}
      />
      {isPrivate && (
        <Snippets number={3} title="Permit" lead="your back end says who may listen" snippets={permits(place, target)}>
          {environment}
        </Snippets>
      )}
      <Snippets
        number={isPrivate ? 4 : 3}
        title="Publish"
        lead="the secret comes from your environment"
        snippets={backEnds(place, target)}
      >
        {environment}
      </Snippets>
    </>
  );
}

const KINDS = [
  ["Public channel", PUBLIC_TARGET, undefined],
  ["Private channel", PRIVATE_TARGET, "private"],
] as const;

function Kinds({ target }: { target: code.Target }) {
  return (
    <fieldset class="segment" aria-label="Kind of channel">
      {KINDS.map(([name, of, channel]) => (
        <button key={name} type="button" aria-pressed={of === target} onClick={() => change({ channel })}>
          {name}
        </button>
      ))}
    </fieldset>
  );
}

interface Snippet {
  readonly title: string;
  readonly text: string;
  readonly file: string;
  readonly note?: string;
}

function clients(
  place: code.Place,
  target: code.Target,
  isFirstApp: boolean,
  secret: string | undefined,
): readonly Snippet[] {
  const asksLaravel = code.isPrivate(target)
    ? " It asks /broadcasting/auth of its page's own server, as a user who is logged in, and with the CSRF token of " +
      '<meta name="csrf-token">. Of another back end: authEndpoint.'
    : "";
  return [
    { title: "pusher-js", text: code.pusherClient(place, target), file: "main.js", note: "npm install pusher-js" },
    {
      title: "Laravel Echo",
      text: code.echoClient(place, target),
      file: "resources/js/echo.js",
      note: `npm install laravel-echo pusher-js. The dot in front of the name: it is no class of Laravel's.${asksLaravel}`,
    },
    {
      title: "Laravel",
      text: code.laravelEnvironment(place, secret),
      file: ".env",
      note:
        "composer require pusher/pusher-php-server, then php artisan config:clear. Before Laravel 11 the first line is " +
        "BROADCAST_DRIVER. With the package fanfare/laravel it is BROADCAST_CONNECTION=fanfare. Coming from Reverb: keep " +
        "BROADCAST_CONNECTION=reverb, and set REVERB_HOST, REVERB_PORT, REVERB_SCHEME and the three keys.",
    },
    { title: "Fanfare client", text: code.fanfareClient(place, target, isFirstApp), file: "main.js" },
    { title: "WebSocket", text: code.plainClient(place, target, isFirstApp), file: "main.js" },
  ];
}

function permits(place: code.Place, target: code.Target): readonly Snippet[] {
  const then = `It answers at ${code.AUTH_URL}, which the clients of step 2 ask.`;
  return [
    { title: "Node", text: backEnd.nodePermit(place, target), file: "auth.mjs", note: `node auth.mjs. ${then}` },
    {
      title: "Express",
      text: backEnd.expressPermit(place, target),
      file: "auth.mjs",
      note: `npm install express, then node auth.mjs. ${then}`,
    },
    {
      title: "Laravel",
      text: backEnd.laravelPermit(target),
      file: "routes/channels.php, at its end",
      note:
        "The route /broadcasting/auth is Laravel's: php artisan install:broadcasting makes it from Laravel 11 on; before, take the // " +
        'away from BroadcastServiceProvider in config/app.php. pusher-js asks it by endpoint: "/broadcasting/auth".',
    },
    {
      title: "PHP",
      text: backEnd.phpPermit(place, target),
      file: "auth.php",
      note: `php -S localhost:${code.BACK_END.port} auth.php. ${then}`,
    },
    { title: "Python", text: backEnd.pythonPermit(place, target), file: "auth.py", note: `python3 auth.py. ${then}` },
    { title: "Go", text: backEnd.goPermit(place, target), file: "auth.go", note: `go run auth.go. ${then}` },
  ];
}

function backEnds(place: code.Place, target: code.Target): readonly Snippet[] {
  return [
    { title: "Node", text: backEnd.nodePublish(place, target), file: "publish.mjs", note: "npm install pusher" },
    { title: "Laravel", text: backEnd.laravelPublish(target), file: "a shell, in Laravel's folder" },
    { title: "PHP", text: backEnd.phpPublish(place, target), file: "publish.php" },
    { title: "Python", text: backEnd.pythonPublish(place, target), file: "publish.py" },
    { title: "Go", text: backEnd.goPublish(place, target), file: "main.go" },
    { title: "curl", text: backEnd.curlPublish(place, target), file: "a shell" },
    { title: "Fanfare publisher", text: backEnd.publisherPublish(place, target), file: "publish.mjs" },
  ];
}

interface SnippetsProps {
  readonly number: number;
  readonly title: string;
  readonly lead: string;
  readonly snippets: readonly Snippet[];
  /** Beside the title. */
  readonly choice?: ComponentChildren;
  readonly children?: ComponentChildren;
}

function Snippets({ number, title, lead, snippets, choice, children }: SnippetsProps) {
  const [chosen, choose] = useState(0);
  const snippet = snippets[chosen];
  const id = `snippet-${number}`;
  const move = (event: KeyboardEvent) => {
    const next = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    const index = (next + snippets.length) % snippets.length;
    choose(index);
    const tabs = (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]");
    tabs[index]?.focus();
  };
  return (
    <section class="card stack" aria-labelledby={`${id}-title`}>
      <div class="step-head">
        <span class="step-number" aria-hidden="true">
          {number}
        </span>
        <h2 id={`${id}-title`}>{title}</h2>
        <span class="soft">{lead}</span>
        {choice}
      </div>
      <div class="snippet-tabs" role="tablist" aria-label={title} onKeyDown={move}>
        {snippets.map((it, index) => (
          <button
            key={it.title}
            type="button"
            role="tab"
            aria-selected={index === chosen}
            aria-controls={id}
            tabIndex={index === chosen ? 0 : -1}
            onClick={() => choose(index)}
          >
            {it.title}
          </button>
        ))}
      </div>
      {snippet && (
        <div id={id} role="tabpanel" class="stack" aria-label={snippet.title}>
          {children}
          <p class="snippet-file">
            <Icon name="code" isSmall />
            {snippet.file}
          </p>
          <Code text={snippet.text} what="code" />
          {snippet.note && <p class="soft">{snippet.note}</p>}
        </div>
      )}
    </section>
  );
}

function Code({ text, what }: { text: string; what: string }) {
  return (
    <div class="snippet">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with the arrow keys */}
      <pre tabIndex={0}>{text}</pre>
      <Copy text={text} what={what} />
    </div>
  );
}
