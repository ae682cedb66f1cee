/** Looks at the certificate files from time to time, and puts what has changed into service. */

import type { Logger } from "pino";
import { ConfigError, errorReason } from "../../config/config-error.ts";
import type { TlsSettings } from "../../config/schema/tls.ts";
import { InTurn } from "../system/promises.ts";
import { areSameCredentials, readCertificates, type TlsCredentials } from "./read-certificates.ts";

/** Certificate and key are written one after the other: what does not fit may fit in a moment. */
const SETTLE_MS = 2_000;

/** What listens with the certificates. */
export interface CertificateUser {
  readonly credentials: TlsCredentials | undefined;
  /** Throws where it cannot listen with them. */
  replace(credentials: TlsCredentials): void;
}

export interface CertificateWatcherOptions {
  readonly settings: TlsSettings;
  readonly listeners: CertificateUser;
  readonly log: Logger;
}

export class CertificateWatcher {
  readonly #listeners: CertificateWatcherOptions["listeners"];
  readonly #log: Logger;
  #settings: TlsSettings;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;
  readonly #reloads = new InTurn();
  /** The last problem that was logged, so that it is logged once and not every minute. */
  #complaint: string | undefined;

  constructor({ settings, listeners, log }: CertificateWatcherOptions) {
    this.#settings = settings;
    this.#listeners = listeners;
    this.#log = log;
    if (listeners.credentials) this.#warn(listeners.credentials);
    this.#wait();
  }

  /**
   * Reads the files again, those of the new settings where there are any. Whether anything was new. Throws ConfigError
   * where they cannot be used; then everything stays as it was.
   */
  reload(settings: TlsSettings = this.#settings): Promise<boolean> {
    return this.#reloads.run(() => this.#reload(settings));
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #reload(settings: TlsSettings): Promise<boolean> {
    try {
      const isNew = await this.#take(settings);
      this.#settings = settings;
      this.#complaint = undefined;
      this.#wait();
      return isNew;
    } catch (error) {
      this.#complain(error);
      throw error;
    }
  }

  /** Reads the files rather than their times: links are swapped, copies keep their dates, and clocks are wrong. */
  async #take(settings: TlsSettings): Promise<boolean> {
    const credentials = await readCertificates(settings);
    const { credentials: before } = this.#listeners;
    if (this.#isStopped || (before && areSameCredentials(before, credentials))) return false;
    this.#listeners.replace(credentials);
    this.#log.info("new certificates are in service");
    this.#warn(credentials);
    return true;
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const { watchS } = this.#settings;
    if (watchS === 0 || this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#look(), watchS * 1000);
  }

  async #look(): Promise<void> {
    const look = async () => {
      if (!(await this.#fits())) await Bun.sleep(SETTLE_MS);
      if (!this.#isStopped) await this.#reload(this.#settings);
    };
    await this.#reloads.run(look).catch(() => {});
    this.#wait();
  }

  async #fits(): Promise<boolean> {
    return readCertificates(this.#settings).then(
      () => true,
      () => false,
    );
  }

  #complain(error: unknown): void {
    const why = error instanceof ConfigError ? error.message.replaceAll("\n", "; ") : errorReason(error);
    if (why === this.#complaint) return;
    this.#complaint = why;
    this.#log.error(`the new certificates cannot be used, the old ones stay in service: ${why}`);
  }

  #warn({ warnings }: TlsCredentials): void {
    for (const warning of warnings) this.#log.warn(warning);
  }
}
