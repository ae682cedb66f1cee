/** What one app has on this node: its connections, its audiences, its signed-in users. Gone when the last of them is. */

import type { App } from "../domain/app.ts";
import { channelOf } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import type { Broker } from "../domain/ports.ts";
import { Audience } from "./audience.ts";

export class Tenant {
  readonly app: App;
  readonly connections = new Map<string, Connection>();
  readonly audiences = new Map<string, Audience>();
  readonly users = new Map<string, Set<Connection>>();
  readonly #broker: Broker;

  constructor(app: App, broker: Broker) {
    this.app = app;
    this.#broker = broker;
  }

  get isEmpty(): boolean {
    return this.connections.size === 0 && this.audiences.size === 0;
  }

  /** The channel's audience, kept until released as often as it was retained. */
  retain(name: string): Audience {
    let audience = this.audiences.get(name);
    if (!audience) {
      audience = new Audience(this.app.id, channelOf(this.app, name));
      this.audiences.set(name, audience);
      this.#attach(audience);
    }
    audience.holders++;
    return audience;
  }

  release(audience: Audience): void {
    if (--audience.holders > 0) return;
    this.audiences.delete(audience.channel.name);
    this.#broker.unsubscribe(this.app.id, audience.channel.name);
  }

  #attach(audience: Audience): void {
    const attached = this.#broker.subscribe(this.app.id, audience.channel.name);
    if (!(attached instanceof Promise)) return;
    audience.attached = attached.then(() => {
      audience.attached = undefined;
    });
    // Whoever joins awaits it and hears of the failure; nobody else has to.
    audience.attached.catch(() => {});
  }
}
